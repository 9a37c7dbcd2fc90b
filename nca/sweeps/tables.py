"""The tables of a store, made from its records alone."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nca.support.files import write_bytes
from nca.support.kinds import check_kinds
from nca.sweeps import store as runs

if TYPE_CHECKING:
    import pandas

RESULTS, RUNS = "results.csv", "runs.csv"


def table(store: str | Path, stage: str | None = None) -> "pandas.DataFrame":
    """All results of a store, or of one of its stages: one row for each row that a run left in its `results.json`.

    Columns are `stage`, `run`, the parameters and the results; a result called like a parameter that has another value
    gets the suffix `_result`. The order is that of stages and run folders.
    """
    return _frame(_rows(runs.records(store, stage)))


def results(folders: Iterable[str | Path]) -> "pandas.DataFrame":
    """The same table for the run folders that a page gets by its `needs`."""
    return _frame(_rows({"folder": str(folder), **runs.read_record(Path(folder))} for folder in folders))


def timetable(store: str | Path) -> "pandas.DataFrame":
    """Every run of a store, failed ones included: status, seconds, peak memory, when, where, and what went wrong."""
    rows = [_timing(one) for one in (*runs.records(store), *runs.failures(store))]
    return _frame(iter(sorted(rows, key=lambda row: (row["stage"], row["run"]))))


def write_tables(store: Path) -> None:
    """Write `results.csv` and `runs.csv` into the store; the first is the same, byte for byte, for the same results."""
    for name, frame in ((RESULTS, table(store)), (RUNS, timetable(store))):
        content = frame.to_csv(index=False).encode()
        file = store / name
        if not file.is_file() or file.read_bytes() != content:
            with runs.naming(store):
                write_bytes(file, content)


def _rows(records: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for record in records:
        head = {"stage": record["stage"], "run": Path(record["folder"]).name, **record["parameters"]}
        for row in record["results"]:
            yield head | {_column(name, value, head): value for name, value in row.items()}


def _column(name: str, value: Any, head: dict[str, Any]) -> str:
    return f"{name}_result" if name in head and head[name] != value else name


def _timing(one: dict[str, Any]) -> dict[str, Any]:
    check_kinds(one, {"peak_memory": "float"}, f"the record in {one['folder']}")
    kept = {name: one.get(name) for name in ("stage", "status", "seconds", "started", "host")}
    kept["run"] = Path(one["folder"]).name.removesuffix(runs.FAILED)
    kept["peak_memory_mb"] = round(one["peak_memory"] / 1e6, 1)
    return kept | {name: one.get(name) for name in ("kind", "cell", "reason")}


def _frame(rows: Iterator[dict[str, Any]]) -> "pandas.DataFrame":
    import pandas

    return pandas.DataFrame(list(rows))
