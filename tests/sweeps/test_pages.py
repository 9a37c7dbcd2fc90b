"""Executed pages beside the store: a copy shows what a finished run holds, or it is not there."""

from dataclasses import replace
from pathlib import Path

import nbformat
import pytest
from sweeps.harness import HERE

from nca.sweeps import plan
from nca.sweeps.pages import publish


def test_a_page_is_copied_when_done_and_an_older_copy_goes_when_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    laid_out = plan(HERE / "grid.yml")
    (page,) = (run for run in laid_out.runs if run.stage == "page")
    executed = laid_out.folder(page) / "notebook.ipynb"
    executed.parent.mkdir(parents=True)
    nbformat.write(nbformat.v4.new_notebook(), executed)
    (executed.parent / "record.json").touch()
    publish(laid_out)
    assert Path("executed/page.ipynb").read_bytes() == executed.read_bytes()
    (executed.parent / "record.json").unlink()
    publish(laid_out)
    assert not Path("executed/page.ipynb").exists()


def test_of_an_example_the_first_run_is_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    laid_out = plan(HERE / "grid.yml")
    several = next(name for name in laid_out.grid.stages if sum(run.stage == name for run in laid_out.runs) > 1)
    stage = replace(laid_out.grid.stages[several], example=True)
    laid_out = replace(laid_out, grid=replace(laid_out.grid, stages=laid_out.grid.stages | {several: stage}))
    for number, run in enumerate(laid_out.runs):
        executed = laid_out.folder(run) / "notebook.ipynb"
        executed.parent.mkdir(parents=True)
        (executed.parent / "record.json").touch()
        nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_raw_cell(str(number))]), executed)
    publish(laid_out)
    first = next(run for run in laid_out.runs if run.stage == several)
    copy = Path("executed") / f"{stage.path.stem}.ipynb"
    assert copy.read_bytes() == (laid_out.folder(first) / "notebook.ipynb").read_bytes()
    assert len(list(Path("executed").iterdir())) == 2
