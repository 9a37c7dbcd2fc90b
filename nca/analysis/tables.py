"""Tables 1-3: means and deviations over segments, ours beside the paper's."""

from collections.abc import Mapping, Sequence
from itertools import pairwise, permutations
from pathlib import Path
from typing import Any

import pandas as pd

from nca.support.files import write_json

MODELS = ("DAE", "MSS-DAE", "SF")
MODEL_OUTPUT = "model output"

# The paper's means and deviations, strategy by strategy, in the order of MODELS.
PAPER: dict[str, dict[str, tuple[tuple[float, float], ...]]] = {
    "table-1": {
        "student": ((0.03, 0.00), (0.03, 0.00), (0.02, 0.00)),
        "compositional": ((0.36, 0.13), (0.14, 0.04), (0.03, 0.01)),
    },
    "table-2": {
        "student": ((6.51, 1.79), (9.11, 1.09), (6.53, 2.31)),
        "compositional": ((4.78, 2.69), (9.25, 1.13), (5.98, 2.24)),
        "linear composition": ((0.01, 0.01), (-174.9, 18.4), (0.0, 0.0)),
        "identity": ((2.38, 0.81), (3.05, 0.66), (2.51, 1.03)),
    },
    "table-3": {
        "student": ((-4.02, 2.43), (-1.94, 2.03), (-4.88, 3.06)),
        "compositional": ((-5.50, 3.41), (-2.36, 2.29), (-4.15, 3.41)),
        MODEL_OUTPUT: ((-5.05, 3.05), (-2.17, 2.43), (-4.74, 3.15)),
    },
}
COLUMNS = {"table-1": "tod_ratio", "table-2": "snr_model", "table-3": "snr_voice"}


def summarise(rows: pd.DataFrame, table: str) -> pd.DataFrame:
    """Mean, standard deviation (n - 1) and count over segments, by strategy and model.

    Args:
        rows: diagnostics, one row a segment, model and strategy.
        table: `table-1` (TOD-R), `table-2` (SNR to the model's voice) or `table-3` (SNR to the true voice, with a line
            for the model itself).
    """
    chosen = rows.assign(value=rows[COLUMNS[table]])
    if table == "table-3":
        itself = rows.drop_duplicates(rows.columns.intersection(["model", "seed", "network", "song", "segment"]))
        chosen = pd.concat([chosen, itself.assign(value=itself["snr_model_voice"], strategy=MODEL_OUTPUT)])
    by_cell = chosen.groupby(["strategy", "model"], sort=False)["value"]
    return by_cell.agg(["mean", "std", "count"])


def beside_paper(rows: pd.DataFrame, table: str, digits: int = 2) -> pd.DataFrame:
    """Ours beside the paper's, as text `mean ± deviation`: a line a strategy, a pair of columns a model."""
    summary = summarise(rows, table)
    cells: dict[tuple[str, str], dict[str, str]] = {}
    for position, model in enumerate(MODELS):
        for strategy in summary.index.get_level_values("strategy").unique():
            cells.setdefault((model, "ours"), {})[strategy] = _ours(summary, strategy, model, digits)
            printed = PAPER[table].get(strategy)
            cells.setdefault((model, "paper"), {})[strategy] = _text(*printed[position], digits) if printed else ""
    return pd.DataFrame(cells)


def patterns(rows: pd.DataFrame) -> pd.DataFrame:
    """What the paper's tables order, and whether our means are in the same order; a line a table and strategy.

    Columns: `table`, `strategy`, the models from the highest mean to the lowest in the `paper` and in `ours` (those
    that share a value in the paper are joined by =), and whether ours `agrees` with it.
    """
    found = []
    for table, strategies in PAPER.items():
        summary = summarise(rows, table)["mean"]
        for strategy, printed in strategies.items():
            if all((strategy, model) in summary.index for model in MODELS):
                means, ours = [mean for mean, _ in printed], [summary[strategy, model] for model in MODELS]
                agrees = all(ours[i] > ours[j] for i, j in permutations(range(len(MODELS)), 2) if means[i] > means[j])
                orders = (_order(means), _order(ours), "yes" if agrees else "no")
                found.append((table.capitalize().replace("-", " "), strategy, *orders))
    return pd.DataFrame(found, columns=["table", "strategy", "paper", "ours", "agrees"])


def write_tables(path: Path | str, rows: pd.DataFrame, parameters: Sequence[Mapping[str, Any]]) -> None:
    """Write Tables 1-3 as JSON: mean, std and count by strategy and model, and the parameters that produced them.

    Args:
        path: of the JSON file, written whole or not at all.
        rows: diagnostics, one row a segment, model and strategy.
        parameters: of every run that made a row; listed by name with all values that occur.
    """
    tables = {table: _nested(summarise(rows, table)) for table in COLUMNS}
    names = sorted({name for each in parameters for name in each})
    values = {name: _distinct([each[name] for each in parameters if name in each]) for name in names}
    write_json(path, tables | {"parameters": values})


def _nested(summary: pd.DataFrame) -> dict[str, dict[str, dict[str, float | int | None]]]:
    nested: dict[str, dict[str, dict[str, float | int | None]]] = {}
    for (strategy, model), row in summary.iterrows():
        figures = {name: None if pd.isna(row[name]) else float(row[name]) for name in ("mean", "std")}
        nested.setdefault(strategy, {})[model] = figures | {"count": int(row["count"])}
    return nested


def _order(means: Sequence[float]) -> str:
    """The models from the highest mean to the lowest, as `DAE > SF = MSS-DAE`."""
    ranked = sorted(zip(means, MODELS, strict=True), key=lambda pair: -pair[0])
    steps = ["=" if above == below else ">" for (above, _), (below, _) in pairwise(ranked)]
    return " ".join([ranked[0][1], *(f"{step} {name}" for step, (_, name) in zip(steps, ranked[1:], strict=True))])


def _distinct(values: Sequence[Any]) -> list[Any]:
    return [value for position, value in enumerate(values) if value not in values[:position]]


def _ours(summary: pd.DataFrame, strategy: str, model: str, digits: int) -> str:
    if (strategy, model) not in summary.index:
        return ""
    return _text(summary.loc[(strategy, model), "mean"], summary.loc[(strategy, model), "std"], digits)


def _text(mean: float, deviation: float, digits: int) -> str:
    if pd.isna(mean):
        return "no segment"
    return f"{mean:.{digits}f}" + ("" if pd.isna(deviation) else f" ± {deviation:.{digits}f}")
