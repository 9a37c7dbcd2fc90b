"""How far the paper's Tables 1 to 3 lie from what each combination of its readings makes, in its own deviations.

A combination chooses one option of every reading of AXES. Its mean of a cell of the tables, m, lies |m - M| / S from
the paper's mean M with deviation S; its distance is the mean of that over the 27 cells. A cell counts as at most MOST,
so that the few that lie thousands of deviations off do not decide alone, and a deviation printed as 0.00 is taken as
half of its last digit, FLOOR.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nca.analysis.strategies import named
from nca.analysis.tables import MODEL_OUTPUT, MODELS, PAPER
from nca.errors import DataError

FLOOR, MOST = 0.005, 10.0
AXES: dict[str, tuple[str, ...]] = {
    "variance": ("mixture", "own"),
    "statistics": ("corpus", "segment"),
    "gate": ("printed", "published"),
    "bias": ("column", "row"),
    "rate": ("4e-4", "1e-4"),
    "spectra": ("standardised", "scaled back"),
    "SF's identity": ("estimate", "mask"),
    "linear composition": ("one network", "mean of matrices", "of mean weights"),
    "bands": ("all", "share of Fig. 2"),
}
CELLS = pd.DataFrame(
    [
        (table, strategy, model, *cell)
        for table, strategies in PAPER.items()
        for strategy, cells in strategies.items()
        for model, cell in zip(MODELS, cells, strict=True)
    ],
    columns=["table", "strategy", "model", "mean", "deviation"],
)
NAMES = [f"{cell.table.capitalize().replace('-', ' ')}: {cell.strategy}, {cell.model}" for cell in CELLS.itertuples()]
SPREAD = np.maximum(CELLS["deviation"].to_numpy(), FLOOR)
PLACE = ["song", "segment"]
MEASURES = ["distance", "low", "high", "within 2"]


@dataclass(frozen=True)
class Found:
    """What every combination has in every cell on every segment.

    Attributes:
        combinations: the options, a row a combination and a column a reading of AXES.
        values: TOD-R or dB `(combinations, cells, segments)`, the cells as in CELLS; not a number where there is none,
            as of a matrix of zeros, which the means leave out.
    """

    combinations: pd.DataFrame
    values: NDArray[np.float64]

    def deviations(self, segments: NDArray[np.int_] | None = None) -> NDArray[np.float64]:
        """(m - M) / S `(combinations, cells)`, the mean taken over all segments or those of the given numbers."""
        values = self.values if segments is None else self.values[..., segments]
        return (_mean(values) - CELLS["mean"].to_numpy()) / SPREAD

    def distances(self, segments: NDArray[np.int_] | None = None, table: str = "") -> NDArray[np.float64]:
        """The distance of each combination, over all cells or those of one table."""
        chosen = CELLS["table"].eq(table).to_numpy() if table else np.full(len(CELLS), True)
        return np.minimum(np.abs(self.deviations(segments)), MOST)[:, chosen].mean(-1)

    def spreads(self) -> NDArray[np.float64]:
        """Our deviation over segments by the paper's, the median over the cells `(combinations,)`."""
        return np.nanmedian(_deviation(self.values) / SPREAD, axis=-1)

    def resampled(self, draws: int = 1000, seed: int = 0) -> NDArray[np.int_]:
        """As many segments as there are, drawn anew with replacement `(draws, segments)`: what a bootstrap takes."""
        count = self.values.shape[-1]
        return np.random.default_rng(seed).integers(0, count, size=(draws, count), dtype=np.int_)


def combined(rows: pd.DataFrame) -> Found:
    """Every combination of AXES that has all of its cells on all segments.

    Args:
        rows: a matrix each, with `model`, `variance`, `statistics`, `strategy`, `song`, `segment` and the figures of
            :func:`nca.analysis.forensics.figures_both_ways`; a column that is not there leaves out what needs it.

    Raises:
        DataError: where no combination is complete.
    """
    measures = [name for name in rows.columns if name.startswith(("tod_ratio", "snr"))]
    keys = ["variance", "statistics", "strategy", "model"]
    ordered = rows.sort_values(PLACE).groupby(keys)
    of = {key: {name: group[name].to_numpy(dtype=float) for name in measures} for key, group in ordered}
    places, wanted = len(rows[PLACE].drop_duplicates()), CELLS[["table", "strategy", "model"]].to_numpy().tolist()
    found = {}
    for chosen in product(*AXES.values()):
        options = dict(zip(AXES, chosen, strict=True))
        cells = [_cell(of, options, *cell) for cell in wanted]
        if all(len(cell) == places for cell in cells) and np.isfinite(cells).any(-1).all():
            found[chosen] = np.array(cells)
    if not found:
        raise DataError("No combination of readings has all cells of the three tables; record more of the sweep.")
    return Found(pd.DataFrame(list(found), columns=list(AXES)), np.stack(list(found.values())))


def ranking(found: Found, draws: int = 1000) -> pd.DataFrame:
    """The combinations from the nearest to the farthest: the options, the distance, its interval, that of each table.

    Columns besides the options: `departures` from the default, as text; `distance`, `low` and `high` (its 2.5 % and
    97.5 % quantiles over resampled segments), `first` (share of these in which it is the nearest), `within 2` (cells
    within two deviations), `relative_spread` (our deviations by the paper's), and the distance in each table.
    """
    drawn = np.array([found.distances(chosen) for chosen in found.resampled(draws)])
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    figures = {
        "departures": found.combinations.apply(_departures, axis=1),
        "distance": found.distances(),
        "low": low,
        "high": high,
        "first": np.isclose(drawn, drawn.min(1, keepdims=True)).mean(0),
        "within 2": (np.abs(found.deviations()) <= 2).sum(-1),
        "relative_spread": found.spreads(),
        **{table: found.distances(table=table) for table in PAPER},
    }
    return found.combinations.assign(**figures).sort_values("distance", kind="stable").reset_index(drop=True)


def _departures(combination: pd.Series) -> str:
    chosen = [f"{name}: {combination[name]}" for name, options in AXES.items() if combination[name] != options[0]]
    return "; ".join(chosen) or "none"


def effects(found: Found, draws: int = 1000) -> pd.DataFrame:
    """What the second option of a reading, or a later one, adds to the distance, all other readings alike.

    Returns:
        A row an option: the mean `difference` to the reading's first option, its `low` and `high` as in
        :func:`ranking`, the share of combinations that it brings `nearer`, and the mean difference in each table.
        Below 0 is nearer.
    """
    rows = []
    drawn = np.array([found.distances(chosen) for chosen in found.resampled(draws)])
    for reading in AXES:
        for option in AXES[reading][1:]:
            first, other = _pairs(found.combinations, reading, option)
            if len(other):
                gain = found.distances()[other] - found.distances()[first]
                low, high = np.quantile((drawn[:, other] - drawn[:, first]).mean(1), [0.025, 0.975])
                row = {"option": f"{reading}: {option}", "difference": gain.mean(), "low": low, "high": high}
                tables = {table: found.distances(table=table) for table in PAPER}
                by_table = {table: (each[other] - each[first]).mean() for table, each in tables.items()}
                rows.append(row | {"nearer": (gain < 0).mean()} | by_table)
    return pd.DataFrame(rows).set_index("option")


def nearest(found: Found) -> pd.DataFrame:
    """For each cell the paper's value, and the nearest mean that any combination has for it.

    Returns:
        A row a cell, with mean and deviation of the `paper` and of the combination `nearest` in this cell, whether or
        not it fits any other, and how many of the paper's deviations `away` it is.
    """
    away = np.abs(found.deviations())
    best, cell = away.argmin(0), np.arange(len(CELLS))
    values = found.values[best, cell]
    columns = {
        ("paper", "mean"): CELLS["mean"].to_numpy(),
        ("paper", "std"): CELLS["deviation"].to_numpy(),
        ("nearest", "mean"): _mean(values),
        ("nearest", "std"): _deviation(values),
        ("away", ""): away[best, cell],
    }
    return pd.DataFrame(columns, index=NAMES)


def _mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Over the segments that have a value; infinitely far where none has."""
    return np.ma.masked_invalid(values).mean(-1).filled(np.inf)


def _deviation(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.ma.masked_invalid(values).std(-1, ddof=1).filled(np.nan)


def by_the_text(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of networks and segments standardised as the paper's text says, as :func:`combined` takes them.

    Args:
        rows: the bands of Fig. 2 are counted in `tod_ratio_8k`, or are all bands where that is not there; several
            networks of a model on one segment count as several segments.
    """
    again = rows.groupby(["model", "strategy", *PLACE]).cumcount()
    shown = rows.get("tod_ratio_8k", rows["tod_ratio"])
    places = rows["song"] + ", network " + again.astype(str)
    return rows.assign(variance="mixture", statistics="corpus", song=places, tod_ratio_shown=shown)


def by_set(sets: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The default combination, the first option of every reading, and the nearest, in each set of rows that has them.

    Args:
        sets: name -> rows as :func:`combined` takes them; a set in which no combination is complete is left out.
    """
    lines = []
    for name, rows in sets.items():
        try:
            found = combined(rows)
        except DataError:
            continue
        ranked = ranking(found)
        default = ranked[(ranked[list(AXES)] == [options[0] for options in AXES.values()]).all(axis=1)]
        counts = {"set": name, "segments": found.values.shape[-1], "combinations": len(ranked)}
        for which, line in (("default", default), ("nearest", ranked.head(1))):
            lines += [counts | {"which": which} | row for row in line[[*MEASURES, *PAPER]].to_dict("records")]
    return pd.DataFrame(lines)


def _cell(
    of: Mapping[tuple[str, ...], Mapping[str, NDArray[np.float64]]],
    options: dict[str, str],
    table: str,
    strategy: str,
    model: str,
) -> NDArray[np.float64]:
    """A cell's values, a segment each, under one combination; none where they are not there."""
    figures = of.get((options["variance"], options["statistics"], _strategy(strategy, model, options), model), {})
    back = "_back" if options["spectra"] == "scaled back" else ""
    column = {
        "table-1": "tod_ratio" if options["bands"] == "all" else "tod_ratio_shown",
        "table-2": f"snr_model{back}",
        "table-3": f"snr_model_voice{back}" if strategy == MODEL_OUTPUT else f"snr_voice{back}",
    }[table]
    return figures.get(column, np.empty(0))


def _strategy(strategy: str, model: str, options: dict[str, str]) -> str:
    """The name of the strategy that stands in a cell of the paper's tables, under a combination of readings."""
    gate, bias, rate = f"{options['gate']} gate", f"{options['bias']} bias", f"rate {options['rate']}"
    if strategy in ("student", MODEL_OUTPUT):
        return named("student", rate)
    if strategy == "compositional":
        return named(strategy, gate, bias, rate)
    if strategy == "linear composition" and options[strategy] != "one network":
        return f"{strategy} ({options[strategy]})"
    if strategy == "identity" and model == "SF" and options["SF's identity"] == "mask":
        return "identity (as the output)"
    return strategy


def _pairs(combinations: pd.DataFrame, reading: str, option: str) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """Numbers of the combinations with the first option of a reading, and of those alike but for another option."""
    rest = [name for name in AXES if name != reading]
    numbered = combinations.assign(number=np.arange(len(combinations)))
    sides = [numbered[numbered[reading] == one] for one in (AXES[reading][0], option)]
    both = sides[0].merge(sides[1], on=rest)
    return both["number_x"].to_numpy(), both["number_y"].to_numpy()
