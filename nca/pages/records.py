"""Recorded figures as a page shows them: what they come from, of every run, and their tables."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from nca.support.files import read_json
from nca.support.kinds import check_rows
from nca.sweeps import read_record
from nca.sweeps.archive import recorded_rows
from nca.sweeps.store import read_archive

SHOWN = ("machine", "host", "cores", "threads", "device", "precision", "versions", "code")
DIGESTED, DIGEST = re.compile("[0-9a-f]{64}"), 12  # a digest is shown by its first characters


def provenance(file: str) -> str:
    """With which command, machine, versions and code a record was made: of all its runs, one value where they agree."""
    record = read_archive(file) if "runs" in read_json(file, {"command": "str"}) else read_json(file)
    lines = [f"recorded from: {record['command']}"]
    if "runs" in record:
        lines.append("runs: " + ", ".join(f"{number} {stage}" for stage, number in record["stages"].items()))
    lines += _of_all([_of_first(record) | run for run in record["runs"]] if "runs" in record else [record])
    return "\n".join([*lines, *filter(None, [record.get("note")])])


def of_runs(folders: Sequence[str]) -> str:
    """The same of the folders of finished runs, which a page was drawn from.

    Raises:
        DataError: where a folder has no record of a finished run.
    """
    return "\n".join(_of_all([read_record(Path(folder)) for folder in folders]))


def agreed(values: Sequence[Any]) -> str:
    """The one value that all runs have; where they differ, each value with the number of runs that have it."""
    counts = Counter(map(_text, values))
    if len(counts) == 1:
        return next(iter(counts))
    return "; ".join(f"{text} ({number} runs)" for text, number in counts.items())


def agreed_parameters(file: str, stage: str) -> pd.Series:
    """The parameters in which all runs of a stage agree, as text by name; those in which they differ are left out."""
    given = [run["parameters"] for run in read_archive(file)["runs"] if run["stage"] == stage]
    shared = {name: value for name, value in given[0].items() if all(each.get(name) == value for each in given)}
    return pd.Series(shared, name="value").astype(str)


def changes(
    file: str, ways: Sequence[str], columns: Mapping[str, str], keys: Sequence[str], suffix: str = ""
) -> pd.DataFrame:
    """How the means of some columns differ between the first of several stages of a record and the others.

    Args:
        file: the record.
        ways: the stages are called `way + suffix`.
        columns: label -> column; a label that ends with `%` asks for the relative change, any other for the difference.
        keys: what makes a row of the table, such as model and strategy.
        suffix: of the stages' names.
    """
    rows = pd.concat({way: recorded_rows(file, way + suffix) for way in ways}, names=["way"])
    means = rows.groupby([*keys, "way"], sort=False)[list(columns.values())].mean()
    tables = {}
    for label, column in columns.items():
        wide = means[column].unstack("way")[list(ways)]
        first = wide[ways[0]]
        change = 100 * (wide.div(first, axis=0) - 1) if label.endswith("%") else wide.sub(first, axis=0)
        tables[label] = change[list(ways[1:])]
    return pd.concat(tables, axis=1)


def hours(files: Mapping[str, str]) -> pd.DataFrame:
    """Predicted hours and their floor by stage and model, a pair of columns a prediction, with their sums below."""
    predictions = {}
    for name, file in files.items():
        rows = _prediction(file)["rows"]
        predictions[name] = rows[["seconds", "floor"]].set_axis(["hours", "floor"], axis=1) / 3600
    table = pd.concat(predictions, axis=1)
    table.loc[("in all", ""), :] = table.sum()
    return table


def _prediction(file: str) -> dict[str, Any]:
    """What `nca cost` has kept, its rows by stage and model."""
    content = read_json(file, {"rows": "list[dict]"})
    check_rows(content["rows"], {"stage": "str", "model": "str", "seconds": "float", "floor": "float"}, file)
    return content | {"rows": pd.DataFrame(content["rows"]).set_index(["stage", "model"])}


def epochs(costs: str, trained: str) -> pd.DataFrame:
    """Seconds of an epoch by model, predicted in one record and measured in another (the slowest training's)."""
    prediction = _prediction(costs)
    passes = prediction["scale"]["epochs"] * prediction["scale"]["instances"]
    runs = [run for run in read_archive(trained)["runs"] if run["stage"] == "train"]
    ran = pd.DataFrame([{**run["parameters"], "seconds": run["seconds"], **run["results"][0]} for run in runs])
    sides = {
        "predicted": prediction["rows"].seconds["training"] / passes,
        "measured": (ran.seconds / ran.epochs).groupby(ran.model).max(),
        "epochs": ran.groupby("model").epochs.mean(),
    }
    return pd.DataFrame(sides).assign(**{"error, %": lambda row: 100 * (row.predicted / row.measured - 1)})


def _of_all(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    values = {name: [run.get(name) for run in runs] for name in SHOWN}
    return [f"{name}: {agreed(each)}" for name, each in values.items() if any(each)]


def _of_first(record: Mapping[str, Any]) -> dict[str, str]:
    """What the head of an older record says for its runs, which keep nothing of it: it is the first run's alone."""
    return {name: f"{_text(record[name])} (first run; others not recorded)" for name in SHOWN if name in record}


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {each}" for name, each in value.items())
    text = "not recorded" if value is None else str(value)
    return text[:DIGEST] if DIGESTED.fullmatch(text) else text
