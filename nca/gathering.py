"""What runs have left, gathered for a page, and whether it is what the page compares."""

from collections.abc import Iterable, Sequence

import pandas as pd

from nca.errors import RunError
from nca.files import read_json
from nca.tables import MODELS
from nca.training import Trained, load_trained


def gather_results(
    folders: Sequence[str], models: Sequence[str] = MODELS, strategies: Sequence[str] = ()
) -> pd.DataFrame:
    """The rows of couplings runs, one a segment, model and strategy.

    Args:
        folders: of runs of couple.md.
        models, strategies: what must be among them, each model with each of these strategies.

    Raises:
        RunError: for no folders, or where something of this is missing.
        DataError: for a folder without whole results.
    """
    _given(folders, "couple.md")
    rows = pd.DataFrame([row for folder in folders for row in read_json(f"{folder}/results.json")])
    _whole("model", models, rows["model"], "couple.md")
    for model in models:
        _whole("strategy", strategies, rows["strategy"][rows["model"] == model], f"couple.md on {model}")
    return rows


def gather_trained(folders: Sequence[str], models: Sequence[str] = MODELS) -> dict[str, list[Trained]]:
    """The trained networks by the names of their models, in the order of `models`, then of their seeds.

    Raises:
        RunError: for no folders, or where a model of `models` is missing.
        DataError: for a folder without a whole trained model.
    """
    _given(folders, "train.md")
    found = sorted((load_trained(folder) for folder in folders), key=lambda run: run.seed)
    _whole("model", models, [run.model.name for run in found], "train.md")
    names = dict.fromkeys([*models, *(run.model.name for run in found)])
    return {name: [run for run in found if run.model.name == name] for name in names}


def _given(folders: Sequence[str], notebook: str) -> None:
    if not folders:
        raise RunError(f"This page was given no runs of {notebook}; make them, or all pages, with a sweep of demo.yml.")


def _whole(kind: str, wanted: Iterable[str], there: Iterable[str], notebook: str) -> None:
    there = list(dict.fromkeys(there))
    if missing := [name for name in wanted if name not in there]:
        raise RunError(
            f"This page compares every {kind} of {', '.join(wanted)}; the runs of {notebook} that it was given have no"
            f" {' and no '.join(missing)}, only {', '.join(there) or 'none'}: run those that are missing as well."
        )
