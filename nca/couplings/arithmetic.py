"""The form in which the products are computed: rounded beside full precision, and padded for a GPU's matrix units."""

import torch
from torch import Tensor
from torch.nn.functional import pad

from nca.errors import ParameterError
from nca.products import alignment

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def product_type(precision: str | None, model: torch.dtype) -> torch.dtype:
    """The type of the products; None is the model's own.

    Raises:
        ParameterError: for a precision that is not in PRECISIONS.
    """
    if precision is None:
        return model
    if precision not in PRECISIONS:
        raise ParameterError(
            f"precision is {precision!r}; choose one of {', '.join(PRECISIONS)}, or none for the model's own."
        )
    return PRECISIONS[precision]


def aligned(matrix: Tensor) -> Tensor:
    """The matrix `(..., rows, columns)` with rows and columns of zeros up to the device's alignment.

    Zeros in weights, biased weights, P, mixture and output stay zeros through every product, gate, sign and Adam step,
    and add nothing to any sum, so a strategy that is run on padded matrices does what it would have done without.
    """
    multiple = alignment(matrix.device)
    rows, columns = (-side % multiple for side in matrix.shape[-2:])
    return pad(matrix, (0, columns, 0, rows)) if rows or columns else matrix


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
