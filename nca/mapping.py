"""The exact mapping of a ReLU network: for each frame the matrix and the offset that it really applies.

With D_l the 0/1 diagonal matrix of the units of layer l that are open at frame t (the G of Eq. 14, known here instead
of learnt), y_t = C_t x_t + c_t holds to rounding, where C_t = D_L W_L ... D_1 W_1 and c_t gathers the biases. Its mean
over the frames is the standard by which the strategies of the NCA are judged.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nca.couplings import Couplings
from nca.couplings.problem import gates, pose
from nca.models import Layer, layers


@dataclass(frozen=True)
class FrameMapping:
    """The mapping of one frame: `matrix` C_t `(out, bins)` and `offset` c_t `(out,)`."""

    matrix: Tensor
    offset: Tensor


@torch.no_grad()
def frame_mappings(model: nn.Module, mixture: Tensor) -> Iterator[FrameMapping]:
    """The exact mapping of each frame of a segment `(bins, frames)`, one at a time: Eq. (14) with its gates known.

    Raises:
        ParameterError, DataError: see :func:`nca.couplings.problem.pose`.
    """
    pose(model, mixture)
    chain, opened = layers(model), gates(model, mixture)
    for t in range(mixture.shape[-1]):
        C = torch.eye(mixture.shape[-2], dtype=mixture.dtype, device=mixture.device)
        c = mixture.new_zeros(mixture.shape[-2], 1)
        for (W, b, _), D in zip(chain, opened, strict=True):
            d = D[:, t : t + 1]
            C, c = d * (W @ C), d * (W @ c + b)
        yield FrameMapping(C, c.squeeze(-1))


@torch.no_grad()
def offsets(model: nn.Module, mixture: Tensor) -> Tensor:
    """The offsets c_t `(..., out, frames)`: what the biases alone make, through the gates that each frame opens."""
    c = torch.zeros_like(mixture)
    for (W, b, _), D in zip(layers(model), gates(model, mixture), strict=True):
        c = D * (W @ c + b)
    return c


def offset_share(model: nn.Module, mixture: Tensor) -> Tensor:
    """What the offsets carry of the output `(...)`: norm of all c_t over norm of all y_t; 0 where the output is silent.

    It exceeds 1 where the C_t take away part of what the offsets make.

    Raises:
        ParameterError, DataError: see :func:`nca.couplings.problem.pose`.
    """
    output = pose(model, mixture).output.norm(dim=(-2, -1))
    carried = offsets(model, mixture).norm(dim=(-2, -1))
    return torch.where(output > 0, carried / output, torch.zeros_like(output))


def mean_mapping(model: nn.Module, mixture: Tensor) -> Couplings:
    """Mean over the frames of the exact C_t, for mixture `(..., bins, frames)`.

    Closed form for one hidden layer, `(W_dec * (D_dec @ D_enc.T) / T) @ W_enc`; for more, a product over the open
    units of each frame. For SF this is the mapping to the mask; :func:`mean_jacobian` has the one to the voice.

    Raises:
        ParameterError, DataError: see :func:`nca.couplings.problem.pose`.
    """
    return Couplings("mean exact mapping", _weighted_mean(model, mixture, None))


def mean_jacobian(model: nn.Module, mixture: Tensor) -> Couplings:
    """Mean over the frames of SF's exact derivative of the voice: diag(m_t) + diag(x_t) C_t, `(..., bins, bins)`.

    The mask is a function of the mixture too, so the voice answers to a change of the mixture by both terms.
    """
    problem = pose(model, mixture)
    through_mask = _weighted_mean(model, mixture, problem.mixture)
    return Couplings("mean exact Jacobian", torch.diag_embed(problem.output.mean(-1)) + through_mask, "voice")


@torch.no_grad()
def _weighted_mean(model: nn.Module, mixture: Tensor, weight: Tensor | None) -> Tensor:
    """Mean over frames of diag(weight_t) C_t; a weight of None is one everywhere."""
    pose(model, mixture)
    chain, opened = layers(model), gates(model, mixture)
    if weight is not None:
        opened[-1] = opened[-1] * weight
    if len(chain) == 1:
        return opened[-1].mean(-1, keepdim=True) * chain[0].weight
    if len(chain) == 2:
        agreement = opened[1] @ opened[0].mT / mixture.shape[-1]
        return (chain[1].weight * agreement) @ chain[0].weight
    return _sum_over_frames(chain, opened) @ chain[0].weight / mixture.shape[-1]


def _sum_over_frames(chain: list[Layer], opened: list[Tensor]) -> Tensor:
    """Sum over frames of D_L W_L ... W_2 D_1 `(..., out, width)`, for a batch of segments or models."""
    batch = opened[-1].shape[:-2]
    weights = [W.expand(*batch, *W.shape[-2:]).flatten(0, -3) if batch else W[None] for W, _, _ in chain]
    gating = [D.expand(*batch, *D.shape[-2:]).flatten(0, -3) if batch else D[None] for D in opened]
    sums = [_sum_of_one([W[i] for W in weights], [D[i] for D in gating]) for i in range(batch.numel())]
    return torch.stack(sums).reshape(*batch, *sums[0].shape)


def _sum_of_one(weights: list[Tensor], opened: list[Tensor]) -> Tensor:
    """The sum for one segment and one model; each frame's product runs over its open units only."""
    total = weights[-1].new_zeros(weights[-1].shape[0], weights[0].shape[0])
    for t in range(opened[0].shape[-1]):
        units = [D[:, t].nonzero().squeeze(-1) for D in opened]
        product = opened[-1][units[-1], t].unsqueeze(-1) * weights[-1][units[-1][:, None], units[-2]]
        for depth in range(len(weights) - 2, 0, -1):
            product = product @ weights[depth][units[depth][:, None], units[depth - 1]]
        total[units[-1][:, None], units[0]] += product
    return total
