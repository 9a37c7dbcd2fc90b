"""The form in which a device multiplies matrices: in which precision, and padded to which sides."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from nca.errors import ParameterError

PRECISIONS = {"float32": torch.float32, "tf32": torch.float32, "bfloat16": torch.bfloat16}
GPU_MULTIPLE = 64


def check_precision(precision: str) -> None:
    """Raise a ParameterError for a precision that is not in PRECISIONS."""
    if precision not in PRECISIONS:
        raise ParameterError(f"precision is {precision!r}; choose one of {', '.join(PRECISIONS)}.")


def alignment(device: torch.device) -> int:
    """What the sides of matrices are padded to a multiple of: unaligned rows keep a GPU's matrix units idle."""
    return GPU_MULTIPLE if device.type == "cuda" else 1


def padded(side: int, device: torch.device) -> int:
    """A side of a matrix with its padding: zeros, which stay zeros in every step and change no sum."""
    return side + -side % alignment(device)


@contextmanager
def products(precision: str) -> Iterator[None]:
    """TF32 in float32 products where it is wanted, on devices that have it, and only within."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if precision == "tf32" else before)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
