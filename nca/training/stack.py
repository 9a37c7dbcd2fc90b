"""Many initialisations as one stack of parameters, moved by Adam in one pass over all of them."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import groupby

import torch
from torch import Tensor
from torch.optim.adam import adam


def mean_squared_error(voice: Tensor, estimate: Tensor) -> Tensor:
    """Mean over bins and frames `(...)` of the squared difference of spectra `(..., bins, frames)`, Eq. (3)."""
    return (voice - estimate).square().mean((-2, -1))


class Stack(ABC):
    """The parameters, gradients and moments of a batch of initialisations `(instances, ...)`.

    The first rows of the stack are the instances that still train, those of one learning rate side by side, so that
    each step works on whole slices and the finished ones cost nothing.

    Args:
        parameters: of all instances, in their order.
        width: bins with their padding.
        betas: Adam's decay rates of the first and second moments.

    Attributes:
        rows: which instance of the model each row of the stack is.
        steps: that the rows in training have made.
    """

    def __init__(self, parameters: list[Tensor], width: int, betas: tuple[float, float]) -> None:
        self.parameters, self.width, self.betas = parameters, width, betas
        self.rows = list(range(len(parameters[0])))
        self.gradients = [torch.zeros_like(p) for p in parameters]
        self.moments = [[torch.zeros_like(p) for p in parameters] for _ in range(2)]
        self.steps = 0

    @abstractmethod
    def step(self, mixture: Tensor, voice: Tensor, rates: Sequence[float]) -> Tensor:
        """One Adam step of the first rows on spectra `(rows, width, frames)`; their losses `(rows,)` before it."""

    @torch.no_grad()
    def arrange(self, rows: Sequence[int]) -> None:
        """Bring the instances into another order."""
        if list(rows) == self.rows:
            return
        order = torch.tensor([self.rows.index(row) for row in rows]).to(self.parameters[0].device)
        for tensors in (self.parameters, *self.moments):
            for tensor, spare in zip(tensors, self.gradients, strict=True):
                tensor.copy_(torch.index_select(tensor, 0, order, out=spare))
        self.rows = list(rows)

    def restore(self) -> None:
        """Give the model its parameters, in its own order."""
        self.arrange(range(len(self.rows)))

    def tensors(self, training: int) -> dict[str, Tensor]:
        """What a checkpoint holds: all parameters, and the moments of the first rows."""
        moments = {f"moment{i}.{j}": m[:training] for i, of in enumerate(self.moments, 1) for j, m in enumerate(of)}
        return {f"parameter.{j}": p for j, p in enumerate(self.parameters)} | moments

    @torch.no_grad()
    def load(self, tensors: dict[str, Tensor], rows: Sequence[int], steps: int) -> None:
        """Take over what :meth:`tensors` gave, of instances in the order of `rows`, after so many steps."""
        own = self.tensors(len(self.rows))
        for name, tensor in tensors.items():
            own[name][: len(tensor)].copy_(tensor)
        self.rows, self.steps = list(rows), steps

    def _descend(self, rates: Sequence[float]) -> None:
        """Adam (Kingma and Ba), one pass over the rows of each learning rate."""
        stop = 0
        for rate, same in groupby(rates):
            part = slice(stop, stop := stop + len(list(same)))
            values, slopes, first, second = (
                [tensor[part] for tensor in tensors] for tensors in (self.parameters, self.gradients, *self.moments)
            )
            counts = values[0].new_full((len(values),), self.steps).unbind()
            adam(
                values,
                slopes,
                first,
                second,
                [],
                list(counts),
                fused=True,
                amsgrad=False,
                maximize=False,
                beta1=self.betas[0],
                beta2=self.betas[1],
                lr=rate,
                weight_decay=0.0,
                eps=1e-8,
            )
        self.steps += 1
