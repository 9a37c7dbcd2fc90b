"""TOD-R, SNR and what goes beside them (Eq. 22, Sec. 4.2)."""

import math
from itertools import pairwise

import torch
from torch import Tensor

from nca.errors import ParameterError, SilentReferenceError


def tod_ratio(matrix: Tensor) -> Tensor:
    """Trace-to-off-diagonal ratio `(...)` of matrices `(..., bins, bins)`, Eq. (22).

    The sum of the diagonal's magnitudes, times sqrt(N), over the sum of all other magnitudes. Infinite for a diagonal
    matrix, 0 for one whose diagonal is zero, and NaN for a matrix of zeros, of which there is no ratio.

    Raises:
        ParameterError: for matrices that are not square.
    """
    if matrix.ndim < 2 or matrix.shape[-1] != matrix.shape[-2]:
        raise ParameterError(f"TOD-R is defined for square matrices, not for shape {tuple(matrix.shape)}.")
    magnitude = matrix.abs().double()
    diagonal = magnitude.diagonal(dim1=-2, dim2=-1)
    trace = diagonal.sum(-1)
    diagonal.zero_()
    return math.sqrt(matrix.shape[-1]) * trace / magnitude.sum((-2, -1))


def chance_tod_ratio(bins: int) -> float:
    """TOD-R expected of a matrix of independent, equally distributed entries: sqrt(N) / (N - 1)."""
    return math.sqrt(bins) / (bins - 1) if bins > 1 else math.inf


def shuffled_tod_ratios(matrix: Tensor, draws: int = 100, seed: int = 0) -> Tensor:
    """TOD-R `(..., draws)` of the same entries with the columns in random orders.

    Chance for a matrix of this one's own distribution of entries, unequal rows and columns included: a TOD-R that lies
    within their spread says nothing about a diagonal.
    """
    bins, generator = matrix.shape[-1], torch.Generator().manual_seed(seed)
    magnitude = matrix.abs().double()
    rows, total = torch.arange(bins), magnitude.sum((-2, -1))
    traces = [magnitude[..., rows, torch.randperm(bins, generator=generator)].sum(-1) for _ in range(draws)]
    return torch.stack([math.sqrt(bins) * trace / (total - trace) for trace in traces], -1)


def snr(reference: Tensor, estimate: Tensor) -> Tensor:
    """Signal-to-noise ratio in dB `(...)` of estimates `(..., bins, frames)` against the reference (Sec. 4.2).

    10 log10 of the reference's energy over the energy of the difference: 0 for a silent estimate, infinite for the
    reference itself.

    Raises:
        SilentReferenceError: where a reference has no energy, for which no ratio exists.
    """
    energy = reference.double().square().sum((-2, -1))
    if (energy == 0).any():
        raise SilentReferenceError("The reference is silent, so no SNR exists; leave this segment out.")
    return 10 * torch.log10(energy / (reference.double() - estimate.double()).square().sum((-2, -1)))


def si_sdr(reference: Tensor, estimate: Tensor) -> Tensor:
    """Scale-invariant signal-to-distortion ratio in dB `(...)` of waveforms `(..., samples)` (Le Roux et al., 2019).

    Infinite for the reference at any scale, minus infinite for an estimate that holds nothing of it, as silence.

    Raises:
        SilentReferenceError: where a reference has no energy.
    """
    reference, estimate = reference.double(), estimate.double()
    energy = reference.square().sum(-1, keepdim=True)
    if (energy == 0).any():
        raise SilentReferenceError("The reference is silent, so no SI-SDR exists; leave this song out.")
    target = (reference * estimate).sum(-1, keepdim=True) / energy * reference
    signal, distortion = target.square().sum(-1), (estimate - target).square().sum(-1)
    return 10 * torch.log10(torch.where(signal > 0, signal / distortion, 0))


def correlation(a: Tensor, b: Tensor) -> Tensor:
    """Pearson correlation `(...)` of the entries of matrices `(..., bins, bins)`; NaN where one is all zeros."""
    a, b = (m.double() - m.double().mean((-2, -1), keepdim=True) for m in (a, b))
    return (a * b).sum((-2, -1)) / (a.norm(dim=(-2, -1)) * b.norm(dim=(-2, -1)))


def null_space_share(matrix: Tensor, mixture: Tensor) -> Tensor:
    """Share `(...)` of the matrix's energy that no frame of the mixture reaches.

    The rows' component orthogonal to the span of the frames, squared, over all of it: 0 where the mixture has full
    rank, near 1 - T/N for a random matrix, NaN for a matrix of zeros.
    """
    frames = mixture.double()
    left, sizes, _ = torch.linalg.svd(frames, full_matrices=False)
    tolerance = sizes[..., :1] * max(frames.shape[-2:]) * torch.finfo(torch.float32).eps
    basis = left * (sizes > tolerance).unsqueeze(-2)
    total = matrix.double().square().sum((-2, -1))
    return 1 - (matrix.double() @ basis).square().sum((-2, -1)) / total


def diagonal_profile(matrix: Tensor) -> Tensor:
    """Mean magnitude `(..., bins)` of the entries at each distance |row - column| from the diagonal."""
    bins = matrix.shape[-1]
    index = torch.arange(bins, device=matrix.device)
    distance = (index[:, None] - index[None, :]).abs().flatten()
    sums = matrix.new_zeros(*matrix.shape[:-2], bins).index_add(-1, distance, matrix.abs().flatten(-2))
    return sums / _entries_at_distances(bins, matrix.device)


def octave_profile(matrix: Tensor) -> Tensor:
    """Mean magnitude `(..., octaves)` on the diagonal, at distance 1 from it, at 2 and 3, at 4 to 7, and so on."""
    bins = matrix.shape[-1]
    profile, entries = diagonal_profile(matrix), _entries_at_distances(bins, matrix.device)
    edges = [0, *(2**k for k in range(bins.bit_length()) if 2**k < bins), bins]
    means = [(profile[..., a:b] * entries[a:b]).sum(-1) / entries[a:b].sum() for a, b in pairwise(edges)]
    return torch.stack(means, -1)


def _entries_at_distances(bins: int, device: torch.device) -> Tensor:
    entries = 2 * (bins - torch.arange(bins, device=device))
    entries[0] = bins
    return entries
