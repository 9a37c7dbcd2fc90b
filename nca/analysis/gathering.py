"""What is kept of a Jacobian's rows as they come: their mean blocks, and measures with the error of what was drawn.

Only sums are kept, by frame and by band, so that memory does not grow with the number of rows, and a computation that
was cut off goes on from them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from scipy.stats import t as student_t
from torch import Tensor

from nca.couplings import Couplings
from nca.errors import ParameterError

CONFIDENCE = 0.999  # of Student's t; rows have heavy tails, so that fewer draws hold what they should, 95 % at least
Choice = int | Sequence[int] | None


@dataclass(frozen=True)
class Estimate:
    """A measure of frames and rows that were drawn.

    Attributes:
        value: the measure `(...)`, float64.
        error: half the width `(...)` of an interval meant to hold what all frames and rows would give in at least 19 of
            20 draws; 0 where none was left out, infinite where one alone was drawn. It is judged from what was drawn:
            draw so many that no kind of frame or band, such as those at the edges, is missed.
    """

    value: Tensor
    error: Tensor


@dataclass(frozen=True)
class Blocks:
    """The blocks C_tl of all chosen frames t: their mean, and measures of their rows.

    Attributes:
        target: what the blocks lead to, the network's `output` or, of a mask network, the `voice`.
        lags: l of the blocks that were averaged.
        matrix: mean of the chosen rows of C_tl over the frames t that have a frame t - l, `(lags, rows, bins)`.
        energy: mean share of a row's energy that comes from each lag `(2 T - 1,)`, from -(T - 1), the last frame ahead,
            to T - 1. Shares, since a few rows hold most of the energy; rows of zeros are left out.
        tod_ratio: TOD-R (Eq. 22) of the same-frame blocks, not of their mean: sqrt(N) times the sum of all |C_t0[i, i]|
            over the sum of all other |C_t0[i, j]|. Chance is :func:`nca.chance_tod_ratio`; their mean's, which is
            higher and grows with the number of frames, is `tod_ratio(matrix[...])`.
        displacement: mean distance |i - j| of the bands written and read in the same frame, weighted by |C_t0[i, j]|,
            in bands; times the distance of two bands in Hz it is in Hz.
    """

    target: Literal["output", "voice"]
    lags: tuple[int, ...]
    matrix: Tensor
    energy: Estimate
    tod_ratio: Estimate
    displacement: Estimate

    def share(self, *lags: int) -> float:
        """Mean share of a row's energy that comes from some lags; those above 0 are past frames."""
        now = len(self.energy.value) // 2
        return sum(self.energy.value[now + lag].item() for lag in lags)

    def singular_values(self) -> Tensor:
        """Those of the mean of each lag `(lags, min(rows, bins))`, greatest first."""
        return torch.linalg.svdvals(self.matrix)

    def couplings(self, lag: int = 0) -> Couplings:
        """The mean of one lag `(rows, bins)` as couplings, to be compared, explored and heard as others are.

        Raises:
            ParameterError: for a lag whose mean was not asked for.
        """
        if lag not in self.lags:
            raise ParameterError(f"The mean of lag {lag} was not taken; ask for it with lags=[{lag}].")
        return Couplings("mean local mapping", self.matrix[self.lags.index(lag)], self.target)


class Sample:
    """The output frames and bands that are looked at, one product each: all bands of the first frame come first."""

    def __init__(self, mixture: Tensor, frames: Choice, rows: Choice, lags: Sequence[int], seed: int) -> None:
        self.bins, self.length = mixture.shape
        generator = torch.Generator().manual_seed(seed)
        self.frames = _choose("frames", frames, self.length, generator).to(mixture.device)
        self.rows = _choose("rows", rows, self.bins, generator).to(mixture.device)
        self.drawn_from = (
            self.length if isinstance(frames, int) else len(self.frames),
            self.bins if isinstance(rows, int) else len(self.rows),
        )
        self.lags = tuple(lags)
        for lag in self.lags:
            if not self.has(self.frames, lag).any():
                raise ParameterError(
                    f"None of the chosen frames has a frame at lag {lag} in a mixture of {self.length}; leave it out."
                )

    def has(self, frames: Tensor, lag: int) -> Tensor:
        """Whether the mixture has a frame t - l, for each frame t."""
        return (frames >= lag) & (frames - lag < self.length)

    def positions(self, batch: range) -> tuple[Tensor, Tensor]:
        """Where in `frames` and in `rows` each product of a batch stands."""
        number = torch.arange(batch.start, batch.stop, device=self.frames.device)
        return number // len(self.rows), number % len(self.rows)

    def places(self, batch: range) -> tuple[Tensor, Tensor]:
        """The output frame and the band of each product of a batch."""
        at, of = self.positions(batch)
        return self.frames[at], self.rows[of]


def _choose(what: str, choice: Choice, size: int, generator: torch.Generator) -> Tensor:
    if choice is None:
        return torch.arange(size)
    if isinstance(choice, int):
        if not 1 <= choice <= size:
            raise ParameterError(f"{what} is {choice}; a number to draw must lie between 1 and {size}.")
        return torch.randperm(size, generator=generator)[:choice].sort().values
    chosen = torch.tensor(list(choice), dtype=torch.long)
    if not len(chosen) or chosen.min() < 0 or chosen.max() >= size or len(chosen.unique()) < len(chosen):
        raise ParameterError(f"{what} must be different numbers from 0 to {size - 1}, at least one.")
    return chosen


class Gathered:
    """What is kept of rows of J: the sum of their blocks, and sums of their measures by frame and by band."""

    def __init__(self, sample: Sample, mixture: Tensor) -> None:
        self.sample = sample
        self.sums = {"blocks": mixture.new_zeros(len(sample.lags), len(sample.rows), sample.bins)}

    def add(self, batch: range, gradients: Tensor) -> None:
        """Take in rows of J `(products, bins, frames)`."""
        (at, of), (frame, band) = self.sample.positions(batch), self.sample.places(batch)
        for block, lag in zip(self.sums["blocks"], self.sample.lags, strict=True):
            there = self.sample.has(frame, lag)
            block.index_add_(0, of[there], gradients[there, :, frame[there] - lag])
        for name, measure in (_energy(gradients, frame) | _same_frame(gradients, frame, band)).items():
            for by, index, chosen in (("frame", at, self.sample.frames), ("row", of, self.sample.rows)):
                empty = measure.new_zeros(*measure.shape[:-1], len(chosen))
                self.sums.setdefault(f"{by} {name}", empty).index_add_(-1, index, measure)

    def result(self, target: Literal["output", "voice"]) -> Blocks:
        """The mean blocks, and the ratios that the measures make."""
        counts = torch.stack([self.sample.has(self.sample.frames, lag).sum() for lag in self.sample.lags])
        return Blocks(
            target=target,
            lags=self.sample.lags,
            matrix=self.sums["blocks"] / counts[:, None, None],
            energy=self._ratio("energy", "alive"),
            tod_ratio=self._ratio("diagonal", "others", math.sqrt(self.sample.bins)),
            displacement=self._ratio("distance", "magnitude"),
        )

    def _ratio(self, numerator: str, denominator: str, factor: float = 1.0) -> Estimate:
        drawn = [
            (self.sums[f"{by} {numerator}"], self.sums[f"{by} {denominator}"], size)
            for by, size in zip(("frame", "row"), self.sample.drawn_from, strict=True)
        ]
        return ratio_estimate(drawn, factor)


def ratio_estimate(drawn: Sequence[tuple[Tensor, Tensor, int]], factor: float = 1.0) -> Estimate:
    """A ratio of sums over what was drawn, with the error of its linear part.

    Args:
        drawn: for each thing that was drawn independently of the others, such as frames and bands: its parts of the
            numerator `(..., drawn)` and of the denominator `(drawn,)`, and how many there are to draw from. Scatter
            that is neither's alone is counted with both, on the safe side.
        factor: that the ratio is multiplied by.
    """
    numerators, denominators, _ = drawn[-1]
    total = denominators.sum()
    value = numerators.sum(-1) / total
    variance, freedom = torch.zeros_like(value), math.inf
    for numerators, denominators, size in drawn:
        residual, count = numerators - value.unsqueeze(-1) * denominators, len(denominators)
        if count < size:
            variance += count * (1 - count / size) * residual.square().sum(-1) / max(count - 1, 1) / total**2
            freedom = min(freedom, count - 1)
    if not freedom:
        return Estimate(factor * value, torch.full_like(value, math.inf))
    return Estimate(factor * value, factor * student_t.ppf((1 + CONFIDENCE) / 2, freedom) * variance.sqrt())


def _energy(gradients: Tensor, frame: Tensor) -> dict[str, Tensor]:
    """Each row's shares of energy over the lags `(2 T - 1, rows)`, and whether it has any energy `(rows,)`."""
    length = gradients.shape[-1]
    energy = gradients.double().square().sum(1)
    total = energy.sum(-1, keepdim=True)
    place = frame[:, None] - torch.arange(length, device=frame.device) + length - 1
    shares = energy.new_zeros(len(energy), 2 * length - 1)
    shares.scatter_(1, place, torch.where(total > 0, energy / total, 0))
    return {"energy": shares.mT, "alive": (total > 0).double().squeeze(-1)}


def _same_frame(gradients: Tensor, frame: Tensor, band: Tensor) -> dict[str, Tensor]:
    """Sums of each row's magnitudes in its own frame `(rows,)`: on the diagonal, off it, all, and all times |i - j|."""
    number = torch.arange(len(gradients), device=frame.device)
    magnitude = gradients[number, :, frame].double().abs()
    total, diagonal = magnitude.sum(-1), magnitude[number, band]
    distance = (band[:, None] - torch.arange(gradients.shape[1], device=band.device)).abs()
    moved = (magnitude * distance).sum(-1)
    return {"diagonal": diagonal, "others": total - diagonal, "magnitude": total, "distance": moved}
