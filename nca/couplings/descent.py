"""The loop of Algorithm 1, the same for both strategies, and the solver A that it is handed."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor
from torch.optim import Adam, Optimizer
from tqdm import trange

from nca.errors import ParameterError
from nca.support.precision import products

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


class Variable:
    """A matrix that Adam moves: a master copy with its gradient, and the rounded copy that the products read.

    Where both have the same type there is one matrix and nothing is copied. The rounded copy is read before its
    gradient is computed, so it holds the rounded gradient as well.
    """

    def __init__(self, master: Tensor, dtype: torch.dtype) -> None:
        self.master = master
        self.gradient = self.master.grad = torch.empty_like(master)
        same = dtype == master.dtype
        self._rounded = master if same else torch.empty_like(master, dtype=dtype)
        self._gradient = self.gradient if same else self._rounded

    def value(self) -> Tensor:
        """The matrix as the products take it."""
        return self._rounded.copy_(self.master)

    def differentiate(self, left: Tensor, right: Tensor) -> None:
        """Set the gradient to `left @ right`."""
        torch.matmul(left, right, out=self._gradient)
        self.gradient.copy_(self._gradient)


class Descent(ABC):
    """A strategy under way.

    A subclass sets `optimizer`, over the matrices whose gradients `differentiate` sets, and the `precision` of its
    products.
    """

    optimizer: Optimizer
    precision: str | None

    @abstractmethod
    def differentiate(self) -> Tensor:
        """E `(...)` of Eq. (15) at the current matrices; sets their gradients."""

    @abstractmethod
    def matrix(self) -> Tensor:
        """C `(..., out, bins)` at the current matrices."""

    def step(self) -> Tensor:
        """One step of the solver; returns E before it."""
        with products(self.precision):
            return torch.as_tensor(self.optimizer.step(self.differentiate))  # type: ignore[arg-type]

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
