"""The spectrogram store: the magnitudes of a data set on disk, computed once, read frame by frame through memory maps.

A store is a folder with `mixture.f32` and `voice.f32` (frames x bins, float32, song behind song) and `index.json`,
which lists the whole songs. The index is replaced atomically after each song, so an interrupted store goes on
with the next song, and what lies behind the last listed frame is never read.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from filelock import FileLock
from torch import Tensor
from tqdm import tqdm

from nca.errors import DataError
from nca.files import write_json
from nca.spectra.geometry import Geometry
from nca.spectra.scale import band_deviation

SIGNALS = ("mixture", "voice")
ITEM = np.dtype(np.float32).itemsize


class Song(Protocol):
    """What the store needs of a track: `mixture` and `voice` as mono samples at `rate` Hz."""

    @property
    def name(self) -> str: ...
    @property
    def rate(self) -> int: ...
    @property
    def mixture(self) -> np.ndarray: ...
    @property
    def voice(self) -> np.ndarray: ...


@dataclass(frozen=True)
class SpectrogramStore:
    """Training frames of a data set, memory-mapped.

    Attributes:
        geometry: of the transform that made them.
        mixture, voice: magnitudes `(frames, bins)`, float32.
        songs: for each song its name and its number of frames, in order.
    """

    geometry: Geometry
    mixture: np.ndarray
    voice: np.ndarray
    songs: tuple[tuple[str, int], ...]

    def scale(self) -> Tensor:
        """Standard deviation of the mixture's bands `(bins, 1)`, which scales mixture and voice alike."""
        return band_deviation(self.mixture)


def build_store(songs: Sequence[Song], geometry: Geometry, folder: Path | str, data: str = "") -> SpectrogramStore:
    """Bring the store of `songs` in `folder` to completion and open it; a second process waits for the first.

    `data` is a digest of the songs' files, kept in the index to tell one data set from another.

    Raises:
        DataError: where the folder holds the store of other songs or another geometry, or cannot be written.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "lock"):
            _append_missing(songs, {"data": data, "geometry": asdict(geometry)}, folder)
    except OSError as error:
        raise DataError(
            f"The spectrogram store {folder} cannot be written ({error.strerror}); free or allow it."
        ) from error
    return open_store(folder)


def open_store(folder: Path | str) -> SpectrogramStore:
    """Open a complete store.

    Raises:
        DataError: where there is none, it is unfinished, or a file is shorter than its index says.
    """
    folder = Path(folder)
    index = _read_index(folder)
    if not index or not index["complete"]:
        raise DataError(f"The spectrogram store {folder} is missing or unfinished; build it with build_store.")
    geometry = Geometry(**index["geometry"])
    frames = sum(song["frames"] for song in index["songs"])
    maps = {}
    for signal in SIGNALS:
        path = folder / f"{signal}.f32"
        if not path.exists() or path.stat().st_size < frames * geometry.bins * ITEM:
            raise DataError(f"{path} is shorter than its index says; delete the folder and build the store again.")
        maps[signal] = np.memmap(path, np.float32, "r", shape=(frames, geometry.bins))
    return SpectrogramStore(geometry, **maps, songs=tuple((s["name"], s["frames"]) for s in index["songs"]))


def _append_missing(songs: Sequence[Song], origin: dict, folder: Path) -> None:
    index = _read_index(folder) or origin | {"songs": [], "complete": False}
    if any(index[key] != value for key, value in origin.items()):
        raise DataError(f"{folder} holds the spectra of other songs or of another geometry; choose another folder.")
    if index["complete"]:
        return
    for song in tqdm(songs[len(index["songs"]) :], desc="spectra", unit="song"):
        start = sum(entry["frames"] for entry in index["songs"])
        index["songs"].append(_append(song, Geometry(**origin["geometry"]), folder, start))
        write_json(folder / "index.json", index)
    write_json(folder / "index.json", index | {"complete": True})


def _append(song: Song, geometry: Geometry, folder: Path, start: int) -> dict:
    entry: dict = {"name": song.name}
    for signal in SIGNALS:
        frames = magnitudes(getattr(song, signal), song.rate, geometry).T.contiguous().numpy()
        path = folder / f"{signal}.f32"
        with open(path, "r+b" if path.exists() else "w+b") as file:
            file.seek(start * geometry.bins * ITEM)
            file.write(frames.tobytes())
            file.flush()
            os.fsync(file.fileno())
        entry |= {"frames": len(frames), signal: hashlib.sha256(frames.tobytes()).hexdigest()}
    return entry


def _read_index(folder: Path) -> dict | None:
    path = folder / "index.json"
    try:
        return json.loads(path.read_text()) if path.exists() else None
    except ValueError as error:
        raise DataError(f"{path} is not whole JSON; delete the folder and build the store again.") from error


def magnitudes(samples: np.ndarray, rate: int, geometry: Geometry) -> Tensor:
    """Magnitudes `(bins, frames)`, float32, of mono samples at `rate` Hz."""
    return geometry.stft(geometry.resample(samples, rate)).abs()
