"""The static gain: what a constant factor a band separates, the baseline that every model is judged against."""

import numpy as np
import torch
from torch import Tensor

CHUNK = 2048  # frames held at once


def static_gain(mixture: np.ndarray, voice: np.ndarray) -> Tensor:
    """The factor a band `(bins, 1)` that brings the mixture's magnitudes nearest to the voice's in least squares.

    Args:
        mixture, voice: training magnitudes `(frames, bins)`.
    """
    cross, power = np.zeros(mixture.shape[1]), np.zeros(mixture.shape[1])
    for start in range(0, len(mixture), CHUNK):
        x, y = (np.asarray(s[start : start + CHUNK], dtype=np.float64) for s in (mixture, voice))
        cross += (x * y).sum(axis=0)
        power += (x * x).sum(axis=0)
    gain = np.divide(cross, power, out=np.zeros_like(cross), where=power > 0)
    return torch.from_numpy(gain.astype(np.float32)).unsqueeze(-1)
