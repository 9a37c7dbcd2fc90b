"""MIR-1K's layout: karaoke clips in one folder `Wavfile`, as `<singer>_<song>_<clip>` in WAV or FLAC.

A file's left channel is the accompaniment and its right channel the voice, both at 16 kHz. The mixture is their sum,
not their mean, as the data set defines it, so it may exceed full scale.

A track is a song: its clips of 4 to 12 s one behind the other, in their order, so that a song is long enough for the
30 s of Sec. 4.2. Few frames straddle two clips: a window of 46 ms at one frame in 8.7 ms makes five in the 900 of a
clip of 8 s.

The split is by singers: those in `TEST_SINGERS` are for testing, all others for training. Naming them keeps every
clip on its side in any part of the data set, and no voice is heard in both.
"""

import re
from collections import defaultdict
from pathlib import Path

import numpy as np
import soundfile

from nca.errors import DataError
from nca.tracks.activity import is_silent
from nca.tracks.checks import audio_header, check_alike
from nca.tracks.track import SongFiles, Track

CLIPS = "Wavfile"
TEST_SINGERS = ("annar", "khair")
SUFFIXES = (".wav", ".flac")


def songs(root: Path, subset: str) -> list[SongFiles]:
    """The songs of one subset, by singer and number; raises `DataError` as `open_tracks` says."""
    clips: dict[tuple[str, int], dict[int, Path]] = defaultdict(dict)
    for path in sorted((root / CLIPS).iterdir()):
        if path.name.startswith(".") or path.suffix.lower() not in SUFFIXES:
            continue
        singer, song, clip = _parts(path)
        if (singer in TEST_SINGERS) != (subset == "test"):
            continue
        if clip in clips[singer, song]:
            raise DataError(f"{path} and {clips[singer, song][clip].name} are the same clip: keep one of them.")
        clips[singer, song][clip] = path
    if not clips:
        raise DataError(
            f"{root / CLIPS} holds no clips to {subset} on: the singers {' and '.join(TEST_SINGERS)}"
            " are for testing, all others for training."
        )
    return [_song(f"{singer}_{song}", clips[singer, song]) for singer, song in sorted(clips)]


def decode(song: SongFiles, subset: str) -> Track:
    """Read a song's clips one behind the other; raises `DataError` where one is broken or has no voice."""
    audio = np.concatenate([_read(path) for path in song.files])
    accompaniment, voice = (np.ascontiguousarray(channel) for channel in audio.T)
    rate = soundfile.info(song.files[0]).samplerate
    return Track(song.name, subset, rate, accompaniment + voice, {"accompaniment": accompaniment, "vocals": voice})


def _parts(path: Path) -> tuple[str, int, int]:
    found = re.fullmatch(r"(.+)_(\d+)_(\d+)", path.stem)
    if not found:
        raise DataError(f"{path} is no clip of MIR-1K: rename it to <singer>_<song>_<clip>, or move it elsewhere.")
    return found[1], int(found[2]), int(found[3])


def _song(name: str, clips: dict[int, Path]) -> SongFiles:
    files = tuple(clips[number] for number in sorted(clips))
    for path in files:
        if (channels := audio_header(path).channels) != 2:
            raise DataError(
                f"{path} has {channels} channel(s), not two: the accompaniment belongs left and the voice right."
            )
    check_alike(files, ("samplerate",), "first clip")
    return SongFiles(name, files)


def _read(path: Path) -> np.ndarray:
    """The samples `(samples, 2)` of one clip, float32."""
    try:
        audio, _ = soundfile.read(path, dtype="float32")
    except soundfile.LibsndfileError as error:
        raise DataError(f"{path} cannot be read ({error.error_string}): copy it again.") from error
    if len(audio) != soundfile.info(path).frames:
        raise DataError(f"{path} is shorter than its header says: copy it again.")
    if not np.isfinite(audio).all():
        raise DataError(f"{path} holds samples that are not finite: copy it again.")
    if is_silent(audio[:, 1]):
        raise DataError(f"{path} has no voice on its right channel: replace it, or remove it.")
    return audio
