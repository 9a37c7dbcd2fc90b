"""Runs of a store that no grid needs any more: those of older code, other parameters, other data."""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from nca.errors import RunError
from nca.sweeps import store
from nca.sweeps.planning import Plan

_NAME = re.compile(rf".*-([0-9a-f]{{{store.DIGEST}}})({re.escape(store.FAILED)})?")


def unneeded(plans: Sequence[Plan]) -> list[Path]:
    """The folders of runs, done or failed, of the plans' store that are in none of the plans.

    Raises:
        RunError: The plans are of different stores.
    """
    root, *others = dict.fromkeys(laid_out.grid.store for laid_out in plans)
    if others:
        raise RunError(f"the grids have different stores, {root} and {others[0]}; give those of one store")
    needed = {run.digest[: store.DIGEST] for laid_out in plans for run in laid_out.runs}
    found = []
    for folder in sorted(root.glob("[!.]*/*")):
        name = _NAME.fullmatch(folder.name)
        is_run = (folder / store.RECORD).is_file() or (folder / store.FAILURE).is_file()
        if name and is_run and name[1] not in needed:
            found.append(folder)
    return found


def remove(root: Path, folders: Sequence[Path]) -> list[Path]:
    """Remove run folders from the store `root`, each at once and for good; returns those that no sweep is at now."""
    removed = []
    store.prepare(root)
    for folder in folders:
        name = _NAME.fullmatch(folder.name)
        digest = name[1] if name else ""
        with store.claim(root, digest) as mine, store.naming(root):
            if mine:
                shutil.rmtree(folder.rename(store.attempt(root, digest) / folder.name).parent)
                removed.append(folder)
    return removed
