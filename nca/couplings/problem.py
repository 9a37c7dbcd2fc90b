"""What both strategies start from: checked spectra, the model's output, and the random matrices of Algorithm 1."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from nca.errors import DataError, ParameterError
from nca.models import decode, layers

Seeds = int | Sequence[int] | Tensor


class Problem(NamedTuple):
    """Eq. (15): mixture `(..., bins, frames)`, output y `(..., out, frames)`, and their common batch shape."""

    mixture: Tensor
    output: Tensor
    batch: torch.Size


def pose(model: nn.Module, mixture: Tensor) -> Problem:
    """Check the mixture and let the model speak once: y <- M(x), the first line of Algorithm 1.

    Raises:
        ParameterError: for a mixture without frames, of another number of bins than the model takes, or of another type
            or device than the model's.
        DataError: for magnitudes that are negative or not finite.
    """
    weight = layers(model)[0].weight
    bins = weight.shape[-1]
    if mixture.ndim < 2 or mixture.shape[-1] < 1 or mixture.shape[-2] != bins:
        raise ParameterError(
            f"The mixture must be (..., {bins} bins, at least one frame) for this model, not {tuple(mixture.shape)}."
        )
    if (mixture.dtype, mixture.device) != (weight.dtype, weight.device):
        raise ParameterError(
            f"The mixture is {mixture.dtype} on {mixture.device} and the model {weight.dtype} on {weight.device};"
            " everything is computed where both are, so convert one with .to()."
        )
    if not torch.isfinite(mixture).all() or (mixture < 0).any():
        raise DataError(
            "The mixture holds magnitudes that are negative or not finite; give magnitudes of finite samples."
        )
    with torch.no_grad():
        output = decode(model, mixture)
    return Problem(mixture.detach(), output, output.shape[:-2])


def gates(model: nn.Module, mixture: Tensor) -> list[Tensor]:
    """Which units are open: per layer a tensor `(..., out, frames)` of 0 and 1; all ones where no ReLU follows."""
    x, opened = mixture, []
    for W, b, rectified in layers(model):
        z = W @ x + b
        D = (z > 0).to(z) if rectified else torch.ones_like(z)
        x = D * z
        opened.append(D)
    return opened


def initial_matrix(
    initial: str, rows: int, columns: int, batch: torch.Size, seeds: Seeds, stream: int, like: Tensor
) -> Tensor:
    """What an optimisation starts from, `(*batch, rows, columns)`: a reading of Algorithm 1's `rnd`.

    `normal` is the paper's, :func:`random_matrix`; `zeros` and `identity` are what they say.

    Raises:
        ParameterError: for any other name.
    """
    if initial == "normal":
        return random_matrix(rows, columns, batch, seeds, stream, like)
    if initial == "zeros":
        return like.new_zeros(*batch, rows, columns)
    if initial == "identity":
        return torch.eye(rows, columns, dtype=like.dtype, device=like.device).repeat(*batch, 1, 1)
    raise ParameterError(f"initial is {initial!r}; choose one of normal, zeros, identity.")


def random_matrix(rows: int, columns: int, batch: torch.Size, seeds: Seeds, stream: int, like: Tensor) -> Tensor:
    """`rnd` of Algorithm 1: normal entries scaled by sqrt(1/N), `(*batch, rows, columns)`, N the number of columns.

    One seed gives every element of the batch the same matrix, a sequence of seeds gives each its own. The bits depend
    on the seed and on `stream` (which of a run's matrices this is), on neither batch nor device.
    """
    given = _spread(seeds, batch)
    matrices = torch.empty(len(given), rows, columns)
    for matrix, seed in zip(matrices, given, strict=True):
        torch.randn(rows, columns, generator=torch.Generator().manual_seed((seed << 8) + stream), out=matrix)
    return matrices.div_(columns**0.5).reshape(*batch, rows, columns).to(like)


def _spread(seeds: Seeds, batch: torch.Size) -> list[int]:
    given = torch.as_tensor(seeds).flatten().tolist()
    if len(given) == 1:
        given *= batch.numel()
    if len(given) != batch.numel():
        raise ParameterError(f"Give one seed, or one for each of the {batch.numel()} segments, not {len(given)}.")
    if any(seed < 0 or seed >= 2**55 for seed in given):
        raise ParameterError("A seed must be a whole number from 0 to 2^55 - 1.")
    return given
