"""Training frames as a step takes them: shuffled, standardised, one batch an instance."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

Signal = np.ndarray | Tensor


def shuffles(frames: int, seeds: Sequence[int], epoch: int, block: int = 1) -> Tensor:
    """Frame numbers `(instances, frames)`, int32, of one epoch; a shuffle follows from its seed and the epoch alone.

    Shuffled are blocks of `block` consecutive frames; what is left over at the end is left out.
    """
    orders = torch.empty(len(seeds), frames // block, dtype=torch.int32)
    for order, seed in zip(orders, seeds, strict=True):
        torch.randperm(frames // block, generator=_generator(seed, epoch), out=order)
    if block == 1:
        return orders
    return (orders.unsqueeze(-1) * block + torch.arange(block, dtype=torch.int32)).flatten(1)


def surrounded(order: Tensor, block: int, margin: int, frames: int) -> Tensor:
    """The numbers `(instances, ...)` of the blocks of `order`, each with `margin` frames before and after it.

    Beyond the first and the last of all `frames` they are repeated.
    """
    if margin == 0:
        return order
    offsets = torch.arange(-margin, block + margin).to(order)
    return (order[:, ::block].unsqueeze(-1) + offsets).clamp(0, frames - 1).flatten(1)


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
