"""Any one recording: an audio file, or a song with its stems."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nca.data import songs
from nca.data.activity import active_window, is_silent
from nca.data.audio import FORMATS, audio_header, is_audio, read_mono
from nca.data.musdb18 import SUFFIX, stems_song
from nca.data.track import SongFiles, Track
from nca.errors import DataError, ParameterError

SHORTEST = 0.1  # seconds


@dataclass(frozen=True, eq=False)
class Recording:
    """A mixture, mono, of which no true voice is known.

    Attributes:
        name: of the file.
        rate: samples a second.
        mixture: float32 `(samples,)`, full scale 1.
    """

    name: str
    rate: int
    mixture: np.ndarray

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return len(self.mixture) / self.rate


def open_recording(path: Path | str, start: float | None = None, seconds: float | None = None) -> Recording | Track:
    """Any song: a WAV, FLAC, OGG or MP3 file, a `.stem.mp4`, or a folder with a song's sources.

    Args:
        path: of the file, at any rate and with any number of channels, whose mean is taken; or of a folder with one of
            the layouts of `nca.data.songs`.
        start: second to begin at; None for the `seconds` in which most is heard (:func:`nca.data.active_window`).
        seconds: length, all that there is from `start` on if None; a shorter recording is taken as it is.

    Returns:
        A :class:`Track` with its true voice where there are stems, otherwise a :class:`Recording`.

    Raises:
        DataError: for a file that is missing, broken, no audio, silent or shorter than a tenth of a second.
        ParameterError: for a part that lies outside of the recording, or is empty.
    """
    path = Path(path).expanduser()
    whole = _opened(path)
    if seconds is not None and not seconds > 0:
        raise ParameterError(f"seconds is {seconds}; give a length above 0.")
    if start is not None and not 0 <= start < whole.seconds:
        raise ParameterError(f"start is {start}, and {path} has {whole.seconds:.1f} s; begin within them.")
    part = _part(whole, start, seconds)
    if part.seconds < SHORTEST:
        raise DataError(f"{path} has {part.seconds:.3f} s there; give at least {SHORTEST} s.")
    if is_silent(part.mixture):
        raise DataError(f"{path} is silent there; give a recording, or a part of it, in which something is heard.")
    return part


def _opened(path: Path) -> Recording | Track:
    if path.is_dir():
        song = SongFiles(path.name, path, tuple(filter(is_audio, sorted(path.iterdir()))))
        songs.check(song)
        return songs.decode(song, "")
    if not path.is_file():
        raise DataError(f"{path} does not exist; give a recording.")
    if path.name.lower().endswith(SUFFIX):
        song = stems_song(path)
        songs.check(song)
        return songs.decode(song, "")
    if path.suffix.lower() not in FORMATS:
        kinds = ", ".join(kind[1:].upper() for kind in FORMATS)
        raise DataError(f"{path} is no {kinds} or *{SUFFIX} by its name; export it as one of them.")
    header = audio_header(path)
    return Recording(path.stem, header.samplerate, read_mono(path))


def _part(whole: Recording | Track, start: float | None, seconds: float | None) -> Recording | Track:
    if start is None:
        chosen = active_window({"mixture": whole.mixture}, whole.rate, seconds or whole.seconds)
    else:
        end = None if seconds is None else round((start + seconds) * whole.rate)
        chosen = slice(round(start * whole.rate), end)
    if isinstance(whole, Track):
        stems = {name: stem[chosen] for name, stem in whole.stems.items()}
        return replace(whole, mixture=whole.mixture[chosen], stems=stems)
    return replace(whole, mixture=whole.mixture[chosen])
