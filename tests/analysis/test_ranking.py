"""The ranking of readings, on rows of which one combination makes the paper's tables, and against a slow count."""

from itertools import product

import numpy as np
import pandas as pd
import pytest

from nca.analysis.ranking import AXES, CELLS, FLOOR, MOST, by_set, by_the_text, combined, effects, nearest, ranking
from nca.analysis.strategies import COMPOSITIONAL
from nca.analysis.tables import MODELS, PAPER
from nca.errors import DataError

TRUTH = {"variance": "own", "statistics": "segment", "gate": "published", "bias": "row", "rate": "4e-4"}
TRUTH |= {"spectra": "scaled back", "SF's identity": "mask", "linear composition": "of mean weights", "bands": "all"}
MADE = {  # what stands in each line of the paper's tables, were TRUTH how it was made
    "student": "student",
    "compositional": "compositional (published gate, row bias)",
    "linear composition": "linear composition (of mean weights)",
}
STRATEGIES = [*COMPOSITIONAL, "student", "student (rate 1e-4)", "identity", "identity (as the output)"]
STRATEGIES += ["linear composition", "linear composition (mean of matrices)", "linear composition (of mean weights)"]


def line_of(strategy: str, model: str) -> str | None:
    """The line of the paper's tables that a strategy's rows make under TRUTH."""
    identity = "identity (as the output)" if model == "SF" else "identity"
    return next((line for line, name in (MADE | {"identity": identity}).items() if name == strategy), None)


def row(place: int, variance: str, statistics: str, strategy: str, model: str) -> dict:
    """The paper's mean, one above and one below by segment, where TRUTH makes it; far from it elsewhere."""
    true = (variance, statistics) == (TRUTH["variance"], TRUTH["statistics"])
    line = line_of(strategy, model) if true else None
    about = {"variance": variance, "statistics": statistics, "strategy": strategy, "model": model}
    figures = dict.fromkeys(["tod_ratio", "tod_ratio_shown", *(f"snr_{a}{b}" for a in A for b in ("", "_back"))], 500.0)
    output = PAPER["table-3"]["model output"][MODELS.index(model)][0]
    figures |= {"snr_model_voice_back": output} if true else {}
    for table, column in (("table-1", "tod_ratio"), ("table-2", "snr_model_back"), ("table-3", "snr_voice_back")):
        if line and (printed := PAPER[table].get(line)):
            figures[column] = printed[MODELS.index(model)][0]
    return about | {name: value + place for name, value in figures.items()} | {"song": "a", "segment": place}


A = ("model", "voice", "model_voice")


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    grid = product((-1, 1), AXES["variance"], AXES["statistics"], STRATEGIES, MODELS)
    return pd.DataFrame([row(*each) for each in grid])


@pytest.fixture(scope="module")
def found(rows):
    return combined(rows)


def test_the_tables_have_27_cells():
    assert len(CELLS) == 27
    assert CELLS.groupby("table").size().tolist() == [6, 12, 9]


def test_the_combination_that_made_the_paper_is_found(found):
    assert len(found.combinations) == np.prod([len(options) for options in AXES.values()])
    first, second = ranking(found, 50).head(2).to_dict("records")
    assert {name: first[name] for name in AXES} == TRUTH
    assert first["departures"].startswith(
        "variance: own; statistics: segment; gate: published; bias: row; spectra: scaled"
    )
    assert first["distance"] == pytest.approx(0, abs=1e-9)
    assert (first["within 2"], first["first"]) == (27, 1)
    assert first["low"] <= first["distance"] < second["distance"]


def test_the_distance_is_a_count_by_hand(rows, found):
    number = 77
    deviations = []
    for (_, _, _, mean, spread), values in zip(CELLS.itertuples(index=False), found.values[number], strict=True):
        deviations.append(min(abs(sum(values) / len(values) - mean) / max(spread, FLOOR), MOST))
    assert found.distances()[number] == pytest.approx(sum(deviations) / 27)
    assert found.distances(table="table-1")[number] == pytest.approx(sum(deviations[:6]) / 6)
    spreads = sorted(
        np.std(cell, ddof=1) / max(spread, FLOOR)
        for cell, spread in zip(found.values[number], CELLS.deviation, strict=True)
    )
    assert found.spreads()[number] == pytest.approx(spreads[13])
    alone = found.distances(np.array([1, 1]))  # the second segment, drawn twice
    assert alone[number] == pytest.approx(combined(rows[rows.segment == 1]).distances()[number])


def test_each_reading_alone_brings_its_option_nearer(found):
    found = effects(found, 20)
    for reading, option in TRUTH.items():
        if option != AXES[reading][0]:
            line = found.loc[f"{reading}: {option}"]
            assert line["difference"] < 0
            assert line["low"] - 1e-9 <= line["difference"] <= line["high"] + 1e-9
    assert found.loc["bands: share of Fig. 2", "difference"] > 0
    assert found.loc["rate: 1e-4", "table-1"] > 0


def test_the_nearest_value_of_each_cell_is_the_papers_where_one_makes_it(rows, found):
    np.testing.assert_allclose(nearest(found)["nearest", "mean"], CELLS["mean"], atol=1e-9)
    away = nearest(combined(rows.assign(snr_model=1e3, snr_model_back=1e3)))["away"]
    second = away.index.str.startswith("Table 2")
    assert (away[second] > 10).all()
    assert (away[~second] < 1e-6).all()


def test_the_default_and_the_nearest_of_each_set(rows):
    lines = by_set({"all": rows, "no identity": rows[rows.strategy != "identity"]})
    assert lines["which"].tolist() == ["default", "nearest"]
    assert lines["within 2"].tolist()[1] == 27
    assert lines["distance"][0] > lines["distance"][1] == pytest.approx(0, abs=1e-9)


def test_rows_by_the_text_have_the_default_training_and_every_network_its_own_segments(rows):
    text = rows[(rows.variance == "mixture") & (rows.statistics == "corpus")].drop(columns=["variance", "statistics"])
    seeds = pd.concat([text.assign(seed=seed) for seed in (0, 1)])
    found = combined(by_the_text(seeds.assign(tod_ratio_8k=seeds.tod_ratio + 1)))
    assert found.values.shape[-1] == 4
    assert set(found.combinations["variance"]) == {"mixture"}
    shown = found.combinations["bands"] == "share of Fig. 2"
    assert (found.values[shown, 0].mean() - found.values[~shown, 0].mean()) == pytest.approx(1)


def test_what_is_not_there_is_left_out(rows):
    no_row_bias = rows[~rows.strategy.str.contains("row bias")]
    assert set(combined(no_row_bias).combinations["bias"]) == {"column"}
    no_back = rows.drop(columns=[name for name in rows if name.endswith("_back")])
    assert set(combined(no_back).combinations["spectra"]) == {"standardised"}
    with pytest.raises(DataError, match="record more"):
        combined(rows[rows.strategy != "identity"])
