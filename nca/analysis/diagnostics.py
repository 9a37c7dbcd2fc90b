"""Diagnostics of one couplings matrix on one segment."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, fields
from typing import Any

import pandas as pd
from torch import Tensor, nn

from nca.couplings import Couplings
from nca.couplings.network import apply_decoded
from nca.errors import SilentReferenceError
from nca.mapping import offset_share
from nca.metrics import (
    chance_tod_ratio,
    correlation,
    null_space_share,
    octave_profile,
    shuffled_tod_ratios,
    snr,
    tod_ratio,
)


@dataclass(frozen=True)
class Diagnostics:
    """Figures of one matrix; SNR in dB, all else ratios. None is an SNR against a silent reference, or a ratio that is
    undefined, as all those of a matrix of zeros.

    Attributes:
        strategy: how the matrix was found.
        start: number of the random start, from 0.
        target: what it maps the mixture to, `output` or `voice`.
        tod_ratio, chance: TOD-R (Eq. 22), None for a diagonal matrix, and that of a matrix of independent entries.
        chance_deviation: standard deviation of the TOD-R of this matrix's own entries with the columns shuffled.
        snr_model: the approximation against the model's voice (Table 2).
        snr_voice: the approximation against the true voice (Table 3).
        snr_model_voice: the model's voice against the true voice (Table 3, last row).
        null_space: share of the matrix's energy that no frame of the segment meets.
        exact_correlation: Pearson correlation of its entries with the mean exact mapping's.
        exact_distance: Frobenius distance to the mean exact mapping over that one's norm.
        exact_tod_ratio: TOD-R of the mean exact mapping.
        offset_share: what the offsets, which no matrix holds, carry of the model's output.
        seed_correlation: correlation of its entries with the same strategy's from another seed; None if not given.
        profile: mean magnitude on the diagonal and in octaves of the distance from it (1, 2 to 3, 4 to 7, ...).
        first_loss, last_loss: E of Eq. (15) before the first and the last iteration; None without iterations.
    """

    strategy: str
    start: int
    target: str
    tod_ratio: float | None
    chance: float
    chance_deviation: float | None
    snr_model: float | None
    snr_voice: float | None
    snr_model_voice: float | None
    null_space: float | None
    exact_correlation: float | None
    exact_distance: float | None
    exact_tod_ratio: float | None
    offset_share: float | None
    seed_correlation: float | None
    profile: tuple[float, ...]
    first_loss: float | None
    last_loss: float | None

    @property
    def silent(self) -> list[str]:
        """Names of the SNRs that were left out because their reference is silent."""
        return [f.name for f in fields(self) if f.name.startswith("snr") and getattr(self, f.name) is None]

    def row(self) -> dict[str, Any]:
        """All of it as single values, the profile as `magnitude_at_` its octaves' first distances."""
        distances = [0, *(2**octave for octave in range(len(self.profile) - 1))]
        flat = {name: value for name, value in asdict(self).items() if name != "profile"}
        return flat | {f"magnitude_at_{d}": value for d, value in zip(distances, self.profile, strict=True)}


def estimate(model: nn.Module, couplings: Couplings, mixture: Tensor) -> Tensor:
    """The voice's magnitudes `(bins, frames)` by the matrix alone, a mask applied to the mixture (Sec. 4.2)."""
    made = couplings(mixture)
    return made if couplings.target == "voice" else apply_decoded(model, made, mixture)


def diagnose(
    model: nn.Module,
    couplings: Couplings,
    mixture: Tensor,
    voice: Tensor,
    exact: Couplings,
    sibling: Couplings | None = None,
    start: int = 0,
) -> Diagnostics:
    """The diagnostics of one matrix `(bins, bins)` on one segment.

    Args:
        model: the network that the matrix imitates.
        mixture, voice: magnitudes `(bins, frames)`, standardised as the model sees them.
        exact: the mean exact mapping of the same model and segment.
        sibling: what the same strategy found from another seed.
        start: number of the random start, from 0.
    """
    approximation, output = estimate(model, couplings, mixture), model(mixture)
    C, E = couplings.matrix, exact.matrix
    first, last = (None, None) if couplings.loss is None else couplings.loss[..., [0, -1]].tolist()
    return Diagnostics(
        strategy=couplings.strategy,
        start=start,
        target=couplings.target,
        tod_ratio=finite(tod_ratio(C)),
        chance=chance_tod_ratio(C.shape[-1]),
        chance_deviation=finite(shuffled_tod_ratios(C).std()),
        snr_model=unless_silent(snr, output, approximation),
        snr_voice=unless_silent(snr, voice, approximation),
        snr_model_voice=unless_silent(snr, voice, output),
        null_space=finite(null_space_share(C, mixture)),
        exact_correlation=finite(correlation(C, E)),
        exact_distance=finite((C - E).norm() / E.norm()),
        exact_tod_ratio=finite(tod_ratio(E)),
        offset_share=finite(offset_share(model, mixture)),
        seed_correlation=None if sibling is None else finite(correlation(C, sibling.matrix)),
        profile=tuple(octave_profile(C).tolist()),
        first_loss=first,
        last_loss=last,
    )


def as_table(diagnostics: Iterable[Diagnostics]) -> pd.DataFrame:
    """One row a matrix, one column a figure; the profiles, which are several, are left out."""
    return pd.DataFrame([asdict(d) for d in diagnostics]).drop(columns="profile")


def finite(ratio: Tensor) -> float | None:
    """A ratio as tables and JSON take it: None where it is infinite or does not exist."""
    return ratio.item() if ratio.isfinite() else None


def unless_silent(ratio: Callable[[Tensor, Tensor], Tensor], reference: Tensor, other: Tensor) -> float | None:
    """A signal-to-noise ratio in dB, or None where its reference is silent."""
    try:
        return ratio(reference, other).item()
    except SilentReferenceError:
        return None
