"""Records of sweeps that are too long for the book: what was found, and with what, in one JSON file."""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from nca.errors import DataError
from nca.support.digests import digest_of
from nca.support.files import write_bytes, write_json
from nca.support.kinds import check_kinds
from nca.sweeps import records
from nca.sweeps.identity import module_digest, question, versions
from nca.sweeps.imports import closure
from nca.sweeps.store import read_archive

KEPT = ("stage", "parameters", "data", "digest", "code", "package", "versions", "machine", "seconds", "results")
DIGITS = 6
MEASURING = (
    "nca.bench.couplings",
    "nca.bench.data",
    "nca.bench.ensembles",
    "nca.bench.mapping",
    "nca.bench.validation",
    "nca.bench.prediction",
)


def record_store(store: Path | str, file: Path | str, command: str, add: bool = False) -> None:
    """Write the finished runs of a store to `file`: results to six digits, with what made each.

    Args:
        command: with which the store is made again.
        add: keep the runs that `file` holds already, but for those that the store has with the same stage and
            parameters; so a sweep is resumed in another store, and a record grows over several sittings.

    Raises:
        RunError, DataError: where there is no such store or it holds no finished run.
    """
    runs = list(records(store))
    if not runs:
        raise DataError(f"{store} holds no finished run; run `{command}` first.")
    kept = [_kept(run) for run in runs]
    if add and Path(file).exists():
        answered = {question(run["stage"], run["parameters"]) for run in kept}
        before = read_archive(file)["runs"]
        kept = [run for run in before if question(run["stage"], run["parameters"]) not in answered] + kept
    head = {"command": command, "stages": dict(Counter(run["stage"] for run in kept))}
    lines = [json.dumps(run, allow_nan=False) for run in kept]
    text = json.dumps(head, indent=1)[:-2] + ',\n "runs": [\n  ' + ",\n  ".join(lines) + "\n ]\n}\n"
    write_bytes(file, text.encode())


def _kept(run: Mapping[str, Any]) -> dict[str, Any]:
    """What a record keeps of a run; `package` is the digest of all modules that the run's notebook reached."""
    needed = dict.fromkeys({*KEPT, "cores", "threads"} - {"package", "machine"}, "Any")
    check_kinds(run, needed | {"modules": "dict"}, f"the record in {run['folder']}")
    machine = {"cores": run["cores"], "threads": run["threads"]}
    about = {**run, "package": digest_of(run["modules"]), "machine": machine}
    return _rounded({name: about[name] for name in KEPT})


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
    record = read_archive(file)
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
