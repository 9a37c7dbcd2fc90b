"""The text notebooks in JupyterLab, as `make lab` sets it up: opened, run and saved."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from browserkit import ROOT, Watched, jupyterlab

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_a_page_opens_as_a_notebook_runs_and_is_saved_unchanged(
    tmp_path: Path, visit: Callable[..., Watched], shoot: Callable[[Any, str], None]
) -> None:
    pytest.importorskip("jupyterlab", reason="needs JupyterLab")
    pages, settings = tmp_path / "notebooks", tmp_path / "settings"
    pages.mkdir()
    for name in ("question.md", "jupytext.toml"):
        shutil.copy(ROOT / "notebooks" / name, pages)
    viewers = ["--settings-file", str(settings / "overrides.json"), "set-default-viewer", "markdown", "myst"]
    subprocess.run([Path(sys.executable).with_name("jupytext-config"), *viewers], check=True)
    with jupyterlab(pages, tmp_path / "home", f"--LabApp.app_settings_dir={settings}") as address:
        page = visit(address).page
        page.set_default_timeout(60_000)
        page.locator(".jp-DirListing-item", has_text="question.md").dblclick()
        page.get_by_text("| Idle").first.wait_for()  # the kernel is there
        page.locator(".jp-Notebook .katex").first.wait_for()
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        page.locator(".jp-OutputArea-output img").first.wait_for()
        page.keyboard.press("Escape")
        page.keyboard.press("Control+s")
        paired = pages / "question.ipynb"
        page.wait_for_function("() => !document.querySelector('.jp-mod-dirty')")
        shoot(page, "lab-page")
    assert (pages / "question.md").read_text() == (ROOT / "notebooks" / "question.md").read_text()
    cells = [cell for cell in nbformat.read(paired, 4).cells if cell.cell_type == "code"]
    assert any(cell.outputs for cell in cells)
