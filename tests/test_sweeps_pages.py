"""Executed pages beside the store: a copy shows what a finished run holds, or it is not there."""

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
    publish(laid_out, lambda _: True)
    assert Path("executed/page.ipynb").read_bytes() == executed.read_bytes()
    publish(laid_out, lambda _: False)
    assert not Path("executed/page.ipynb").exists()
