"""Per-band standardisation: every frequency sub-band has unit variance over the training frames (Sec. 4.1)."""

import numpy as np
import torch
from torch import Tensor

from nca.errors import DataError

CHUNK = 2048  # frames a pass holds at once, so that memory does not grow with the corpus


def band_deviation(frames: np.ndarray) -> Tensor:
    """Standard deviation of each band over the frames, in double precision and one pass (Chan et al.'s update).

    Args:
        frames: magnitudes `(frames, bins)`, in memory or memory-mapped.

    Returns:
        Tensor `(bins, 1)`, float32: divide magnitudes `(..., bins, frames)` by it. A band that never changes gets 1.

    Raises:
        DataError: where there are no frames.
    """
    if len(frames) == 0:
        raise DataError("There are no training frames to fit the scale of the bands on; add songs to train/.")
    count, mean, scatter = 0, np.zeros(frames.shape[1]), np.zeros(frames.shape[1])
    for start in range(0, len(frames), CHUNK):
        chunk = np.asarray(frames[start : start + CHUNK], dtype=np.float64)
        shift = chunk.mean(axis=0) - mean
        total = count + len(chunk)
        mean += shift * len(chunk) / total
        scatter += ((chunk - chunk.mean(axis=0)) ** 2).sum(axis=0) + shift**2 * count * len(chunk) / total
        count = total
    deviation = np.sqrt(scatter / count)
    deviation[deviation == 0] = 1.0
    return torch.from_numpy(deviation.astype(np.float32)[:, None])
