"""The structure that the paper sees in its matrices (Sec. 5): how near one is to a convolution over frequency."""

import torch
from torch import Tensor


def toeplitz_share(matrix: Tensor) -> Tensor:
    """Share `(...)` of a matrix's energy beside its main diagonal that lies in the nearest Toeplitz matrix.

    That matrix has on each diagonal the mean of the entries there; a convolution over frequency is one, and so is every
    circulant matrix, so the share is 1 for them. Near 2 / N for independent entries of mean zero. The main diagonal
    counts nowhere, for a scalar filter of even gains would be a convolution by it alone.

    Args:
        matrix: `(..., bins, bins)`.
    """
    bins = matrix.shape[-1]
    entries, band = matrix.double(), torch.arange(bins, device=matrix.device)
    diagonal = (band[:, None] - band + bins - 1).flatten()
    sums = entries.new_zeros(*matrix.shape[:-2], 2 * bins - 1).index_add(-1, diagonal, entries.flatten(-2))
    lengths = torch.bincount(diagonal, minlength=2 * bins - 1)
    beside = torch.arange(2 * bins - 1, device=matrix.device) != bins - 1
    energy = entries.square().sum((-2, -1)) - entries.diagonal(dim1=-2, dim2=-1).square().sum(-1)
    return (sums.square() / lengths)[..., beside].sum(-1) / energy
