"""What is wrong with an audio file before ffmpeg reads it, which would pass over most of it silently."""

import os
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

from nca.errors import DataError


def audio_header(path: Path) -> soundfile._SoundFileInfo:
    """The header of a WAV or FLAC file; raises `DataError` where it is unreadable, empty or cut off."""
    try:
        header = soundfile.info(path)
    except soundfile.LibsndfileError as error:
        kind = path.suffix[1:].upper()
        raise DataError(f"{path} cannot be read as {kind} ({error.error_string}): replace it.") from error
    if header.frames == 0:
        raise DataError(f"{path} holds no samples: replace it, or remove its song.")
    if _riff_end(path) > path.stat().st_size:
        raise DataError(f"{path} is shorter than its header says: copy or export it again.")
    return header


def check_alike(files: Sequence[Path], what: Sequence[str], first: str) -> None:
    """Raise `DataError` where a file's header differs in one of `what` from that of the first, called `first`."""
    headers = [audio_header(path) for path in files]
    for path, header in zip(files, headers, strict=True):
        for each in what:
            here, there = getattr(header, each), getattr(headers[0], each)
            if here != there:
                raise DataError(f"{path} has {each} {here}, its {first} {there}: export a song's files alike.")


def check_stems(path: Path) -> None:
    """Raise `DataError` for a stems file that is cut off."""
    if _mp4_end(path) > path.stat().st_size:
        raise DataError(f"{path} is shorter than its header says: copy it again.")


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


def check_floats(path: Path) -> None:
    """Raise `DataError` for float samples that 16 bits cannot hold: ffmpeg would replace or clip them."""
    if soundfile.info(path).subtype not in ("FLOAT", "DOUBLE"):
        return
    audio, _ = soundfile.read(path)
    if not np.isfinite(audio).all():
        raise DataError(f"{path} holds samples that are not finite: export it again.")
    if np.abs(audio).max() > 1:
        raise DataError(f"{path} exceeds full scale: scale all files of the song down by one factor.")
