"""The paper's own grids: what they expand to at full size, and the whole of them on a reduced corpus."""

from pathlib import Path

import pytest

from nca.errors import RunError
from nca.support.files import read_json
from nca.sweeps import check_executed, plan, sweep

ROOT = Path(__file__).parents[2]
PAPER = ROOT / "notebooks" / "paper"
REDUCED = {
    "profile": "demo",
    "device": "cpu",
    "precision": "float32",
    "seeds": 2,
    "instances": 2,
    "epochs": 1,
    "songs": [0],
    "segment": 0,
    "frames": 100,
    "iterations": 5,
}


def test_a_few_dozen_runs_are_the_whole_paper(demo_songs, monkeypatch):
    monkeypatch.setenv("MUSDB_PATH", str(demo_songs))
    laid_out = plan(PAPER / "couple.yml")
    stages = [run.stage for run in laid_out.runs]
    assert {name: stages.count(name) for name in laid_out.grid.stages} == {
        "train": 3,
        "couple": 15,
        "figure-3": 3,
        "composition": 1,
        "strategies": 1,
        "results": 1,
    }
    assert laid_out.grid.store == plan(PAPER / "train.yml").grid.store == Path("store/paper")
    trained = {run.digest for run in plan(PAPER / "train.yml").runs}
    assert trained == {run.digest for run in laid_out.runs if run.stage == "train"}
    songs = [song for run in laid_out.runs if run.stage == "couple" for song in run.parameters["songs"]]
    assert sorted(songs) == sorted(3 * list(range(50)))
    settings = {
        (run.parameters["frames"], run.parameters["iterations"]) for run in laid_out.runs if run.stage == "couple"
    }
    assert settings == {(350, 600)}


def test_without_a_data_set_the_grid_says_which_variable_to_set(monkeypatch, demo_songs):
    monkeypatch.delenv("MUSDB_PATH", raising=False)
    with pytest.raises(RunError, match=r"'data' of stage 'train' .* is \$MUSDB_PATH, which is not set"):
        plan(PAPER / "couple.yml")
    assert plan(PAPER / "couple.yml", {"data": str(demo_songs)}).runs


@pytest.mark.slow
def test_the_same_command_on_a_reduced_corpus_makes_tables_and_figures(demo_songs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MUSDB_PATH", str(demo_songs))
    summary = sweep(PAPER / "couple.yml", REDUCED, progress=False)
    assert summary.complete, summary.reasons
    assert summary.done == 3 + 3 + 3 + 3
    assert check_executed("results/paper") == 3
    (results,) = Path("store/paper/results").glob("*/tables.json")
    tables = read_json(results)
    for table, strategies in (("table-1", 3), ("table-2", 5), ("table-3", 6)):
        counts = {len(tables[table][name]) for name in tables[table]}
        assert (counts, len(tables[table]) >= strategies) == ({3}, True), table
    rows = [row for file in Path("store/paper/couple").glob("*/results.json") for row in read_json(file)]
    segments = {(row["model"], row["song"], row["segment"]): row["seed"] for row in rows}
    assert tables["table-2"]["student"]["SF"]["count"] == len(segments) / 3
    assert set(segments.values()) == {0, 1}  # both initialisations take part
    assert not list(Path("store/paper/couple").glob("*/couplings*.safetensors"))
