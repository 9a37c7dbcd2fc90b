"""A matrix as one byte an entry, deflated, which a page can carry at full resolution."""

import zlib

import numpy as np
from numpy.typing import NDArray

LEVELS = 127
WIDEST = 84.0  # dB below the peak; what is smaller becomes zero


def quantise(matrix: NDArray[np.floating]) -> dict[str, object]:
    """The code of a matrix `(bins, bins)`: `code` (deflated bytes, rows first), `bins`, `peak` and `range` in dB.

    A byte's low seven bits are 0 for zero, else a level from 1 (`range` dB below the peak) to 127 (the peak); its high
    bit is set for negative entries. A level is 0.67 dB wide at most, so an entry is off by 4 % at most and sums over
    many of them, TOD-R among them, by far less.
    """
    magnitude = np.abs(matrix, dtype=float)
    peak = magnitude.max() or 1.0
    with np.errstate(divide="ignore"):
        level = 20 * np.log10(magnitude / peak)
    heard = level[np.isfinite(level)]
    span = float(np.clip(-np.quantile(heard, 0.001), 1.0, WIDEST)) if heard.size else WIDEST
    steps = np.clip(np.round(LEVELS + np.maximum(level, -2 * WIDEST) * (LEVELS - 1) / span), 0, LEVELS)
    code = steps.astype(np.uint8) | (np.signbit(matrix).astype(np.uint8) << 7)
    return {"bins": len(matrix), "peak": float(peak), "range": span, "code": zlib.compress(code.tobytes(), 9)}
