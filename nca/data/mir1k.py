"""MIR-1K's layout: karaoke clips in one folder `Wavfile`, as `<singer>_<song>_<clip>` in WAV or FLAC.

A file's left channel is the accompaniment and its right channel the voice, both at 16 kHz. The mixture is their sum,
not their mean, as the data set defines it, so it may exceed full scale.

A track is a song: its clips of 4 to 12 s one behind the other, in their order, so that a song is long enough for the
30 s of Sec. 4.2. Few frames straddle two clips: a window of 46 ms at one frame in 8.7 ms makes five in the 900 of a
clip of 8 s.

The split is by singers: those in `TEST_SINGERS` are for testing, all others for training. Naming them keeps every
clip on its side in any part of the data set, and no voice is heard in both. A file `test-singers.txt` beside `Wavfile`
names other ones, a line each.
"""

import re
from collections import defaultdict
from pathlib import Path

import numpy as np
import soundfile

from nca.data.activity import is_silent
from nca.data.audio import audio_header, check_alike, is_audio, read_audio
from nca.data.track import SongFiles, Track
from nca.errors import DataError

CLIPS = "Wavfile"
TEST_SINGERS = ("annar", "khair")
CHOSEN = "test-singers.txt"


def find(root: Path, subset: str) -> tuple[list[SongFiles], list[Path]]:
    """The songs of one subset, by singer and number, and no folders passed over; raises as `open_tracks` does."""
    clips: dict[tuple[str, int], dict[int, Path]] = defaultdict(dict)
    testing, seen = _test_singers(root), set[str]()
    for path in sorted((root / CLIPS).iterdir()):
        if not is_audio(path):
            continue
        singer, song, clip = _parts(path)
        seen.add(singer)
        if (singer in testing) != (subset == "test"):
            continue
        if clip in clips[singer, song]:
            raise DataError(f"{path} and {clips[singer, song][clip].name} are the same clip: keep one of them.")
        clips[singer, song][clip] = path
    if not clips:
        raise DataError(
            f"{root / CLIPS} holds no clips to {subset} on: the singers {' and '.join(testing)} are for testing, all"
            f" others for training. Here sing {', '.join(sorted(seen)) or 'none'}; name some in {root / CHOSEN}."
        )
    found = ((f"{singer}_{song}", clips[singer, song]) for singer, song in sorted(clips))
    return [SongFiles(name, root / CLIPS, tuple(files[clip] for clip in sorted(files))) for name, files in found], []


def _test_singers(root: Path) -> tuple[str, ...]:
    chosen = root / CHOSEN
    return tuple(chosen.read_text(encoding="utf-8").split()) if chosen.is_file() else TEST_SINGERS


def check(song: SongFiles) -> None:
    """Raise `DataError` for a clip that is broken, not of two channels, or of another rate than the first."""
    for path in song.files:
        if (channels := audio_header(path).channels) != 2:
            raise DataError(
                f"{path} has {channels} channel(s), not two: the accompaniment belongs left and the voice right."
            )
    check_alike(song.files, ("samplerate",), "first clip")


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


def _read(path: Path) -> np.ndarray:
    """The samples `(samples, 2)` of one clip, float32."""
    audio = read_audio(path)
    if is_silent(audio[:, 1]):
        raise DataError(f"{path} has no voice on its right channel: replace it, or remove it.")
    return audio
