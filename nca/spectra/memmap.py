"""Magnitudes on disk, read frame by frame at the memory's speed without holding on to what was read."""

import mmap
from typing import Any

import numpy as np

HELD = 2**27  # bytes of pages kept mapped before all are let go


class Frames(np.memmap):
    """A memory map `(frames, bins)`, float32 or float16, whose resident memory does not grow with its file.

    A process counts the pages of a map that it has touched as its own until it lets them go. Slices are views of the
    map, which lets go of its pages after every 128 MB. Frames by their numbers, as a shuffled batch takes them, are
    read from the file instead: each would bring up to 2 MB of neighbours into the map.
    """

    _mmap: mmap.mmap | None
    _touched = 0

    def __getitem__(self, index: Any) -> Any:
        if isinstance(self.base, mmap.mmap) and isinstance(index, np.ndarray) and index.dtype.kind in "iu":
            return self._read(index)
        chosen = super().__getitem__(index)
        if not isinstance(chosen, Frames):
            return chosen
        self._count(chosen.nbytes)
        return chosen if chosen._mmap is not None else chosen.view(np.ndarray)

    def _read(self, numbers: np.ndarray) -> np.ndarray:
        """The frames of these numbers, `(*numbers.shape, bins)`."""
        if numbers.size and not 0 <= numbers.min() <= numbers.max() < len(self):
            raise IndexError(f"There are {len(self)} frames, and number {numbers.min()} or {numbers.max()} is none.")
        chosen, size = np.empty((*numbers.shape, self.shape[-1]), self.dtype), self.strides[0]
        places = memoryview(chosen.view(np.uint8).reshape(-1).data)
        with open(str(self.filename), "rb", buffering=0) as file:
            for place, number in enumerate(numbers.ravel().tolist()):
                file.seek(number * size)
                file.readinto(places[place * size : (place + 1) * size])
        return chosen

    def _count(self, touched: int) -> None:
        """Note what a slice touches; pages may go at any time, for a view that is read later fetches them."""
        self._touched += touched
        if self._touched > HELD and self._mmap is not None:
            self._mmap.madvise(mmap.MADV_DONTNEED)
            self._touched = 0
