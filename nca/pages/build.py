"""The demo book from nothing: corpus, sweep, tables, pages. Each step goes on where an earlier attempt stopped."""

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nca.data.demo import make_corpus
from nca.errors import RunError
from nca.pages.figures import shows
from nca.support.files import write_bytes
from nca.sweeps import Plan, check_executed, plan, sweep
from nca.sweeps.grid import read_grid

GRID = Path("notebooks/demo.yml")
FOUND = Path("book/_static/found.png")  # which the README shows


def make_book(songs: int, seconds: float, seed: int, overrides: Mapping[str, Any]) -> Path:
    """Make everything in the working directory, the root of the project, and return the book's front page.

    Args:
        songs, seconds, seed: of the demo corpus.
        overrides: parameters set in every notebook of the demo grid that has them.

    Raises:
        RunError: outside the project, where a run failed, or where a page does not build.
    """
    if not GRID.exists():
        raise RunError(f"There is no {GRID} here; go to the root of the project and try again.")
    read_grid(GRID, overrides)  # a parameter that no notebook has is refused before the corpus is made
    make_corpus("data/demo", songs=songs, seconds=seconds, seed=seed)
    summary = sweep(GRID, overrides)
    if summary.failed or summary.left:
        raise RunError(f"{summary.failed + summary.left} runs of the book did not finish: {summary.reasons[0]}")
    laid_out = plan(GRID, overrides)
    write_bytes("results/tables.json", kept(laid_out, "results", "tables.json"))
    picture = kept(laid_out, "front", FOUND.name)
    if not shows(FOUND, picture):
        write_bytes(FOUND, picture)
    check_executed("executed")
    return build_pages(Path())


def kept(laid_out: Plan, stage: str, file: str) -> bytes:
    """A file that a stage's only run has left."""
    (page,) = (run for run in laid_out.runs if run.stage == stage)
    return (laid_out.folder(page) / file).read_bytes()


def build_pages(root: Path) -> Path:
    """Render the executed notebooks, warnings as errors, and return the front page.

    Raises:
        RunError: where a page does not build; the builder has said why.
    """
    run_builder(root, "-W", "-n", "--keep-going")
    return (root / "_build/html/index.html").resolve()


def run_builder(root: Path, *options: str) -> None:
    """Have Jupyter Book render the book in `root`.

    Raises:
        RunError: where it cannot; it has said why.
    """
    builder = Path(sys.executable).with_name("jupyter-book")
    if subprocess.run([builder, "build", root, *options, "-q"]).returncode:
        shutil.rmtree(root / "_build/.doctrees", ignore_errors=True)  # or the next build would forget the warnings
        raise RunError("The book does not build; the lines above say which page and why.")


def asks_the_network(front: Path) -> bool:
    """Whether a built book has no MathJax of its own, so that its pages ask the network for it."""
    return not (front.parent / "_static/offline/mathjax").is_dir()
