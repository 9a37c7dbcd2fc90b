"""What every strategy returns."""

from dataclasses import dataclass, replace
from typing import Literal

from torch import Tensor


@dataclass(frozen=True)
class Couplings:
    """A couplings matrix C, which maps mixture magnitudes to a model's output (Sec. 3).

    Attributes:
        strategy: how it was found.
        matrix: C, `(..., out bins, in bins)`.
        target: what C maps the mixture to: the model's `output` (SF's mask, say), or the `voice` itself.
        loss: the L1 error E of Eq. (15) before each iteration, `(..., iterations)`; None where nothing was optimised.
    """

    strategy: str
    matrix: Tensor
    target: Literal["output", "voice"] = "output"
    loss: Tensor | None = None

    def __call__(self, mixture: Tensor) -> Tensor:
        """What C makes of mixture magnitudes `(..., in bins, frames)`: an approximation of its target."""
        return self.matrix @ mixture

    def element(self, index: int) -> "Couplings":
        """The couplings of one element of the leading batch dimension."""
        loss = None if self.loss is None else self.loss[index]
        return replace(self, matrix=self.matrix[index], loss=loss)
