"""Records of sweeps that are too long for the book: what was found, and with what, in one JSON file."""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from nca.errors import DataError
from nca.files import read_json, write_bytes, write_json
from nca.sweeps import records
from nca.sweeps.identity import digest_of, module_digest, versions
from nca.sweeps.imports import closure

KEPT = ("stage", "parameters", "data", "digest", "code", "seconds", "results")
DIGITS = 6
MEASURING = ("nca.bench.couplings", "nca.bench.data", "nca.bench.ensembles", "nca.cost.check", "nca.cost.report")


def record_store(store: Path | str, file: Path | str, command: str) -> None:
    """Write the finished runs of a store to `file`: results to six digits, parameters, digests, versions.

    Args:
        command: with which the store is made again.

    Raises:
        RunError, DataError: where there is no such store or it holds no finished run.
    """
    runs = list(records(store))
    if not runs:
        raise DataError(f"{store} holds no finished run; run `{command}` first.")
    modules = {name: digest for run in runs for name, digest in run["modules"].items()}
    head = {
        "command": command,
        "versions": runs[0]["versions"],
        "machine": {"cores": runs[0]["cores"], "threads": runs[0]["threads"]},
        "stages": dict(Counter(run["stage"] for run in runs)),
        "modules": modules,
    }
    lines = [json.dumps(_rounded({name: run[name] for name in KEPT}), allow_nan=False) for run in runs]
    text = json.dumps(head, indent=1)[:-2] + ',\n "runs": [\n  ' + ",\n  ".join(lines) + "\n ]\n}\n"
    write_bytes(file, text.encode())


def record_tables(
    file: Path | str, tables: Mapping[str, pd.DataFrame], machine: str, command: str, **about: Any
) -> None:
    """Write what a command measured to `file`: its tables to six digits, machine, versions and the code's digest.

    `about` are further values to keep beside the tables.
    """
    code = {name: module_digest(path) for name, path in sorted(closure(f"import {', '.join(MEASURING)}").items())}
    head = {"command": command, "machine": machine, "versions": versions(), "code": digest_of(code), **about}
    rows = {name: table.to_dict("records") for name, table in tables.items()}
    write_json(file, head | _rounded(rows))


def recorded_rows(file: Path | str, stage: str) -> pd.DataFrame:
    """The results of one stage of a record, a row each, with the parameters of its run.

    Raises:
        DataError: where the record is missing or broken, or has no such stage.
    """
    record = read_json(file)
    rows = [
        {name: value for name, value in run["parameters"].items() if not isinstance(value, list | dict)} | row
        for run in record["runs"]
        if run["stage"] == stage
        for row in run["results"]
    ]
    if not rows:
        raise DataError(f"{file} has no runs of {stage!r}; its stages are {', '.join(record['stages'])}.")
    return pd.DataFrame(rows)


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, dict):
        return {name: _rounded(each) for name, each in value.items()}
    return [_rounded(each) for each in value] if isinstance(value, list) else value
