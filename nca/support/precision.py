"""The form in which a device multiplies matrices: in which precision, and padded to which sides."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.nn.functional import pad

from nca.errors import ParameterError

PRECISIONS = {"float32": torch.float32, "tf32": torch.float32, "bfloat16": torch.bfloat16}
BINS = {"cuda": 64, "cpu": 8}  # sides of N are padded to a multiple of it, by device
FRAMES = {"cuda": 64}  # and those of T
_used: set[str] = set()


def check_precision(precision: str, device: torch.device | None = None) -> None:
    """Raise a ParameterError for a precision that is not in PRECISIONS, or that the device does not have."""
    if precision not in PRECISIONS:
        raise ParameterError(f"precision is {precision!r}; choose one of {', '.join(PRECISIONS)}.")
    if precision == "tf32" and device and device.type != "cuda":
        raise ParameterError("precision is 'tf32', which CUDA devices alone have; choose float32 or bfloat16.")


def product_type(precision: str | None, model: Tensor) -> torch.dtype:
    """The type in which matrices are multiplied; None is that of a matrix of the model.

    Raises:
        ParameterError: as :func:`check_precision`.
    """
    if precision is None:
        return model.dtype
    check_precision(precision, model.device)
    return PRECISIONS[precision]


def alignment(device: torch.device) -> tuple[int, int]:
    """What N and T are padded to multiples of: rows that are not aligned in memory slow a product down.

    On a GPU they keep its matrix units idle; a CPU loses a fifth of its speed at N = 513, a third at N = 2049.
    """
    return BINS.get(device.type, 1), FRAMES.get(device.type, 1)


def padded(bins: int, device: torch.device) -> int:
    """A number of bins with its padding: zeros, which stay zeros in every step and change no sum."""
    return bins + -bins % alignment(device)[0]


def aligned(matrix: Tensor) -> Tensor:
    """A matrix `(..., bins, bins)` with rows and columns of zeros up to the device's alignment.

    Zeros in weights, biased weights, P, mixture and output stay zeros through every product, gate, sign and Adam step,
    and add nothing to any sum, so a strategy that is run on padded matrices does what it would have done without.
    """
    multiple, _ = alignment(matrix.device)
    return _padded(matrix, multiple, multiple)


def aligned_frames(spectra: Tensor) -> Tensor:
    """Spectra `(..., bins, frames)`, padded in the same way."""
    return _padded(spectra, *alignment(spectra.device))


def _padded(matrix: Tensor, *multiples: int) -> Tensor:
    rows, columns = (-side % multiple for side, multiple in zip(matrix.shape[-2:], multiples, strict=True))
    return pad(matrix, (0, columns, 0, rows)) if rows or columns else matrix


@contextmanager
def products(precision: str | None) -> Iterator[None]:
    """TF32 in float32 products where it is wanted, on devices that have it, and only within."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if precision == "tf32" else before)
    _used.add("bfloat16" if precision == "bfloat16" else _in_float32())
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


@contextmanager
def flushed_denormals() -> Iterator[None]:
    """Numbers too small to be normal taken for zero, and only within: CPUs are slow with them."""
    before = (torch.tensor(5e-324, dtype=torch.float64) * 1).item() == 0
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


def precisions_used() -> list[str]:
    """The precisions of products that this process has asked torch for so far; else that of its float32 products."""
    return sorted(_used) or [_in_float32()]


def _in_float32() -> str:
    return "float32" if torch.get_float32_matmul_precision() == "highest" else "tf32"
