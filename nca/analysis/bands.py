"""Which bands a measure of couplings counts, and what share of |C| some of them hold."""

import math

import torch
from torch import Tensor

from nca.errors import ParameterError

SHOWN = 8000.0  # Hz: what the paper's Figs. 2 and 3 show, its first 744 bands
QUIET = 60.0  # dB below the loudest band: what counts as near-silent


def lowest(matrix: Tensor, bandwidth: float, hertz: float = SHOWN) -> Tensor:
    """The block `(..., n, n)` of the bands from 0 Hz to `hertz`; all of the matrix where it ends below.

    Its TOD-R (Eq. 22) is taken with n in the place of N, and compared with the chance level of n bands.

    Args:
        matrix: `(..., bins, bins)`.
        bandwidth: distance of two bands in Hz.
        hertz: of the highest band; the default is what Fig. 2 shows.
    """
    bands = math.floor(hertz / bandwidth) + 1
    return matrix[..., :bands, :bands]


def share(matrix: Tensor, rows: Tensor | None = None, columns: Tensor | None = None) -> Tensor:
    """Share `(...)` of |C| in the chosen rows and columns: sum over the chosen entries over the sum of all.

    Args:
        matrix: `(..., bins, bins)`.
        rows, columns: masks `(bins,)`, True for the bands that count; None counts all.
    """
    magnitude = matrix.abs().double()
    chosen = magnitude if rows is None else magnitude[..., rows, :]
    chosen = chosen if columns is None else chosen[..., columns]
    return chosen.sum((-2, -1)) / magnitude.sum((-2, -1))


def quiet(scale: Tensor, decibels: float = QUIET) -> Tensor:
    """Mask `(bins,)` of the near-silent bands: those whose deviation lies so many dB below the greatest.

    Unit variance (Sec. 4.1) makes them as loud as all others.

    Args:
        scale: standard deviations of the bands `(bins, 1)`, what magnitudes are divided by.
        decibels: below the greatest deviation.
    """
    deviation = scale.flatten()
    return deviation < deviation.max() * 10 ** (-decibels / 20)


def unscaled(matrix: Tensor, scale: Tensor) -> Tensor:
    """The couplings of magnitudes `(..., bins, bins)` for couplings of standardised ones: diag(s) C diag(s)^-1.

    Raises:
        ParameterError: for a scale that is not one positive number a band.
    """
    s = scale.flatten()
    if len(s) != matrix.shape[-1] or not (s > 0).all():
        raise ParameterError(f"A scale of {len(s)} values, all above 0, is needed for {matrix.shape[-1]} bands.")
    return s[:, None] * matrix / s


def flow(matrix: Tensor, mixture: Tensor) -> Tensor:
    """What a matrix carries on a segment `(..., bins, bins)`: |C_ij| mean_t x_jt, from band j to band i.

    Args:
        matrix: `(..., bins, bins)`.
        mixture: magnitudes `(..., bins, frames)`, standardised as the matrix is.
    """
    return matrix.abs() * torch.mean(mixture, -1).unsqueeze(-2)
