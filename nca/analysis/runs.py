"""Save and load run results, and check that they are what a page compares."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from nca.analysis.survey import SegmentResult
from nca.analysis.tables import MODELS
from nca.couplings import Couplings, load_matrices, save_matrices
from nca.errors import DataError, RunError
from nca.support.files import read_rows, write_json
from nca.training import Networks, Trained, find_networks

# what each row of couple.md's results has, and which matrices of which network it is of
FIGURES = {"model": "str", "strategy": "str"}
MATRICES = {"model": "str", "seed": "int", "song": "str", "segment": "int", "network": "str", "matrices": "str | None"}


class SegmentCouplings(NamedTuple):
    """One segment through one network: the matrices by the names of their strategies."""

    network: Trained
    song: str
    segment: int
    matrices: dict[str, Couplings]


def save_results(folder: Path | str, results: Iterable[SegmentResult]) -> None:
    """Write `results.json`, the rows of a survey, each with the name of the file that holds its segment's matrices.

    Args:
        folder: of the run; the matrices of a segment, where they were kept, go to a `couplings*.safetensors` each.
        results: of :func:`nca.analysis.survey.survey`.
    """
    rows = []
    for number, result in enumerate(results):
        file = f"couplings{number or ''}.safetensors" if result.couplings else None
        if file:
            save_matrices(Path(folder) / file, result.couplings)
        rows += [row | {"matrices": file} for row in result.rows()]
    write_json(Path(folder) / "results.json", rows)


def load_results(
    folders: Sequence[str], models: Sequence[str] = MODELS, strategies: Sequence[str] = ()
) -> pd.DataFrame:
    """The rows of couplings runs, one a segment, network and strategy.

    Args:
        folders: of runs of couple.md.
        models, strategies: what must be among them, each model with each of these strategies.

    Raises:
        RunError: for no folders, or where something of this is missing.
        DataError: for a folder without complete results.
    """
    require_folders(folders, "couple.md")
    rows = pd.DataFrame([row for folder in folders for row in read_rows(f"{folder}/results.json", FIGURES)])
    _require("model", models, rows["model"], "couple.md")
    for model in models:
        _require("strategy", strategies, rows["strategy"][rows["model"] == model], f"couple.md on {model}")
    return rows


def load_networks(folders: Sequence[str], models: Sequence[str] = MODELS) -> dict[str, Networks]:
    """The trained networks by the names of their models, in the order of `models`, then of their seeds.

    Which there are is read at once, a network only when it is asked for.

    Args:
        folders: of runs of train.md.
        models: what must be among them.

    Raises:
        RunError: for no folders, or where a model of `models` is missing.
        DataError: for a folder without a complete trained model.
    """
    require_folders(folders, "train.md")
    found = find_networks(folders)
    _require("model", models, found, "train.md")
    return {name: found[name] for name in dict.fromkeys([*models, *found])}


def load_couplings(folders: Sequence[str], networks: Mapping[str, Networks]) -> list[SegmentCouplings]:
    """The matrices of couplings runs, each with the network that it was computed from.

    Networks are told apart by their weights, not by model and seed, which several trainings may share.

    Args:
        folders: of runs of couple.md that kept their matrices.
        networks: of :func:`load_networks`.

    Raises:
        RunError: for no folders, or where the network of one is not among `networks`.
        DataError: for a folder without complete results or matrices.
    """
    require_folders(folders, "couple.md")
    known: dict[str, Trained] = {}
    found = []
    for folder in folders:
        for row in {row["matrices"]: row for row in read_rows(f"{folder}/results.json", MATRICES)}.values():
            if row["matrices"] is None:
                raise DataError(f"{folder} kept no matrices; run couple.md again with keep=True.")
            if row["network"] not in known and row["model"] in networks:
                known |= {run.digest: run for run in networks[row["model"]].of_seed(row["seed"])}
            if row["network"] not in known:
                raise RunError(
                    f"{folder} used a network of {row['model']}, seed {row['seed']}, which is not among the training"
                    " runs; give the page the training run that it was made from."
                )
            matrices = load_matrices(f"{folder}/{row['matrices']}")
            found.append(SegmentCouplings(known[row["network"]], row["song"], row["segment"], matrices))
    return found


def of_segment(
    found: Iterable[SegmentCouplings], song: str, segment: int, models: Sequence[str] = MODELS
) -> dict[str, SegmentCouplings]:
    """What was found of one segment, by the names of the models; of several networks of a model, the first.

    Raises:
        RunError: where a model of `models` is missing.
    """
    chosen: dict[str, SegmentCouplings] = {}
    for each in found:
        if (each.song, each.segment) == (song, segment):
            chosen.setdefault(each.network.model.name, each)
    _require("model", models, chosen, f"couple.md on segment {segment} of {song!r}")
    return {name: chosen[name] for name in models}


def require_folders(folders: Sequence[str], notebook: str) -> None:
    """Raise a RunError where a page was given no runs of a notebook."""
    if not folders:
        raise RunError(f"This page was given no runs of {notebook}; make them, or all pages, with a sweep of demo.yml.")


def _require(kind: str, wanted: Iterable[str], there: Iterable[str], notebook: str) -> None:
    there = list(dict.fromkeys(there))
    if missing := [name for name in wanted if name not in there]:
        raise RunError(
            f"This page compares every {kind} of {', '.join(wanted)}; the runs of {notebook} that it was given have no"
            f" {' and no '.join(missing)}, only {', '.join(there) or 'none'}: run those that are missing as well."
        )
