"""The spectrogram store: the magnitudes of a data set on disk, computed once, read frame by frame through memory maps.

A store is a folder with one file for the mixture and one for the voice (frames x bins, `.f32` or `.f16`, song behind
song) and `index.json`, which lists the complete songs with the digests of their spectra.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from torch import Tensor

from nca.errors import DataError
from nca.spectra.geometry import Geometry
from nca.spectra.memmap import Frames
from nca.spectra.scale import CHUNK, band_deviation
from nca.support.files import read_json
from nca.support.kinds import check_kinds
from nca.support.memory import free_memory

INDEX = {"data": "str", "geometry": "dict", "songs": "list[dict]", "complete": "bool"}
SONG = {"name": "str", "frames": "int"}
SIGNALS = ("mixture", "voice")
STORED_PRECISIONS = {"float32": "f32", "float16": "f16"}  # of magnitudes on disk, and how their files end
SHARE = 0.7  # of a GPU's free memory that spectra may take; the rest is for what training adds
PIECE = 2**22  # bytes hashed at once


@dataclass(frozen=True)
class SpectrogramStore:
    """Training frames of a data set, memory-mapped.

    Attributes:
        geometry: of the transform that made them.
        mixture, voice: magnitudes `(frames, bins)`, float32 or float16.
        songs: for each song its name and its number of frames, in order.
        skipped: names of the songs that were left out because they have no voice.
    """

    geometry: Geometry
    mixture: np.ndarray
    voice: np.ndarray
    songs: tuple[tuple[str, int], ...]
    skipped: tuple[str, ...] = ()

    def scale(self) -> Tensor:
        """Standard deviation of the mixture's bands `(bins, 1)`, which scales mixture and voice alike."""
        return band_deviation(self.mixture)

    def to(self, device: torch.device | str) -> tuple[np.ndarray, np.ndarray] | tuple[Tensor, Tensor]:
        """Mixture and voice as training is to read them on `device`.

        Tensors `(frames, bins)` on a GPU, in the store's precision, where both fit into 70 % of its free memory; else,
        and on a CPU, for which the memory maps are as fast, the memory maps. Build the model first, so that the memory
        it takes is not counted as free.
        """
        where, needed = torch.device(device), self.mixture.nbytes + self.voice.nbytes
        if where.type == "cpu" or needed > SHARE * free_memory(where):
            return self.mixture, self.voice
        return _moved(self.mixture, where), _moved(self.voice, where)


def open_store(folder: Path | str, verify: bool = False) -> SpectrogramStore:
    """Open a complete store.

    With `verify`, every frame is read and compared with its song's digest, at the disk's speed.

    Raises:
        DataError: where there is none, it is unfinished, a file is shorter than its index says, or its content is
            not what was written.
    """
    folder = Path(folder)
    index = read_index(folder)
    if not index or not index["complete"]:
        raise DataError(f"The spectrogram store {folder} is missing or unfinished; build it with build_store.")
    geometry, dtype = Geometry.read(index["geometry"], folder), np.dtype(index["precision"])
    songs = [song for song in index["songs"] if song["frames"]]
    frames = sum(song["frames"] for song in songs)
    if not frames:
        raise DataError(f"{folder} holds no frames, for no song of the data set has a voice; add songs to it.")
    maps = {}
    for signal in SIGNALS:
        path = signal_file(folder, signal, index["precision"])
        if not path.exists() or path.stat().st_size < frames * geometry.bins * dtype.itemsize:
            raise DataError(f"{path} is shorter than its index says; delete the folder and build the store again.")
        if verify:
            _compare(path, [(s["name"], s["frames"] * geometry.bins * dtype.itemsize, s[signal]) for s in songs])
        maps[signal] = Frames(path, dtype, "r", shape=(frames, geometry.bins))
    skipped = tuple(song["name"] for song in index["songs"] if not song["frames"])
    return SpectrogramStore(geometry, **maps, songs=tuple((s["name"], s["frames"]) for s in songs), skipped=skipped)


def signal_file(folder: Path, signal: str, precision: str) -> Path:
    """Where a store of that precision keeps a signal."""
    return folder / f"{signal}.{STORED_PRECISIONS[precision]}"


def read_index(folder: Path) -> dict | None:
    """What `index.json` says, or None where there is none.

    Raises:
        DataError: where it is not complete.
    """
    path = folder / "index.json"
    if not path.exists():
        return None
    try:
        index = read_json(path, INDEX)
        index.setdefault("precision", "float32")  # stores made before there was a choice
        for song in index["songs"]:
            check_kinds(song, SONG | (dict.fromkeys(SIGNALS, "str") if song.get("frames") else {}), "a song")
        return index
    except DataError as error:
        raise DataError(
            f"{path} is not a complete index; delete the folder and build the store again ({error})"
        ) from error


def _compare(path: Path, songs: list[tuple[str, int, str]]) -> None:
    """Raise where a song's bytes have changed; `songs` has the name, length and digest of each in their order."""
    with path.open("rb") as file:
        for name, length, digest in songs:
            if _digest(file, length) != digest:
                raise DataError(f"{path} was altered in {name}; delete the folder and build the store again.")


def _digest(file: BinaryIO, length: int) -> str:
    total = hashlib.sha256()
    for start in range(0, length, PIECE):
        total.update(file.read(min(PIECE, length - start)))
    return total.hexdigest()


def _moved(frames: np.ndarray, device: torch.device) -> Tensor:
    """A copy on the device, chunk by chunk, so that the host never holds all of it."""
    copy = torch.empty(frames.shape, dtype=getattr(torch, frames.dtype.name), device=device)
    for start in range(0, len(frames), CHUNK):
        copy[start : start + CHUNK] = torch.from_numpy(np.array(frames[start : start + CHUNK]))
    return copy
