"""Executed pages for the book: copies of the notebooks of stages that are pages, and of one run of each example."""

from collections import Counter

from nca.support.files import write_bytes
from nca.sweeps.planning import Plan
from nca.sweeps.store import NOTEBOOK, is_done


def publish(laid_out: Plan) -> None:
    """Copy each executed page that is done to the grid's `pages` folder, if it is not there yet.

    The copy is called after the notebook; where a page has several runs, after notebook and run. A page whose run is
    not done loses its older copy, which would show numbers that nothing in the store stands behind.
    """
    if laid_out.grid.pages is None:
        return
    stages, first = laid_out.grid.stages, {run.stage: run for run in reversed(laid_out.runs)}
    pages = [run for run in laid_out.runs if stages[run.stage].page]
    pages += [run for name, run in first.items() if stages[name].example]
    several = {stage for stage, count in Counter(run.stage for run in pages).items() if count > 1}
    for run in pages:
        stem = stages[run.stage].path.stem
        copy = laid_out.grid.pages / (f"{stem}-{run.name}.ipynb" if run.stage in several else f"{stem}.ipynb")
        if not is_done(laid_out.folder(run)):
            copy.unlink(missing_ok=True)
            continue
        content = (laid_out.folder(run) / NOTEBOOK).read_bytes()
        if not copy.is_file() or copy.read_bytes() != content:
            write_bytes(copy, content)
