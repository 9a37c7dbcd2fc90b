"""What the worker notebooks promise wherever they run: fresh folders, starts by segment, checkpoints by store."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from pages.workers import NOTEBOOKS, execute
from samples import trained_like

from nca.errors import DataError
from nca.spectra import Geometry
from nca.support.files import new_folder, read_json
from nca.sweeps.notebooks import read_notebook
from nca.sweeps.parameters import parameters_cell
from nca.training import Checkpoint, Trained

EVERY = sorted(NOTEBOOKS.rglob("*.md"))
WORKERS = [path for path in EVERY if path.parent != NOTEBOOKS] + [NOTEBOOKS / "train.md", NOTEBOOKS / "couple.md"]


@pytest.mark.parametrize("path", EVERY, ids=lambda path: path.stem)
def test_every_parameter_says_its_type_in_its_own_line(path):
    """papermill reads a cell line by line, and shows a type only where one is written."""
    cell = next(cell for cell in read_notebook(path).cells if "parameters" in cell.metadata["tags"])
    for name in parameters_cell(read_notebook(path), path.name).parameters:
        assert f"\n{name}: " in f"\n{cell.source}"
    assert all(
        line.startswith(tuple(parameters_cell(read_notebook(path), "").parameters)) for line in cell.source.splitlines()
    )


def test_papermill_knows_the_type_of_every_parameter_of_a_worker():
    for path in WORKERS[-2:]:
        asked = [sys.executable, "-m", "papermill", "--help-notebook", str(path)]
        told = subprocess.run(asked, capture_output=True, text=True, check=True, cwd=path.parent).stdout
        assert "Unknown type" not in told
        assert "seed: int (default 0)" in told


def test_a_folder_with_results_is_not_written_over(tmp_path):
    assert new_folder(tmp_path / "none") == tmp_path / "none"
    (tmp_path / "executed.ipynb").touch()
    (tmp_path / ".device.json").touch()
    assert new_folder(tmp_path) == tmp_path
    (tmp_path / "model.json").touch()
    with pytest.raises(DataError, match=f"{tmp_path} holds model.json already; give another folder"):
        new_folder(tmp_path)


@pytest.mark.parametrize("path", WORKERS, ids=lambda path: path.stem)
def test_no_worker_writes_over_what_another_run_left(path, tmp_path):
    (tmp_path / "results.json").write_text("[]")
    with pytest.raises(DataError, match=r"holds results\.json already"):
        execute(str(path.relative_to(NOTEBOOKS)), out=str(tmp_path))
    assert (tmp_path / "results.json").read_text() == "[]"


@pytest.fixture
def small(tmp_path: Path) -> str:
    """A run folder with a network of 33 bands, untrained."""
    geometry, ones = Geometry(rate=5512, fft=64, window=64, hop=32), torch.ones(2, 33, 1)
    Trained(trained_like("DAE", 33).float(), *(each.clone() for each in ones), geometry, 0, [], []).save(
        tmp_path / "small"
    )
    return str(tmp_path / "small")


def test_a_segments_start_does_not_depend_on_its_place_in_the_list(small, demo_songs, tmp_path):
    settings = {"trained": small, "data": str(demo_songs), "strategies": ["student"], "iterations": 2, "frames": 200}
    losses = []
    for number, songs in enumerate([[0, -1], [-1], []]):
        out = str(tmp_path / str(number))
        execute("couple.md", **settings, songs=songs, song=-1, segment=2, out=out)
        losses.append({(row["song"], row["segment"]): row["first_loss"] for row in read_json(f"{out}/results.json")})
    every, alone, one = losses
    assert len(every) > len(alone) > len(one) == 1
    for part in (alone, one):
        assert part == pytest.approx({place: every[place] for place in part}, rel=1e-5)
    again = str(tmp_path / "again")
    execute("couple.md", **settings, song=-1, segment=2, start=1, out=again)
    assert read_json(f"{again}/results.json")[0]["first_loss"] != pytest.approx(one.popitem()[1], rel=1e-4)


def test_two_stores_never_share_a_checkpoint(demo_songs, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(Checkpoint, "discard", lambda self: None)
    settings = {"data": str(demo_songs), "epochs": 1, "scored": 1, "spectra": str(tmp_path / "spectra")}
    for store in ("one", "two"):
        execute("train.md", **settings, out=str(tmp_path / store / ".unfinished" / "attempt"))
    found = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("DAE-*.safetensors"))
    assert [path.parts[:3] for path in found] == [(store, ".unfinished", ".checkpoints") for store in ("one", "two")]
    assert found[0].name == found[1].name
    assert f"kept in {tmp_path / found[0]} while it trains" in capsys.readouterr().err
