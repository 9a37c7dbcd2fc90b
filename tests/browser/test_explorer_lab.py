"""The explorer live in JupyterLab, with a kernel."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
import torch
from browserkit import KERNEL, SETUP, Watched, expected, jupyterlab, region, todr
from nbformat.v4 import new_code_cell, new_notebook

from nca.couplings import student
from nca.metrics import tod_ratio

pytestmark = [pytest.mark.browser, pytest.mark.slow]

MODEL = """
import torch
from nca import build, rerun
network = build("DAE", 513, 0)
mixture = torch.rand(513, 20, generator=torch.Generator().manual_seed(0))
"""
LIVE = MODEL + "explore(views[:2], **rerun(network, mixture))"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[str]:
    """Address of a JupyterLab server whose folder holds `live.ipynb`."""
    pytest.importorskip("jupyterlab", reason="needs JupyterLab")
    cells = [new_code_cell(SETUP), new_code_cell(LIVE)]
    nbformat.write(new_notebook(cells=cells, metadata=KERNEL), tmp_path / "live.ipynb")
    with jupyterlab(tmp_path, tmp_path / "home") as address:
        yield f"{address}/tree/live.ipynb"


def test_explorer_lives_in_jupyterlab(
    lab: str, visit: Callable[..., Watched], shoot: Callable[[Any, str], None]
) -> None:
    watched = visit(lab)
    page = watched.page
    page.set_default_timeout(60_000)
    page.get_by_text("| Idle").first.wait_for()  # the kernel is there
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    widget = page.locator(".nca-explorer")
    widget.wait_for()
    matrix = torch.as_tensor(expected()[0].matrix)
    assert todr(widget) == pytest.approx([tod_ratio(matrix).item()], rel=0.01)
    widget.locator(".nca-map").first.focus()
    page.keyboard.press("+")
    assert region(widget)[2] == 257
    page.keyboard.press("0")
    page.get_by_role("button", name="Compute").click()
    page.get_by_text("error 0.").wait_for()  # told from iteration to iteration
    widget.locator("figcaption", has_text="computed here").wait_for()
    assert (
        "computed here, strategy student, iterations 300, learning_rate 0.0004, seed 4"
        in widget.locator("figcaption").first.inner_text()
    )
    names: dict[str, Any] = {}
    exec(MODEL, names)
    found = student(names["network"], names["mixture"], iterations=300, seed=4)
    assert todr(widget) == pytest.approx([tod_ratio(found.matrix).item()], rel=0.01)
    assert page.locator(".progress-bar").evaluate("bar => bar.style.width") == "100%"
    shoot(page, "lab")
    assert watched.outside == []
