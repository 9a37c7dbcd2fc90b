"""A data set opened by the layout of its folders: MUSDB18's, or MIR-1K's."""

import os
from pathlib import Path

from nca.corpus.build import BENCH, MANIFEST
from nca.errors import DataError, ParameterError
from nca.tracks import mir1k, musdb18
from nca.tracks.track import Tracks

SUBSETS = ("train", "test")


def open_tracks(root: str | Path | None = None, subset: str = "train") -> Tracks:
    """The tracks of one subset of a data set.

    A root with the folder `Wavfile` is MIR-1K (see `nca.tracks.mir1k` for its songs and its split by singers); one
    with the folders `train` and `test` is MUSDB18, as stems files or as folders of WAV files, whichever are there.

    `root` defaults to the environment variable MUSDB_PATH. Files are checked by their headers alone. Raises
    `ParameterError` for an unknown subset or no root, `DataError` for a folder that is missing, empty or
    ambiguous, for a demo corpus that is not finished, and for a file that is missing, broken, truncated or
    unlike the other files of its song.
    """
    if subset not in SUBSETS:
        raise ParameterError(f"The subset {subset!r} is unknown: choose one of {', '.join(SUBSETS)}.")
    folder = _root(root)
    if (folder / mir1k.CLIPS).is_dir():
        return Tracks(folder, subset, mir1k.songs(folder, subset), mir1k.decode)
    return Tracks(folder, subset, musdb18.songs(folder / subset), musdb18.decode)


def _root(root: str | Path | None) -> Path:
    root = root or os.environ.get("MUSDB_PATH")
    if not root:
        raise ParameterError("No data set is given: name its root folder, or set MUSDB_PATH.")
    folder = Path(root).expanduser()
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder: give the root of a data set, which holds train and test, or Wavfile.")
    if not any((folder / name).is_dir() for name in (*SUBSETS, mir1k.CLIPS)):
        raise DataError(f"{folder} holds neither train nor test nor {mir1k.CLIPS}: give the root of a data set.")
    if (folder / BENCH).exists() and not (folder / MANIFEST).exists():
        raise DataError(f"{folder} is a demo corpus that is not finished: run `nca corpus` on it again.")
    return folder
