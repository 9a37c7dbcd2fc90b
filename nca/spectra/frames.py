"""Magnitudes on disk, read frame by frame at the memory's speed without holding on to what was read."""

import mmap
from typing import Any

import numpy as np

HELD = 2**27  # bytes of pages kept mapped before all are let go
FAULT = 2**16  # bytes that Linux maps around each page that is touched


class Frames(np.memmap):
    """A memory map `(frames, bins)`, float32 or float16, whose resident memory does not grow with its file.

    A process counts the pages of a map that it has touched as its own until it lets them go, so that a shuffled pass
    over a plain map ends with the whole file in it. This one lets go of its pages after every 128 MB; they stay in
    the system's cache, from which a page comes back in microseconds.
    """

    _mmap: mmap.mmap | None
    _touched = 0

    def __getitem__(self, index: Any) -> Any:
        chosen = super().__getitem__(index)
        if not isinstance(chosen, Frames):
            return chosen
        self._count(chosen)
        return chosen if chosen._mmap is not None else chosen.view(np.ndarray)

    def _count(self, chosen: np.ndarray) -> None:
        """Note what reading `chosen` touches; pages may go at any time, for a view that is read later fetches them."""
        rows = chosen.size // self.shape[-1]
        self._touched += chosen.nbytes + rows * FAULT
        if self._touched > HELD and self._mmap is not None:
            self._mmap.madvise(mmap.MADV_DONTNEED)
            self._touched = 0
