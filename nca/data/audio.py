"""One audio file: its header and its samples, with what decoders would pass over said in one sentence."""

import os
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

from nca.errors import DataError

FORMATS = {".wav": ("WAV", "WAVEX", "RF64"), ".flac": ("FLAC",), ".ogg": ("OGG",), ".mp3": ("MP3",)}
LOUDEST = 100.0  # times full scale: what is louder is no audio, but a broken file


def is_audio(path: Path) -> bool:
    """Whether a file's name is that of audio, in letters of any case, and not hidden."""
    return path.suffix.lower() in FORMATS and not path.name.startswith(".") and path.is_file()


def audio_header(path: Path) -> soundfile._SoundFileInfo:
    """The header of a WAV, FLAC, OGG or MP3 file.

    Raises:
        DataError: where it is unreadable, empty, cut off, or of another format than its name says.
    """
    kind = path.suffix[1:].upper()
    try:
        header = soundfile.info(path)
    except soundfile.LibsndfileError as error:
        raise DataError(f"{path} cannot be read as {kind} ({error.error_string}): replace it.") from error
    if header.format not in FORMATS[path.suffix.lower()]:
        raise DataError(f"{path} is {header.format} inside, not {kind}: rename it, or export it again.")
    if header.frames == 0:
        raise DataError(f"{path} holds no samples: replace it, or remove its song.")
    if _riff_end(path) > path.stat().st_size:
        raise DataError(f"{path} is shorter than its header says: copy or export it again.")
    return header


def check_alike(files: Sequence[Path], what: Sequence[str], first: str) -> None:
    """Check that the headers of a song's files agree.

    Args:
        files: the files, the one that all others are compared with first.
        what: attributes of the header.
        first: what the first file is called.

    Raises:
        DataError: for the first that differs, or as :func:`audio_header` does.
    """
    headers = [audio_header(path) for path in files]
    for path, header in zip(files, headers, strict=True):
        for each in what:
            here, there = getattr(header, each), getattr(headers[0], each)
            if here != there:
                raise DataError(f"{path} has {each} {here}, its {first} {there}: export a song's files alike.")


def read_audio(path: Path) -> np.ndarray:
    """The samples `(samples, channels)` of a file, float32, full scale 1.

    Raises:
        DataError: where it is broken, cut off, or holds samples that are not finite or far above full scale.
    """
    try:
        audio, _ = soundfile.read(path, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise DataError(f"{path} cannot be read ({error.error_string}): copy it again.") from error
    if len(audio) != soundfile.info(path).frames:
        raise DataError(f"{path} is shorter than its header says: copy or export it again.")
    if not np.isfinite(audio).all():
        raise DataError(f"{path} holds samples that are not finite: export it again.")
    if (peak := np.abs(audio).max(initial=0.0)) > LOUDEST:
        raise DataError(f"{path} holds samples of {peak:.3g} where full scale is 1: export it again.")
    return audio


def read_mono(path: Path) -> np.ndarray:
    """The mean `(samples,)` of a file's channels, without that of low-frequency effects."""
    audio, effects = read_audio(path), effects_channel(path)
    return (audio if effects is None else np.delete(audio, effects, axis=1)).mean(axis=1)


def effects_channel(path: Path) -> int | None:
    """Which channel holds low-frequency effects (LFE), in files of six channels (5.1) or more."""
    header = soundfile.info(path)
    if header.channels < 6:
        return None
    return header.channels - 1 if header.format == "OGG" else 3


def _riff_end(path: Path) -> int:
    """Where the data chunk of a WAV file should end; ffmpeg and libsndfile do not mind if it is cut off."""
    with path.open("rb") as file:
        if file.read(4) != b"RIFF":
            return 0
        file.seek(12)
        while len(head := file.read(8)) == 8:
            kind, length = struct.unpack("<4sI", head)
            if kind == b"data":
                return file.tell() + length
            file.seek(length + length % 2, os.SEEK_CUR)
    return 0
