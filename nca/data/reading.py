"""A data set opened by the layout of its folders: songs as they come, MUSDB18's, or MIR-1K's."""

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType

import numpy as np

from nca.data import mir1k, songs
from nca.data.audio import effects_channel
from nca.data.demo.build import MANIFEST, UNFINISHED
from nca.data.musdb18 import SUFFIX
from nca.data.track import SongFiles, Track, Tracks
from nca.errors import DataError, ParameterError

SUBSETS = ("train", "test")
LEAST_RATE = 11025  # Hz, of the lowest profile; what is sampled lower leaves its upper bands empty
ALIKE = 0.9  # correlation of a mixture with its stems' sum; mastering leaves more of it


def open_tracks(root: str | Path | None = None, subset: str = "train") -> Tracks:
    """The tracks of one subset of a data set.

    A root with the folder `Wavfile` is MIR-1K (see `nca.data.mir1k` for its songs and its split by singers); one with
    the folders `train` and `test` holds one folder or one `.stem.mp4` a song (see `nca.data.songs`). Files are
    checked by their headers alone; a folder without audio is passed over, on standard error.

    Args:
        root: the data set's folder; the environment variable MUSDB_PATH where it is None.
        subset: train or test.

    Raises:
        ParameterError: for an unknown subset or no root.
        DataError: for a folder that is missing, empty or ambiguous, a demo corpus that is not finished, and a file
            that is missing, broken, cut off or unlike the other files of its song.
    """
    if subset not in SUBSETS:
        raise ParameterError(f"The subset {subset!r} is unknown: choose one of {', '.join(SUBSETS)}.")
    folder = _root(root)
    layout = _layout(folder)
    found, strays = layout.find(folder, subset)
    for path in strays:
        print(f"{path} holds no audio: passed over", file=sys.stderr)
    for song in found:
        layout.check(song)
    return Tracks(folder, subset, found, layout.decode)


def count_songs(root: str | Path | None = None, subset: str = "train") -> int:
    """How many songs a subset of a data set has, none of them read; raises as :func:`open_tracks`."""
    folder = _root(root)
    return len(_layout(folder).find(folder, subset)[0])


def list_tracks(root: str | Path | None = None, subsets: Sequence[str] = SUBSETS) -> Iterator[tuple[str, bool]]:
    """Read every song of a data set: a line for each, and whether it can be used.

    Raises:
        ParameterError: for no root.
        DataError: for a root that is no data set.
    """
    folder = _root(root)
    layout = _layout(folder)
    for subset in subsets:
        try:
            found, strays = layout.find(folder, subset)
        except DataError as error:
            yield f"{subset:5}  {error}", False
            continue
        yield from ((f"{subset:5}  {path} holds no audio: passed over", True) for path in strays)
        for song in found:
            try:
                layout.check(song)
                yield f"{subset:5}  {_line(song, layout.decode(song, subset))}", True
            except DataError as error:
                yield f"{subset:5}  {song.name}: {error}", False


def _line(song: SongFiles, track: Track) -> str:
    """A track's length, rate, name and what its user should know of it."""
    remarks = []
    if track.voiceless:
        remarks.append("no voice: left out of training and scores")
    total = np.sum(list(track.stems.values()), axis=0)
    if np.vdot(total, track.mixture) < ALIKE * np.linalg.norm(total) * np.linalg.norm(track.mixture):
        remarks.append("the mixture is not the sum of its stems")
    if track.rate < LEAST_RATE:
        remarks.append(f"a low rate: all bands above {track.rate // 2} Hz are empty")
    if not song.path.name.endswith(SUFFIX) and effects_channel(song.files[0]) is not None:
        remarks.append("six channels or more: that of low-frequency effects is left out")
    return f"{track.seconds:8.1f} s  {track.rate} Hz  {track.name}" + "".join(f"  ({remark})" for remark in remarks)


def _layout(folder: Path) -> ModuleType:
    """The module that finds, checks and decodes the songs of a data set."""
    return mir1k if (folder / mir1k.CLIPS).is_dir() else songs


def _root(root: str | Path | None) -> Path:
    root = root or os.environ.get("MUSDB_PATH")
    if not root:
        raise ParameterError("No data set is given: name its root folder, or set MUSDB_PATH.")
    folder = Path(root).expanduser()
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder: give the root of a data set, which holds train and test, or Wavfile.")
    if not any((folder / name).is_dir() for name in (*SUBSETS, mir1k.CLIPS)):
        raise DataError(f"{folder} holds neither train nor test nor {mir1k.CLIPS}: give the root of a data set.")
    if (folder / UNFINISHED).exists() and not (folder / MANIFEST).exists():
        raise DataError(f"{folder} is a demo corpus that is not finished: run `nca corpus` on it again.")
    return folder
