"""Couplings without iterations: the paper's baselines, and least squares as the reference for the student."""

import torch
from torch import Tensor, nn

from nca.couplings.problem import pose
from nca.couplings.result import Couplings
from nca.errors import ParameterError
from nca.models import apply_decoded, layers


def linear_composition(model: nn.Module) -> Couplings:
    """The product of the model's weights, without biases and ReLUs: Eqs. (11)-(13)."""
    chain = layers(model)
    C = chain[0].weight
    for layer in chain[1:]:
        C = layer.weight @ C
    return Couplings("linear composition", C.detach())


def identity(bins: int) -> Couplings:
    """C = I: the mixture itself as the estimate of the voice, for every model (Sec. 4.2)."""
    return Couplings("identity", torch.eye(bins), target="voice")


@torch.no_grad()
def equaliser(model: nn.Module, mixture: Tensor) -> Couplings:
    """The diagonal matrix that comes nearest to the model's voice in least squares: one gain a band for the segment.

    What a scalar filter (Sec. 4.1) can do at best. A network that it imitates well has learnt a trivial solution; one
    that it imitates badly has not, whatever the diagonal of its couplings looks like.
    """
    problem = pose(model, mixture)
    X, voice = problem.mixture, apply_decoded(model, problem.output, problem.mixture)
    power = X.square().sum(-1)
    gain = torch.where(power > 0, (X * voice).sum(-1) / power, 0)
    return Couplings("equaliser", torch.diag_embed(gain), target="voice")


@torch.no_grad()
def least_squares(model: nn.Module, mixture: Tensor) -> Couplings:
    """The matrix of least Frobenius norm among those that minimise ||y - C x|| in the L2 sense.

    Where there are fewer frames than bins it meets the model's output exactly and has no energy in the null space of
    the mixture: what the data determine, and nothing else.
    """
    problem = pose(model, mixture)
    C = problem.output @ torch.linalg.pinv(problem.mixture.double()).to(problem.output)
    return Couplings("least squares", C)


@torch.no_grad()
def ridge(model: nn.Module, mixture: Tensor, strength: float = 1e-3) -> Couplings:
    """Least squares with the penalty `strength` times the mean squared norm of a frame, in its dual form.

    The dual inverts a frames x frames matrix, whatever the number of bins.

    Raises:
        ParameterError: for a strength that is not above zero.
    """
    if not strength > 0:
        raise ParameterError(f"strength is {strength}; it must be above zero.")
    problem = pose(model, mixture)
    X = problem.mixture.double()
    gram = X.mT @ X
    penalty = strength * gram.diagonal(dim1=-2, dim2=-1).mean(-1)[..., None, None]
    dual = torch.linalg.solve(gram + penalty * torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device), X.mT)
    return Couplings("ridge", problem.output @ dual.to(problem.output))
