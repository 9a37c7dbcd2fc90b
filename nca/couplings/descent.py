"""The loop of Algorithm 1, the same for both strategies, and the solver A that it is handed."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor
from torch.optim import Adam, Optimizer
from tqdm import trange

from nca.errors import ParameterError

Solver = Callable[[Sequence[Tensor]], Optimizer]
Progress = bool | Callable[[int, Tensor], None]  # a bar or none, or what is called with each iteration's number and E


def adam(learning_rate: float = 4e-4) -> Solver:
    """The paper's solver (Sec. 4.2), in one pass over each matrix.

    Raises:
        ParameterError: for a rate that is not above zero.
    """
    if not learning_rate > 0:
        raise ParameterError(f"learning_rate is {learning_rate}; it must be above zero.")
    return partial(Adam, lr=learning_rate, fused=True)


class Descent(ABC):
    """A strategy under way. A subclass sets `optimizer`, over the matrices whose gradients `differentiate` sets."""

    optimizer: Optimizer

    @abstractmethod
    def differentiate(self) -> Tensor:
        """E `(...)` of Eq. (15) at the present matrices; sets their gradients."""

    @abstractmethod
    def matrix(self) -> Tensor:
        """C `(..., out, bins)` at the present matrices."""

    def step(self) -> Tensor:
        """One step of the solver; returns E before it."""
        loss: Tensor = self.optimizer.step(self.differentiate)  # type: ignore[arg-type, assignment]
        return loss

    def run(self, iterations: int, label: str = "", progress: Progress = False) -> Tensor:
        """The losses `(..., iterations)` of so many steps, shown in a bar or told to `progress` one by one.

        Raises:
            ParameterError: for fewer than one iteration.
        """
        if iterations < 1:
            raise ParameterError(f"iterations is {iterations}; give at least one.")
        losses = []
        for number in trange(1, iterations + 1, desc=label, disable=progress is not True):
            losses.append(self.step())
            if callable(progress):
                progress(number, losses[-1])
        return torch.stack(losses, -1)
