"""What goes into every strategy and what comes out: checked spectra, random matrices of Algorithm 1, couplings."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from nca.couplings.chain import layers
from nca.couplings.network import Network, cannot_take, check_ready, decode, input_bins
from nca.errors import DataError, ParameterError
from nca.models import Chain, Model, Separator, propagate
from nca.support.memory import out_of_memory

Seeds = int | Sequence[int] | Tensor


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


class Problem(NamedTuple):
    """Eq. (15): mixture `(..., bins, frames)`, output y `(..., out, frames)`, and their common batch shape."""

    mixture: Tensor
    output: Tensor
    batch: torch.Size


@torch.no_grad()
def prepare_problem(network: Network, mixture: Tensor) -> Problem:
    """Check the mixture and let the network speak once: y <- M(x), the first line of Algorithm 1.

    Raises:
        ParameterError: for a mixture that is no tensor, has no frames, another number of bins than the network takes,
            or another type or device; for a network that is not ready (:func:`nca.couplings.network.check_ready`), that
            does not take the mixture or keep its frames, or whose decoded output is not what its own forward makes.
        DataError: for magnitudes that are negative or not finite, and an output that is not finite.
    """
    check_ready(network)
    _check_mixture(network, mixture)
    mixture = mixture.detach()
    output = _output(network, mixture)
    if isinstance(network, Model):
        _check_same(network.voice(output, mixture), network(mixture), mixture, "voice of its decoded output")
    return Problem(mixture, output, output.shape[:-2])


@torch.no_grad()
def prepare_chain(network: Network, mixture: Tensor) -> tuple[Problem, Chain]:
    """The problem, and the chain of layers that makes its output.

    Raises:
        ParameterError, DataError: as :func:`prepare_problem`, and for a network that is no such chain, as
            :func:`nca.couplings.chain.layers`.
    """
    chain = layers(network)
    problem = prepare_problem(network, mixture)
    if not isinstance(network, Separator):  # whose decoded output is the chain's, and compared already
        _check_same(propagate(chain, problem.mixture), problem.output, problem.mixture, "chain of its layers")
    return problem, chain


def _check_mixture(network: Network, mixture: Tensor) -> None:
    if not isinstance(mixture, Tensor):
        raise ParameterError(f"The mixture is a {type(mixture).__name__}; give a tensor, as torch.as_tensor makes one.")
    if not mixture.is_floating_point():
        raise ParameterError(f"The mixture is {mixture.dtype}; give magnitudes as floating-point numbers.")
    bins, shape = input_bins(network), tuple(mixture.shape)
    if len(shape) < 2 or shape[-1] < 1 or bins not in (None, shape[-2]):
        hint = "; it is transposed, give mixture.mT" if len(shape) > 1 and shape[-1] == bins else ""
        raise ParameterError(
            f"The mixture must be (..., {bins or 'any number of'} bins, at least one frame) for this model,"
            f" not {shape}{hint}."
        )
    first = next(network.parameters(), None) if isinstance(network, nn.Module) else None
    if first is not None and (mixture.dtype, mixture.device) != (first.dtype, first.device):
        raise ParameterError(
            f"The mixture is {mixture.dtype} on {mixture.device} and the model {first.dtype} on {first.device};"
            f" everything is computed where both are, so convert one with .to(), as mixture.to('{first.device}',"
            f" {first.dtype})."
        )
    if not torch.isfinite(mixture).all() or (mixture < 0).any():
        raise DataError(
            "The mixture holds magnitudes that are negative or not finite; give magnitudes of finite samples."
        )


def _output(network: Network, mixture: Tensor) -> Tensor:
    try:
        output = decode(network, mixture)
    except (RuntimeError, AssertionError, ValueError, TypeError, IndexError) as error:
        if out_of_memory(error):
            raise
        raise cannot_take(mixture, error) from error
    if not isinstance(output, Tensor) or output.ndim < 2 or output.shape[-1] != mixture.shape[-1]:
        made = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        raise ParameterError(
            f"The network must make (..., out, {mixture.shape[-1]} frames) of the mixture {tuple(mixture.shape)}, not"
            f" {made}; wrap it in a function that does."
        )
    if output.dtype != mixture.dtype or output.device != mixture.device:
        raise ParameterError(
            f"The network gives {output.dtype} on {output.device} for a mixture of {mixture.dtype} on {mixture.device};"
            " give real magnitudes or a real mask, of the mixture's type and on its device."
        )
    if not torch.isfinite(output).all():
        raise DataError("The network's output is not finite on this mixture; look at its weights.")
    return output


def _check_same(described: Tensor, own: Tensor, mixture: Tensor, name: str) -> None:
    """Refuse a description of a network that, to rounding, is not what the network computes."""
    rounding = torch.finfo(own.dtype).eps
    tolerance = rounding**0.5 * own.abs().max() + rounding * mixture.shape[-2] * mixture.max()
    if described.shape != own.shape or not (described - own).abs().max() <= tolerance:
        raise ParameterError(
            f"The {name} is not what the network's own forward makes of the mixture: it has a method or hooks of its"
            " own. Wrap it in a function of the mixture, which nca.student takes as it is."
        )


def couplings_memory(bins: int, frames: int, depth: int, strategy: str, float_bytes: int = 4) -> int:
    """Bytes that the couplings of one segment by one strategy need at most.

    The compositional strategy takes 8 L' + 8 matrices of N x N, any other L' + 8, the network included; one more is the
    exact mapping, which all are compared with. To these come 2 L' + 8 spectra of N x T.

    Args:
        bins: N.
        frames: T.
        depth: number of layers L'.
        strategy: its name.
        float_bytes: size of a number.
    """
    matrices = (8 * depth if strategy.startswith("compositional") else depth) + 9
    return float_bytes * (matrices * bins**2 + (2 * depth + 8) * bins * frames)


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
        return torch.eye(rows, columns).to(like).repeat(*batch, 1, 1)
    raise ParameterError(f"initial is {initial!r}; choose one of normal, zeros, identity.")


def random_matrix(rows: int, columns: int, batch: torch.Size, seeds: Seeds, stream: int, like: Tensor) -> Tensor:
    """`rnd` of Algorithm 1: normal entries scaled by sqrt(1/N), `(*batch, rows, columns)`, N the number of columns.

    One seed gives every element of the batch the same matrix, a sequence of seeds gives each its own. The bits depend
    on the seed and on `stream` (which of a run's matrices this is), on neither batch nor device.
    """
    given = _spread(seeds, batch)
    matrices = torch.empty(len(given), rows, columns)
    for index, seed in enumerate(given):
        torch.randn(rows, columns, generator=torch.Generator().manual_seed((seed << 8) + stream), out=matrices[index])
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
