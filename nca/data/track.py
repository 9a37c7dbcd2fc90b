"""One song, and the songs of one subset as a sequence, whatever the layout that they were read from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import overload

import numpy as np

from nca.data.activity import active_window, is_silent
from nca.support.digests import FileDigests


@dataclass(frozen=True, eq=False)
class Track:
    """One song, mono.

    Attributes:
        name: of the song.
        subset: train or test.
        rate: samples a second.
        mixture: float32 `(samples,)`, full scale 1.
        stems: its sources, alike: vocals beside drums, bass and other, or beside accompaniment.
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
        """The `seconds` in which all sources are active, by `active_window`; all of a shorter track."""
        window = active_window(self.stems, self.rate, seconds)
        stems = {name: stem[window] for name, stem in self.stems.items()}
        return replace(self, mixture=self.mixture[window], stems=stems)


@dataclass(frozen=True)
class SongFiles:
    """Where a song lies: its name, its folder or stems file, and its files in the order that its layout defines."""

    name: str
    path: Path
    files: tuple[Path, ...]


Decoder = Callable[[SongFiles, str], Track]


class Tracks(Sequence[Track]):
    """The tracks of one subset in the order of their names; a track is decoded each time it is indexed.

    Indexing raises `DataError` where the audio of that track is broken; a slice is a `Tracks` again.

    Attributes:
        root: the data set's folder.
        subset: train or test.
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
        """The files each track is made of: a stems file, the mixture's and the sources' files, or its clips."""
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


def digest(tracks: Tracks, cache: str | Path | None = None) -> str:
    """SHA-256 over the names (relative to the root) and contents of all files of `tracks`.

    Args:
        tracks: whose files are read.
        cache: a folder that remembers each file's digest by its path, size and time of change.

    Returns:
        64 hex digits.
    """
    digests = FileDigests(Path(cache, "digests.json") if cache is not None else None)
    found = digests(tracks.root, (path for files in tracks.paths for path in files))
    digests.save()
    return found
