"""Training frames as a step takes them: shuffled, standardised, one batch an instance."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

Signal = np.ndarray | Tensor


def shuffles(frames: int, seeds: Sequence[int], epoch: int) -> Tensor:
    """Frame numbers `(instances, frames)`, int32, of one epoch; a shuffle follows from its seed and the epoch alone."""
    orders = torch.empty(len(seeds), frames, dtype=torch.int32)
    for order, seed in zip(orders, seeds, strict=True):
        torch.randperm(frames, generator=_generator(seed, epoch), out=order)
    return orders


def gather(signal: Signal, order: Tensor, scale: Tensor, width: int) -> Tensor:
    """Frames of a signal `(frames, bins)`, divided by the scale `(bins, 1)`.

    Args:
        order: frame numbers `(instances, batch)`.
        width: what the bins are padded to, with zeros.

    Returns:
        Tensor `(instances, width, batch)`, float32, on the scale's device.
    """
    chosen = signal[order] if isinstance(signal, Tensor) else torch.from_numpy(signal[order.numpy()])
    standardised = chosen.to(scale.device, torch.float32) / scale.mT
    return pad(standardised, (0, width - len(scale))).mT if width > len(scale) else standardised.mT


def _generator(seed: int, epoch: int) -> torch.Generator:
    mixed = np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(mixed >> np.uint64(1)))
