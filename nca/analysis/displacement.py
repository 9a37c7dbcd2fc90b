"""How far couplings carry energy: measures of a matrix in Hz and octaves, which do not depend on its number of bands.

TOD-R (Eq. 22) of one smooth kernel grows with sqrt(N). These measures are means of a distance d(i, j) between the bands
i and j, weighted by the couplings' magnitudes:

    D(C) = sum_ij |C_ij| d(i, j) / sum_ij |C_ij|

What chance gives is known without draws. With independent entries of equal distribution it is the mean of d. With the
entries of this very matrix, its columns in a random order, a column j that comes to stand at k adds
m_jk = sum_i |C_ij| d(i, k); so the sum over the columns is a combinatorial one, of mean sum_jk m_jk / N and variance
sum_jk (m_jk - m_j. - m_.k + m_..)^2 / (N - 1) (Hoeffding, 1951), where a dot stands for a mean.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from nca.errors import ParameterError


@dataclass(frozen=True)
class Level:
    """A measure of matrices beside what chance gives, each `(...)`, in the unit of the distance.

    Attributes:
        value: D(C).
        chance: expectation of D for the same entries with the columns in random order.
        deviation: standard deviation of D under these orders.
        independent: D of independent entries of equal distribution, which N and the distance decide alone.
    """

    value: Tensor
    chance: Tensor
    deviation: Tensor
    independent: Tensor

    @property
    def deviations(self) -> Tensor:
        """How many standard deviations the value lies above chance; not a number where no order changes it."""
        return (self.value - self.chance) / self.deviation


def displacement(matrix: Tensor, bandwidth: float) -> Level:
    """Mean distance in Hz between the band that couplings read and the band that they write, weighted by |C|.

    0 for a diagonal matrix; |shift| bandwidths for a shifted one; (N^2 - 1) / (3 N) bandwidths for a constant one.

    Args:
        matrix: `(..., bins, bins)`, rows written and columns read.
        bandwidth: distance of two bands in Hz.

    Raises:
        ParameterError: for matrices that are not square.
    """
    return mean_distance(matrix, band_distance(matrix.shape[-1]) * bandwidth)


def octave_displacement(matrix: Tensor) -> Level:
    """Mean distance |log2(f_i / f_j)| in octaves between the bands read and written, weighted by |C|.

    The band at 0 Hz, which has no octave, is left out as row and as column.

    Args:
        matrix: `(..., bins, bins)`, rows written and columns read.

    Raises:
        ParameterError: for matrices that are not square, or of fewer than two bands.
    """
    bins = matrix.shape[-1]
    if bins < 2:
        raise ParameterError(f"Octaves need a band above 0 Hz; the matrix has {bins} band; give at least two.")
    pitch = torch.arange(1, bins, dtype=torch.float64).log2()
    return mean_distance(matrix[..., 1:, 1:], (pitch[:, None] - pitch).abs())


def near_share(matrix: Tensor, bandwidth: float, hertz: float) -> Level:
    """Share of |C| in entries that lie at most `hertz` Hz from the diagonal; 1 for a diagonal matrix.

    Divide `value` by `chance` for the share over what chance gives, or see :func:`excess`, which N does not change.

    Args:
        matrix: `(..., bins, bins)`.
        bandwidth: distance of two bands in Hz.
        hertz: 0 counts the diagonal alone.

    Raises:
        ParameterError: for matrices that are not square.
    """
    return mean_distance(matrix, (band_distance(matrix.shape[-1]) * bandwidth <= hertz).double())


def excess(share: Level) -> Tensor:
    """A share beyond chance `(...)`: (value - chance) / (1 - chance), 0 at chance and 1 where the share is 1."""
    return (share.value - share.chance) / (1 - share.chance)


def band_distance(bins: int) -> Tensor:
    """Distance |i - j| of every two bands `(bins, bins)`, in bands."""
    band = torch.arange(bins, dtype=torch.float64)
    return (band[:, None] - band).abs()


def mean_distance(matrix: Tensor, distance: Tensor) -> Level:
    """D(C) of matrices `(..., bins, bins)` for a distance `(bins, bins)`, beside what chance gives.

    A matrix of zeros has no D: its value, chance and deviation are not a number.

    Raises:
        ParameterError: for matrices that are not square.
    """
    if matrix.ndim < 2 or matrix.shape[-1] != matrix.shape[-2]:
        raise ParameterError(f"Distances from the diagonal need square matrices, not shape {tuple(matrix.shape)}.")
    magnitude, d = matrix.abs().double(), distance.to(matrix.device)
    total = magnitude.sum((-2, -1))
    m = magnitude.mT @ d
    centred = m - m.mean(-1, keepdim=True) - m.mean(-2, keepdim=True) + m.mean((-2, -1), keepdim=True)
    bins = matrix.shape[-1]
    return Level(
        value=m.diagonal(dim1=-2, dim2=-1).sum(-1) / total,
        chance=m.sum((-2, -1)) / bins / total,
        deviation=(centred.square().sum((-2, -1)) / max(bins - 1, 1)).sqrt() / total,
        independent=d.mean().expand_as(total),
    )
