"""The neural couplings algorithm as the paper prints it, Algorithm 1: plain and slow, the oracle of the fast path."""

from collections.abc import Iterator

import torch
from torch import Tensor, relu

from nca.couplings.chain import flat, layers
from nca.couplings.network import Network, decode
from nca.couplings.problem import random_matrix
from nca.models import Block, Chain


def neural_couplings(
    M: Network,
    x̃: Tensor,
    S: str,
    N_it: int = 600,
    seed: int = 0,
    gate: str = "printed",
    bias: str = "column",
) -> Iterator[tuple[Tensor, Tensor]]:
    """Algorithm 1, with the gradients of Eqs. (16), (20) and (21) by autograd.

    Args:
        M: the model.
        x̃: mixture magnitudes `(bins, frames)`.
        S: the strategy, `student` or `compositional`.
        N_it: number of iterations.
        seed: of the random start.
        gate, bias: readings of Eq. (19), as in :func:`nca.compositional`.

    Yields:
        C `(out, bins)` after each iteration, and E of Eq. (15) before it.
    """
    y = decode(M, x̃).detach()
    Wb = [] if S == "student" else layers(M)
    sides = [(W.shape[1], W.shape[1]) for W, _, _ in flat(Wb)] or [(len(y), len(x̃))]
    rnd = [random_matrix(*side, torch.Size(), seed, l, x̃) for l, side in enumerate(sides)]
    A = torch.optim.Adam([matrix.requires_grad_() for matrix in rnd], lr=4e-4)
    C = rnd[0] if S == "student" else composed(iter(rnd), Wb, gate, bias)
    for _ in range(N_it):
        E = (y - C @ x̃).abs().sum()  # Eq. (15)
        A.zero_grad()
        E.backward()  # Eqs. (16), (20), (21)
        A.step()
        C = rnd[0] if S == "student" else composed(iter(rnd), Wb, gate, bias)
        yield C.detach(), E.detach()


def composed(P: Iterator[Tensor], Wb: Chain, gate: str, bias: str) -> Tensor:
    """C of Eqs. (17), (18) and (19), layer by layer from an identity matrix on, which a residual block adds again."""
    C = torch.eye(flat(Wb)[0].weight.shape[1]).to(flat(Wb)[0].weight)
    for W_l in Wb:
        if isinstance(W_l, Block):
            C = C + composed(P, W_l.chain, gate, bias) @ C
        else:
            W, b, P_l = W_l.weight.detach(), W_l.bias.detach(), next(P)
            W_b = W + (b.T if bias == "column" else b)
            Ĝ = P_l @ W_b.T if gate == "printed" else W_b @ P_l.T  # Eq. (19)
            C = (relu(Ĝ) * W) @ C  # Eqs. (17) and (18)
    return C
