"""Executed pages for the book: copies of the executed notebooks of those stages that are pages."""

from collections.abc import Callable, Iterable
from pathlib import Path

from nca.files import write_bytes
from nca.sweeps.planning import Plan, Run
from nca.sweeps.store import NOTEBOOK


def publish(laid_out: Plan, is_done: Callable[[int], bool]) -> None:
    """Copy each executed page that is done to the grid's `pages` folder, whole or not at all, if it is not there yet.

    The copy is called after the notebook; where a page has several runs, after notebook and run. A page whose run is
    not done loses its older copy, which would show numbers that nothing in the store stands behind.
    """
    if laid_out.grid.pages is None:
        return
    pages = [(one, run) for one, run in enumerate(laid_out.runs) if laid_out.grid.stages[run.stage].page]
    for one, run in pages:
        copy = laid_out.grid.pages / _name(laid_out, run, (other for _, other in pages))
        if not is_done(one):
            copy.unlink(missing_ok=True)
            continue
        content = (laid_out.folder(run) / NOTEBOOK).read_bytes()
        if not copy.is_file() or copy.read_bytes() != content:
            write_bytes(copy, content)


def _name(laid_out: Plan, run: Run, pages: Iterable[Run]) -> Path:
    stem = laid_out.grid.stages[run.stage].path.stem
    single = sum(other.stage == run.stage for other in pages) == 1
    return Path(f"{stem}.ipynb" if single else f"{stem}-{run.name}.ipynb")
