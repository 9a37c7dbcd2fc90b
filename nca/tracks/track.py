"""One song, and the songs of one subset as a sequence, whatever the layout that they were read from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import overload

import numpy as np

from nca.tracks.activity import active_window, is_silent


@dataclass(frozen=True, eq=False)
class Track:
    """One song, mono: `mixture` and each of `stems` are float32 `(samples,)`, `rate` samples a second.

    Full scale of a stem is 1. `stems` has the key vocals beside drums, bass and other (MUSDB18) or accompaniment
    (MIR-1K).
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
    def voiceless(self) -> bool:
        """Whether the voice is silent throughout."""
        return is_silent(self.voice)

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
class SongFiles:
    """Where a song lies: its name and its files, in the order that its layout defines."""

    name: str
    files: tuple[Path, ...]


Decoder = Callable[[SongFiles, str], Track]


class Tracks(Sequence[Track]):
    """The tracks of one subset in the order of their names; a track is decoded each time it is indexed.

    Indexing raises `DataError` where the audio of that track is broken; a slice is a `Tracks` again.
    """

    def __init__(self, root: Path, subset: str, songs: Sequence[SongFiles], decode: Decoder) -> None:
        self.root = root
        self.subset = subset
        self._songs = tuple(songs)
        self._decode = decode

    @property
    def names(self) -> tuple[str, ...]:
        """The name of each track."""
        return tuple(song.name for song in self._songs)

    @property
    def paths(self) -> tuple[tuple[Path, ...], ...]:
        """The files each track is made of: a stems file, the mixture's and four sources' WAV files, or its clips."""
        return tuple(song.files for song in self._songs)

    def __len__(self) -> int:
        return len(self._songs)

    @overload
    def __getitem__(self, index: int) -> Track: ...
    @overload
    def __getitem__(self, index: slice) -> "Tracks": ...
    def __getitem__(self, index: int | slice) -> "Track | Tracks":
        if isinstance(index, slice):
            return Tracks(self.root, self.subset, self._songs[index], self._decode)
        return self._decode(self._songs[index], self.subset)

    def __repr__(self) -> str:
        return f"Tracks({str(self.root)!r}, {self.subset!r}, {len(self)} tracks)"
