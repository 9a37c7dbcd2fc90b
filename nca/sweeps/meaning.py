"""What the parameters of this book's own notebooks may be: a value that no run can use is refused before any runs."""

import re
from collections.abc import Collection, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import nbformat

from nca.errors import DataError, ParameterError
from nca.sweeps.parameters import Parameter

LEAST = {
    **dict.fromkeys(
        ("segment", "seed", "epochs", "tolerance", "scored", "iterations", "batch", "instances", "start"), 0
    ),
    **dict.fromkeys(("seeds", "frames", "starts"), 1),
    "song": -1,  # the real song
    "songs": -1,
}
# parameters that name what the package has
NAMES = {name: name for name in ("model", "profile", "precision", "strategy")} | {"strategies": "strategy"}


@cache
def _known(kind: str) -> Collection[str]:
    """What the package has of a kind; imported when asked for, since that takes seconds."""
    match kind:
        case "model":
            from nca.models import FUTURE, MODELS

            return (*MODELS, *FUTURE)
        case "profile":
            from nca.spectra.geometry import PROFILES

            return PROFILES
        case "precision":
            from nca.support.precision import PRECISIONS

            return PRECISIONS
    from nca.analysis.forensics import AVERAGED
    from nca.analysis.strategies import STRATEGIES

    return (*STRATEGIES, *AVERAGED)


def uses_package(notebook: nbformat.NotebookNode) -> bool:
    """Whether a notebook's code imports this package: in any other, a parameter `model` may mean anything."""
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    return re.search(r"^\s*(?:from|import) nca\b", code, re.MULTILINE) is not None


def check_values(parameters: Mapping[str, Parameter], given: Mapping[str, Any], where: str) -> None:
    """Judge values of a notebook that uses this package, whose types are right, by what the package makes of them.

    A name whose default is none of the package's choices means something else there, and is not judged.

    Raises:
        ParameterError: for a number below the least that means anything, or a name that the package does not know.
    """
    for name, value in given.items():
        for each in _listed(value):
            if isinstance(each, int | float) and each < LEAST.get(name, each):
                raise ParameterError(f"{where}: parameter {name!r} is {each}, and the least is {LEAST[name]}")
        kind = NAMES.get(name)
        known = _known(kind) if kind else ()
        unknown = [each for each in _listed(value) if isinstance(each, str) and each not in known]
        if kind and unknown and all(each in known for each in _listed(parameters[name].default)):
            raise ParameterError(f"{where}: there is no {kind} {unknown[0]!r}; choose one of {', '.join(known)}")


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def check_songs(runs: Iterable[Mapping[str, Any]], where: str) -> None:
    """See that the data sets have the test songs that runs ask for by `song` or `songs`.

    Args:
        runs: the parameters of each.

    Raises:
        ParameterError: for a song that is not there.
    """
    asked: dict[str, int] = {}
    for run in runs:
        songs = run.get("songs")
        songs = songs if songs and isinstance(songs, list) else [run.get("song", -1)]  # a number is of training songs
        if isinstance(run.get("data"), str) and all(isinstance(song, int) for song in songs):
            asked[run["data"]] = max(asked.get(run["data"], -1), *songs)
    for data, song in asked.items():
        count = _test_songs(Path(data)) if song >= 0 else None
        if count is not None and song >= count:
            raise ParameterError(
                f"{where} asks for test song {song}, and {data} has {count}, from 0 to {count - 1};"
                " add songs, or set song or songs to what is there"
            )


def _test_songs(data: Path) -> int | None:
    """How many test songs a data set has; None for what is none, of which the run itself says what is wrong."""
    from nca.data import count_songs

    try:
        return count_songs(data, "test")
    except DataError:
        return None
