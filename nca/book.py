"""The demo book from nothing: corpus, sweep, tables, pages. Each step goes on where an earlier attempt stopped."""

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nca.corpus import make_corpus
from nca.errors import RunError
from nca.files import write_bytes
from nca.sweeps import Plan, check_executed, plan, sweep

GRID = Path("notebooks/demo.yml")


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
    make_corpus("data/demo", songs=songs, seconds=seconds, seed=seed)
    summary = sweep(GRID, overrides)
    if summary.failed or summary.left:
        raise RunError(f"{summary.failed + summary.left} runs of the book did not finish: {summary.reasons[0]}")
    keep_tables(plan(GRID, overrides))
    check_executed("executed")
    return build_pages(Path())


def keep_tables(laid_out: Plan) -> None:
    """Copy the tables of the results page to `results/tables.json`."""
    (page,) = (run for run in laid_out.runs if run.stage == "results")
    write_bytes("results/tables.json", (laid_out.folder(page) / "tables.json").read_bytes())


def build_pages(root: Path) -> Path:
    """Render the executed notebooks, warnings as errors, and return the front page.

    Raises:
        RunError: where a page does not build; the builder has said why.
    """
    builder = Path(sys.executable).with_name("jupyter-book")
    built = subprocess.run([builder, "build", root, "-W", "-n", "--keep-going", "-q"])
    if built.returncode:
        shutil.rmtree(root / "_build/.doctrees", ignore_errors=True)  # or the next build would forget the warnings
        raise RunError("The book does not build; the lines above say which page and why.")
    return (root / "_build/html/index.html").resolve()
