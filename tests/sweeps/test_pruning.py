"""Runs that no grid needs: listed, and removed when asked, and no other."""

from pathlib import Path

import pytest
from sweeps.harness import HERE

from nca.cli import main
from nca.sweeps import plan, records, store

GRID = "store: store\nstages: {{first: {{notebook: {here}/first.md, parameters: {{seed: {seeds}}}}}}}\n"


def _grid(name: str, seeds: str) -> Path:
    Path(name).write_text(GRID.format(here=HERE, seeds=seeds))
    return Path(name)


@pytest.fixture
def swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """A store with a run for each of four seeds; their folders."""
    monkeypatch.chdir(tmp_path)
    laid_out = plan(_grid("all.yml", "{range: 4}"))
    store.prepare(laid_out.grid.store)
    for run in laid_out.runs:
        folder = store.attempt(laid_out.grid.store, run.digest)
        (folder / "artefact").write_text("x")
        end = store.fail if run.parameters["seed"] == 3 else store.finish
        end(folder, laid_out.folder(run), {"stage": "first", "parameters": run.parameters, "results": []})
    return sorted(Path("store/first").iterdir())


def test_what_no_grid_needs_is_listed_and_with_a_word_removed(
    swept: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = _grid("one.yml", "[0]"), _grid("two.yml", "[2]")
    assert main(["sweep", str(one), "--prune", str(two)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == [str(swept[1]), str(swept[3]), "2 runs that no grid given needs; --yes removes them"]
    assert sorted(Path("store/first").iterdir()) == swept
    assert main(["sweep", str(one), "--prune", str(two), "--yes"]) == 0
    assert sorted(Path("store/first").iterdir()) == [swept[0], swept[2]]
    assert len(list(records("store"))) == 2
    assert list(Path("store/.unfinished").iterdir()) == []


def test_a_run_that_a_sweep_is_at_stays_and_so_does_what_is_no_run(swept: list[Path]) -> None:
    mine = Path("store/first/notes-0123456789ab")
    mine.mkdir()
    digest = swept[1].name[-store.DIGEST :]
    with store.claim(Path("store"), digest):
        assert main(["sweep", str(_grid("one.yml", "[0]")), "--prune", "--yes"]) == 0
    assert sorted(Path("store/first").iterdir()) == sorted([swept[0], swept[1], mine])


def test_grids_of_two_stores_are_refused(swept: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    other = _grid("other.yml", "[0]")
    other.write_text(other.read_text().replace("store: store", "store: another"))
    assert main(["sweep", "all.yml", "--prune", str(other), "--yes"]) == 2
    assert "different stores" in capsys.readouterr().err
    assert sorted(Path("store/first").iterdir()) == swept
