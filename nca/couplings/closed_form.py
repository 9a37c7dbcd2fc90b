"""Couplings without iterations: the paper's baselines, and least squares as the reference for the student."""

from collections.abc import Sequence
from itertools import repeat

import numpy as np
import torch
from scipy.optimize import linprog
from torch import Tensor

from nca.couplings.chain import identity_of, layers, transmit
from nca.couplings.network import Network, apply_decoded
from nca.couplings.problem import Couplings, prepare_problem
from nca.errors import DataError, ParameterError


@torch.no_grad()
def linear_composition(model: Network) -> Couplings:
    """The product of the model's weights, without biases and ReLUs: Eq. (11), Eq. (12) and Eq. (13).

    Where a residual block adds its input, the identity is added.
    """
    chain = layers(model)
    return Couplings("linear composition", transmit(chain, repeat(1.0), identity_of(chain)))


def identity(bins: int) -> Couplings:
    """C = I: the mixture itself as the estimate of the voice, for every model (Sec. 4.2)."""
    return Couplings("identity", torch.eye(bins), target="voice")


@torch.no_grad()
def equaliser(model: Network, mixture: Tensor) -> Couplings:
    """The diagonal matrix that comes nearest to the model's voice in least squares: one gain a band for the segment.

    What a scalar filter (Sec. 4.1) can do at best. A network that it imitates well has learnt a trivial solution; one
    that it imitates badly has not, whatever the diagonal of its couplings looks like.
    """
    problem = prepare_problem(model, mixture)
    X, voice = problem.mixture, apply_decoded(model, problem.output, problem.mixture)
    power = X.square().sum(-1)
    gain = torch.where(power > 0, (X * voice).sum(-1) / power, 0)
    return Couplings("equaliser", torch.diag_embed(gain), target="voice")


@torch.no_grad()
def least_squares(model: Network, mixture: Tensor, start: Tensor | None = None) -> Couplings:
    """The matrix nearest to `start` among those that minimise ||y - C x|| in the L2 sense.

    Where there are fewer frames than bins it meets the model's output exactly. Without a start it is the one of least
    Frobenius norm, with no energy in the null space of the mixture: what the data determine, and nothing else.
    """
    problem = prepare_problem(model, mixture)
    X = torch.linalg.pinv(problem.mixture.double()).to(problem.output)
    C = problem.output @ X if start is None else start + (problem.output - start @ problem.mixture) @ X
    return Couplings("least squares", C)


@torch.no_grad()
def ridge(model: Network, mixture: Tensor, strength: float = 1e-3) -> Couplings:
    """Least squares with the penalty `strength` times the mean squared norm of a frame, in its dual form.

    The dual inverts a frames x frames matrix, whatever the number of bins.

    Raises:
        ParameterError: for a strength that is not above zero.
    """
    if not strength > 0:
        raise ParameterError(f"strength is {strength}; it must be above zero.")
    problem = prepare_problem(model, mixture)
    X = problem.mixture.double()
    gram = X.mT @ X
    penalty = strength * gram.diagonal(dim1=-2, dim2=-1).mean(-1)[..., None, None]
    dual = torch.linalg.solve(gram + penalty * torch.eye(gram.shape[-1]).to(gram), X.mT)
    return Couplings("ridge", problem.output @ dual.to(problem.output))


def l1_optimum(model: Network, mixture: Tensor, rows: Sequence[int] | None = None) -> Couplings:
    """The global minimum of Eq. (15), row by row: what the strategies' gradient descents are after.

    A row c of C minimises sum_t |y_t - c x_t|, a linear programme. Its dual has one bounded variable a frame, max y λ
    subject to X λ = 0 and |λ_t| <= 1; c are the multipliers of its constraints. Where there are fewer frames than bins
    the minimum is zero and many matrices attain it.

    Args:
        mixture: magnitudes `(bins, frames)`.
        rows: which rows of C to find, each a programme of its own; all of them if left out.

    Returns:
        Couplings with `.matrix` `(len(rows), bins)`.

    Raises:
        ParameterError: for a batch of segments or a row that C does not have; else as the strategies do.
        DataError: where the solver finds no optimum.
    """
    problem = prepare_problem(model, mixture)
    if problem.batch:
        raise ParameterError(f"The L1 optimum takes one segment (bins, frames), not {tuple(mixture.shape)}.")
    Y, X = (each.double().cpu().numpy() for each in (problem.output, problem.mixture))
    chosen = range(len(Y)) if rows is None else rows
    if any(not 0 <= row < len(Y) for row in chosen):
        raise ParameterError(f"rows must lie between 0 and {len(Y) - 1}.")
    matrix = np.stack([_l1_row(X, Y[row]) for row in chosen])
    return Couplings("L1 optimum", torch.from_numpy(matrix).to(problem.output))


def _l1_row(X: np.ndarray, y: np.ndarray) -> np.ndarray:
    solved = linprog(-y, A_eq=X, b_eq=np.zeros(len(X)), bounds=(-1, 1), method="highs")
    if not solved.success:
        raise DataError(f"The linear programme of a row was not solved ({solved.message}); try other frames.")
    return -solved.eqlin.marginals
