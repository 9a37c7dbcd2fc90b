"""The loop of Algorithm 1, the same for both strategies."""

from typing import Protocol

import torch
from torch import Tensor
from tqdm import trange


class Descent(Protocol):
    """A strategy under way: each step returns the loss E `(...)` before it."""

    def step(self) -> Tensor: ...


def descend(descent: Descent, iterations: int, label: str | None) -> Tensor:
    """The losses `(..., iterations)` of so many steps; a label shows a bar."""
    return torch.stack([descent.step() for _ in trange(iterations, desc=label, disable=label is None)], -1)
