"""Under which readings of the paper a segment is measured: what it is divided by, and what its figures are taken of."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from nca.analysis.diagnostics import estimate, finite, unless_silent
from nca.analysis.strategies import by_strategy
from nca.couplings import Couplings, linear_composition
from nca.errors import ParameterError
from nca.metrics import chance_tod_ratio, snr, tod_ratio
from nca.models import Separator, stacked
from nca.spectra import Segment, band_deviation

VARIANCES = ("mixture", "own")  # whose deviation the voice is divided by
STATISTICS = ("corpus", "segment")  # what the deviations are taken over
FIG_2 = 744 / 2049  # the lowest bands that the paper's Fig. 2 shows, of all


@dataclass(frozen=True)
class Standardised:
    """A segment with unit variance: magnitudes `(bins, frames)`, and the voice's `scale` `(bins, 1)` to undo it."""

    mixture: Tensor
    voice: Tensor
    scale: Tensor


def standardise(segment: Segment, deviations: tuple[Tensor, Tensor], variance: str, statistics: str) -> Standardised:
    """The segment under one reading of "unit variance" (Sec. 4.1).

    Args:
        deviations: of the training frames of mixture and of voice, `(bins, 1)` each.
        variance: `mixture` divides both by the mixture's deviations, `own` each by its own.
        statistics: of the `corpus`, or of this `segment` alone.

    Raises:
        ParameterError: for another variance or statistics.
    """
    if variance not in VARIANCES or statistics not in STATISTICS:
        known = f"the variance from {', '.join(VARIANCES)} and the statistics from {', '.join(STATISTICS)}"
        raise ParameterError(f"variance is {variance!r} and statistics {statistics!r}; choose {known}.")
    if statistics == "segment":
        deviations = band_deviation(segment.mixture.mT.numpy()), band_deviation(segment.voice.mT.numpy())
    scale = deviations[VARIANCES.index(variance)]
    return Standardised(segment.mixture / deviations[0], segment.voice / scale, scale)


def _mean_of_matrices(models: Sequence[Separator]) -> Couplings:
    return Couplings("", linear_composition(stacked(models)).matrix.mean(0))


def _of_mean_weights(models: Sequence[Separator]) -> Couplings:
    batch = stacked(models)
    weights, biases = ([p.mean(0) for p in each] for each in (batch.weights, batch.biases))
    return linear_composition(type(models[0]).of(weights, biases))


AVERAGED: dict[str, Callable[[Sequence[Separator]], Couplings]] = {
    "linear composition (mean of matrices)": _mean_of_matrices,
    "linear composition (of mean weights)": _of_mean_weights,
}


def couplings_of(
    name: str,
    models: Sequence[Separator],
    instance: int,
    mixture: Tensor,
    iterations: int = 600,
    precision: str | None = None,
) -> Couplings:
    """The couplings by a strategy's name, of one initialisation or, where the name is in AVERAGED, of all of them."""
    if name in AVERAGED:
        return replace(AVERAGED[name](models), strategy=name)
    return by_strategy(name, models[instance], mixture, iterations, instance, precision)


@torch.no_grad()
def figures_both_ways(model: Separator, couplings: Couplings, seen: Standardised) -> dict[str, Any]:
    """What Tables 1 to 3 say of one matrix, under each reading that needs no other matrix.

    Returns:
        `strategy` and `target`; `tod_ratio` over all bands and `tod_ratio_shown` over the share of the lowest that
        Fig. 2 shows, each with its chance level; `snr_model`, `snr_voice` and `snr_model_voice` in dB on standardised
        spectra, and under the same names with `_back` on spectra scaled back. None is a ratio that does not exist.
    """
    C, scale = couplings.matrix, seen.scale
    made, output, shown = estimate(model, couplings, seen.mixture), model(seen.mixture), round(FIG_2 * len(C))
    row = {
        "strategy": couplings.strategy,
        "target": couplings.target,
        "bins": len(C),
        "chance": chance_tod_ratio(len(C)),
        "chance_shown": chance_tod_ratio(shown),
        "tod_ratio": finite(tod_ratio(C)),
        "tod_ratio_shown": finite(tod_ratio(C[:shown, :shown])),
    }
    compared = {"snr_model": (output, made), "snr_voice": (seen.voice, made), "snr_model_voice": (seen.voice, output)}
    for name, (reference, approximation) in compared.items():
        row[name] = unless_silent(snr, reference, approximation)
        row[f"{name}_back"] = unless_silent(snr, reference * scale, approximation * scale)
    return row
