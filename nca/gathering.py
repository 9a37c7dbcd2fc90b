"""What runs have left, gathered for a page, and whether it is what the page compares."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from nca.couplings import Couplings, load_matrices
from nca.errors import RunError
from nca.files import read_json
from nca.tables import MODELS
from nca.training import Trained, load_ensemble


class Coupled(NamedTuple):
    """One segment through one network: the matrices by the names of their strategies."""

    network: Trained
    song: str
    segment: int
    matrices: dict[str, Couplings]


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
    given(folders, "couple.md")
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
    given(folders, "train.md")
    found = sorted((run for folder in folders for run in load_ensemble(folder)), key=lambda run: run.seed)
    _whole("model", models, [run.model.name for run in found], "train.md")
    names = dict.fromkeys([*models, *(run.model.name for run in found)])
    return {name: [run for run in found if run.model.name == name] for name in names}


def gather_couplings(folders: Sequence[str], networks: Mapping[str, Sequence[Trained]]) -> list[Coupled]:
    """The matrices of couplings runs, each with its network.

    Raises:
        RunError: for no folders, or where the network of one is not among `networks`.
        DataError: for a folder without whole results or matrices.
    """
    given(folders, "couple.md")
    known = {(name, run.seed): run for name, runs in networks.items() for run in runs}
    found = []
    for folder in folders:
        rows = pd.DataFrame(read_json(f"{folder}/results.json")).drop_duplicates(["song", "segment"])
        for number, row in enumerate(rows.itertuples()):
            if (row.model, row.seed) not in known:
                raise RunError(f"{folder} is of {row.model}, seed {row.seed}, which is not among the training runs.")
            matrices = load_matrices(f"{folder}/couplings{number or ''}.safetensors")
            found.append(Coupled(known[row.model, row.seed], row.song, row.segment, matrices))
    return found


def of_segment(found: Iterable[Coupled], song: str, segment: int, models: Sequence[str] = MODELS) -> dict[str, Coupled]:
    """What was found of one segment, by the names of the models.

    Raises:
        RunError: where a model of `models` is missing.
    """
    chosen = {each.network.model.name: each for each in found if (each.song, each.segment) == (song, segment)}
    _whole("model", models, chosen, f"couple.md on segment {segment} of {song!r}")
    return {name: chosen[name] for name in models}


def given(folders: Sequence[str], notebook: str) -> None:
    """Raise a RunError where a page was given no runs of a notebook."""
    if not folders:
        raise RunError(f"This page was given no runs of {notebook}; make them, or all pages, with a sweep of demo.yml.")


def _whole(kind: str, wanted: Iterable[str], there: Iterable[str], notebook: str) -> None:
    there = list(dict.fromkeys(there))
    if missing := [name for name in wanted if name not in there]:
        raise RunError(
            f"This page compares every {kind} of {', '.join(wanted)}; the runs of {notebook} that it was given have no"
            f" {' and no '.join(missing)}, only {', '.join(there) or 'none'}: run those that are missing as well."
        )
