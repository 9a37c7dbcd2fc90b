"""The exact mapping of a ReLU network: for each frame the matrix and the offset that it really applies.

With D_l the 0/1 diagonal matrix of the units of layer l that are open at frame t (the G of Eq. 14, known here instead
of learnt), y_t = C_t x_t + c_t holds to rounding, where C_t = D_L W_L ... D_1 W_1 and c_t gathers the biases. Its mean
over the frames is the standard by which the strategies of the NCA are judged.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from nca.couplings import Couplings
from nca.couplings.chain import identity_of, transmit
from nca.couplings.network import Network, apply_decoded
from nca.couplings.problem import prepare_chain
from nca.models import Block, Chain, Layer, gates


@dataclass(frozen=True)
class FrameMapping:
    """The mapping of one frame: `matrix` C_t `(out, bins)` and `offset` c_t `(out,)`."""

    matrix: Tensor
    offset: Tensor


@torch.no_grad()
def frame_mappings(model: Network, mixture: Tensor) -> Iterator[FrameMapping]:
    """The exact mapping of each frame of a segment `(bins, frames)`, one at a time: Eq. (14) with its gates known.

    Raises:
        ParameterError, DataError: see :func:`nca.couplings.problem.prepare_chain`.
    """
    _, chain = prepare_chain(model, mixture)
    opened = gates(chain, mixture)
    identity = identity_of(chain)
    for t in range(mixture.shape[-1]):
        D = [each[:, t : t + 1] for each in opened]
        c = transmit(chain, iter(D), torch.zeros_like(mixture[:, :1]), biased=True)
        yield FrameMapping(transmit(chain, iter(D), identity), c.flatten())


@torch.no_grad()
def offsets(model: Network, mixture: Tensor) -> Tensor:
    """The offsets c_t `(..., out, frames)`: what the biases alone make, through the gates that each frame opens.

    Raises:
        ParameterError, DataError: see :func:`nca.couplings.problem.prepare_chain`.
    """
    _, chain = prepare_chain(model, mixture)
    return _offsets(chain, mixture)


def _offsets(chain: Chain, mixture: Tensor) -> Tensor:
    return transmit(chain, iter(gates(chain, mixture)), torch.zeros_like(mixture), biased=True)


@torch.no_grad()
def offset_share(model: Network, mixture: Tensor) -> Tensor:
    """What the offsets carry of the output `(...)`: norm of all c_t over norm of all y_t; 0 where the output is silent.

    It exceeds 1 where the C_t take away part of what the offsets make.

    Raises:
        ParameterError, DataError: see :func:`nca.couplings.problem.prepare_chain`.
    """
    problem, chain = prepare_chain(model, mixture)
    output = problem.output.norm(dim=(-2, -1))
    carried = _offsets(chain, problem.mixture).norm(dim=(-2, -1))
    return torch.where(output > 0, carried / output, torch.zeros_like(output))


@torch.no_grad()
def mean_mapping(model: Network, mixture: Tensor) -> Couplings:
    """Mean over the frames of the exact C_t, for mixture `(..., bins, frames)`.

    Closed form for one hidden layer, `(W_dec * (D_dec @ D_enc.T) / T) @ W_enc`, inside a residual block as well; for
    more, a product over the open units of each frame, or over all where there are several blocks. For SF this is the
    mapping to the mask; :func:`mean_jacobian` has the one to the voice.

    Raises:
        ParameterError, DataError: see :func:`nca.couplings.problem.prepare_chain`.
    """
    problem, chain = prepare_chain(model, mixture)
    return Couplings("mean exact mapping", _mean(chain, gates(chain, problem.mixture)))


@torch.no_grad()
def mean_jacobian(model: Network, mixture: Tensor) -> Couplings:
    """Mean over the frames of the exact derivative of the voice by the mixture, `(..., bins, bins)`.

    With the voice v a function of output and mixture, entry by entry, it is diag(dv/dx_t) + diag(dv/dy_t) C_t: for SF
    diag(m_t) + diag(x_t) C_t, the mask and what it does when the mixture changes; for a model whose output is the
    voice the :func:`mean_mapping`. So it asks the same of every model: the map from mixture to voice.

    Raises:
        ParameterError, DataError: see :func:`nca.couplings.problem.prepare_chain`.
    """
    (x, y, batch), chain = prepare_chain(model, mixture)
    x = x.expand(*batch, *x.shape[-2:])  # a derivative for each model of a batch, not their sum
    with torch.enable_grad():
        inputs = y.detach().requires_grad_(), x.detach().requires_grad_()
        voice = apply_decoded(model, *inputs)
        by_output, by_mixture = torch.autograd.grad(voice.sum(), inputs, materialize_grads=True)
    opened = gates(chain, x)
    opened[-1] = opened[-1] * by_output
    return Couplings("mean exact Jacobian", torch.diag_embed(by_mixture.mean(-1)) + _mean(chain, opened), "voice")


def _mean(chain: Chain, opened: list[Tensor]) -> Tensor:
    """Mean over the frames of C_t `(..., out, bins)`; the last gates may be weighted."""
    frames = opened[-1].shape[-1]
    if len(chain) == 1 and isinstance(chain[0], Block):  # D (I + C) is D, and C with its last gates weighted
        *inner, last, own = opened
        return torch.diag_embed(own.mean(-1)) + _mean(chain[0].chain, [*inner, last * own])
    plain = [part for part in chain if isinstance(part, Layer)]
    if len(plain) < len(chain):
        return _sum_of_products(chain, opened, frames) / frames
    if len(plain) == 1:
        return opened[-1].mean(-1, keepdim=True) * plain[0].weight
    if len(plain) == 2:
        agreement = opened[1] @ opened[0].mT / frames
        return (plain[1].weight * agreement) @ plain[0].weight
    return _sum_over_frames(plain, opened) @ plain[0].weight / frames


def _sum_of_products(chain: Chain, opened: list[Tensor], frames: int) -> Tensor:
    """Sum over frames of C_t `(..., out, bins)`, each by products of complete matrices."""
    identity = identity_of(chain)
    return sum(transmit(chain, iter([D[..., t : t + 1] for D in opened]), identity) for t in range(frames))  # type: ignore[return-value]


def _sum_over_frames(chain: list[Layer], opened: list[Tensor]) -> Tensor:
    """Sum over frames of D_L W_L ... W_2 D_1 `(..., out, width)`, for a batch of segments or models."""
    batch = opened[-1].shape[:-2]
    weights, gating = (
        [each.expand(*batch, *each.shape[-2:]).reshape(-1, *each.shape[-2:]) for each in matrices]
        for matrices in ([W for W, _, _ in chain], opened)
    )
    sums = [_sum_of_one([W[i] for W in weights], [D[i] for D in gating]) for i in range(batch.numel())]
    return torch.stack(sums).reshape(*batch, *sums[0].shape)


def _sum_of_one(weights: list[Tensor], opened: list[Tensor]) -> Tensor:
    """The sum for one segment and one model; each frame's product runs over its open units only."""
    total = weights[-1].new_zeros(weights[-1].shape[0], weights[0].shape[0])
    for t, last in enumerate(opened[-1].mT):
        units = [D[:, t].nonzero().flatten() for D in opened]
        product = last[units[-1], None] * weights[-1][units[-1][:, None], units[-2]]
        for depth in range(len(weights) - 2, 0, -1):
            product = product @ weights[depth][units[depth][:, None], units[depth - 1]]
        total[units[-1][:, None], units[0]] += product
    return total
