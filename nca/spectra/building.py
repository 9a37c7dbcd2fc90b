"""Build the spectrogram store: songs in parallel, written in their order, resumed after an interruption.

The index is replaced atomically after each song, so an interrupted store goes on with the next song, and what lies
behind the last listed frame is never read. Threads compute the songs, since decoders, resampling and transform all run
outside Python's lock; one thread writes, so order and bytes do not depend on their number.
"""

import hashlib
import os
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from filelock import FileLock
from torch import Tensor
from tqdm import tqdm

from nca.data.activity import is_silent
from nca.errors import DataError, ParameterError
from nca.spectra.geometry import Geometry
from nca.spectra.store import SIGNALS, STORED_PRECISIONS, SpectrogramStore, open_store, read_index, signal_file
from nca.support.files import write_json

HALF = np.finfo(np.float16)


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


def build_store(
    songs: Sequence[Song],
    geometry: Geometry,
    folder: Path | str,
    data: str = "",
    precision: str = "float32",
    workers: int | None = None,
) -> SpectrogramStore:
    """Bring the store of `songs` in `folder` to completion and open it; a second process waits for the first.

    A song without a voice is left out by name, on standard error and in :attr:`SpectrogramStore.skipped`.

    `float16` halves the store. Magnitudes are kept as they are, without a factor: those from 6e-5 to 65504 keep 11
    significant bits (a relative error of 0.05 % at most), smaller ones an absolute error of 3e-8. A sine at full scale
    measures half the sum of the window, 553 in the `paper` geometry, and the rounding of 16-bit samples some 2e-4. A
    band of a song that stays below 6e-5 throughout is reported on standard error.

    Args:
        data: a digest of the songs' files, kept in the index to tell one data set from another.
        precision: of the magnitudes on disk, `float32` or `float16`.
        workers: songs computed in parallel, each with all its spectra in memory; as many as torch has threads if None.

    Raises:
        ParameterError: for an unknown precision or fewer than one worker.
        DataError: where the folder holds the store of other songs, another geometry or precision, or cannot be
            written, where a song cannot be read, and where `float16` cannot hold a magnitude. The songs before are
            kept.
    """
    if precision not in STORED_PRECISIONS:
        raise ParameterError(f"precision is {precision!r}; choose one of {', '.join(STORED_PRECISIONS)}.")
    if workers is not None and workers < 1:
        raise ParameterError(f"workers is {workers}; give at least one, or None for as many as torch has threads.")
    folder, origin = Path(folder), {"data": data, "geometry": asdict(geometry), "precision": precision}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "lock"):
            _append_missing(songs, origin, folder, workers or torch.get_num_threads())
    except OSError as error:
        raise DataError(
            f"The spectrogram store {folder} cannot be written ({error.strerror}); free or allow it."
        ) from error
    if not _frames(read_index(folder) or {"songs": []}):
        raise DataError(f"No song of {getattr(songs, 'root', 'the data set')} has a voice: add songs that are sung.")
    return open_store(folder)


def magnitudes(samples: np.ndarray, rate: int, geometry: Geometry) -> Tensor:
    """Magnitudes `(bins, frames)`, float32, of mono samples at `rate` Hz."""
    return geometry.stft(geometry.resample(samples, rate)).abs()


def _append_missing(songs: Sequence[Song], origin: dict, folder: Path, workers: int) -> None:
    index = read_index(folder) or origin | {"songs": [], "complete": False}
    if any(index[key] != value for key, value in origin.items()):
        raise DataError(
            f"{folder} holds the spectra of other songs, of another geometry or precision; choose another folder."
        )
    if index["complete"]:
        return
    done, geometry, start = len(index["songs"]), Geometry(**origin["geometry"]), _frames(index)
    computed = _in_order(songs, range(done, len(songs)), geometry, origin["precision"], workers)
    for entry, frames in tqdm(computed, desc="spectra", unit="song", initial=done, total=len(songs)):
        for signal, chosen in frames.items():
            _write(signal_file(folder, signal, origin["precision"]), start * chosen[0].nbytes, chosen)
        index["songs"].append(entry)
        start += entry["frames"]
        write_json(folder / "index.json", index)
        _tell(entry)
    write_json(folder / "index.json", index | {"complete": True})


def _frames(index: dict) -> int:
    return sum(entry["frames"] for entry in index["songs"])


def _in_order(
    songs: Sequence[Song], numbers: range, geometry: Geometry, precision: str, workers: int
) -> Iterator[tuple[dict, dict[str, np.ndarray]]]:
    """The results of :func:`_compute` in the order of the songs; one is being written while `workers` are computed."""
    waiting: deque[Future] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for number in numbers:
            if len(waiting) == workers:
                yield waiting.popleft().result()
            waiting.append(pool.submit(_compute, songs, number, geometry, precision))
        while waiting:
            yield waiting.popleft().result()


def _compute(
    songs: Sequence[Song], number: int, geometry: Geometry, precision: str
) -> tuple[dict, dict[str, np.ndarray]]:
    """A song's entry in the index and its frames `(frames, bins)` by signal; none where it has no voice."""
    song = songs[number]
    if is_silent(song.voice):
        return {"name": song.name, "frames": 0}, {}
    entry: dict = {"name": song.name}
    frames = {}
    for signal in SIGNALS:
        try:
            spectra = magnitudes(getattr(song, signal), song.rate, geometry).T.contiguous().numpy()
            frames[signal] = spectra if precision == "float32" else _halved(spectra)
        except DataError as error:
            raise DataError(f"{song.name}, {signal}: {error}") from error
        if coarse := _coarse(spectra) if precision == "float16" else 0:
            entry[f"coarse_{signal}"] = coarse
        entry |= {"frames": len(spectra), signal: hashlib.sha256(frames[signal].ravel().data).hexdigest()}
    return entry, frames


def _halved(spectra: np.ndarray) -> np.ndarray:
    if spectra.max() > HALF.max:
        raise DataError(f"A magnitude of {spectra.max():.3g} exceeds half precision; build the store in float32.")
    return spectra.astype(np.float16)


def _coarse(spectra: np.ndarray) -> int:
    """Bands that sound, but stay below the smallest number that half precision holds with all its bits."""
    loudest = spectra.max(axis=0)
    return int(((loudest > 0) & (loudest < HALF.smallest_normal)).sum())


def _tell(entry: dict) -> None:
    """Report a song that was left out or is coarse, beside the progress bar."""
    if not entry["frames"]:
        tqdm.write(f"skipped {entry['name']}: it has no voice", file=sys.stderr)
    for signal in SIGNALS:
        if coarse := entry.get(f"coarse_{signal}"):
            tqdm.write(f"{entry['name']}: {coarse} quiet bands of the {signal} are coarse in float16", file=sys.stderr)


def _write(path: Path, position: int, frames: np.ndarray) -> None:
    with open(path, "r+b" if path.exists() else "w+b") as file:
        file.seek(position)
        file.write(frames.data)
        file.truncate()  # which flushes as well
        os.fsync(file.fileno())
