"""What TOD-R depends on: all figures of one network on one segment, over all bands and over the lowest alone."""

from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from nca.analysis.bands import flow, lowest, quiet, share, unscaled
from nca.analysis.diagnostics import estimate, finite, unless_silent
from nca.analysis.displacement import Level, displacement, near_share, octave_displacement
from nca.analysis.transport import transport_plan
from nca.couplings import Couplings, compositional, linear_composition, student
from nca.errors import DataError, ParameterError
from nca.mapping import mean_jacobian, mean_mapping
from nca.metrics import chance_tod_ratio, shuffled_tod_ratios, snr, tod_ratio
from nca.spectra import Segment
from nca.training import Trained

COUNTED = (257, 513, 744, 1025)  # the lowest bands that TOD-R is counted over, beside all of them
NEAR = 100.0  # Hz from the diagonal that count as near
ITERATED: dict[str, Callable[..., Couplings]] = {
    "student": student,
    "compositional": compositional,
    "compositional (published gate)": partial(compositional, gate="published"),
}


@torch.no_grad()
def size_rows(
    network: Trained,
    segment: Segment,
    strategies: Sequence[str] = (),
    iterations: int = 600,
    precision: str | None = None,
    device: str = "cpu",
) -> list[dict[str, Any]]:
    """One row a matrix: the mean exact mapping, for SF also that to the voice, the linear composition, strategies.

    Args:
        network: trained.
        segment: magnitudes in the network's geometry.
        strategies: names of `ITERATED`.
        iterations: of the strategies.
        precision: of their products, `float32` or `bfloat16`; None is the model's own.
        device: where the matrices are computed, as torch names it.

    Returns:
        Rows with `song`, `segment`, `strategy` and `target`; `snr_model`, `snr_voice` and `snr_model_voice` in dB
        (Sec. 4.2), and of the identity, whose estimate is the mixture, `snr_identity_model` and `snr_identity_voice`;
        what :func:`figures` has; and in magnitudes that are not standardised `transport`, the mean displacement in Hz
        of the optimal plan from the mixture to the network's voice, and for maps to the voice `tod_ratio_magnitudes`
        and `carried`, the mean displacement of what the matrix carries on this segment. None where a figure does not
        exist: an SNR to a voice or a network that is silent here, any ratio of a matrix of zeros.

    Raises:
        ParameterError: for an unknown strategy.
    """
    model, scale = network.model, network.scale
    mixture, voice = segment.mixture / scale, segment.voice / scale
    output = model(mixture)
    about = {
        "song": segment.song,
        "segment": segment.index,
        "snr_model_voice": unless_silent(snr, voice, output),
        "snr_identity_model": unless_silent(snr, output, mixture),
        "snr_identity_voice": unless_silent(snr, voice, mixture),
        "transport": _least_displacement(network, segment.mixture, output * scale),
    }
    rows = []
    placed = deepcopy(model).to(device), mixture.to(device)
    for couplings in _matrices(*placed, strategies, iterations, precision):
        made = estimate(model, couplings, mixture)
        ratios = {"snr_model": unless_silent(snr, output, made), "snr_voice": unless_silent(snr, voice, made)}
        named = {"strategy": couplings.strategy, "target": couplings.target}
        figured = figures(couplings.matrix, scale, network.geometry.bandwidth)
        carried = _in_magnitudes(network, couplings, segment.mixture) if _maps_to_voice(model, couplings) else {}
        rows.append(about | named | ratios | figured | carried)
    return rows


def figures(matrix: Tensor, scale: Tensor, bandwidth: float) -> dict[str, float | None]:
    """What one matrix `(bins, bins)` does with its bands.

    Args:
        matrix: couplings of standardised magnitudes.
        scale: of the bands `(bins, 1)`.
        bandwidth: distance of two bands in Hz.

    Returns:
        `tod_ratio` (Eq. 22), `chance` for independent entries, `chance_shuffled` and `chance_deviation` for its own;
        `tod_ratio_<n>` of the lowest n bands, None where there are fewer; `tod_ratio_8k` of those up to 8 kHz with
        `chance_8k`; `displacement`, `octaves` and `near`, each with chance and spread; `high_rows`, `high_columns`,
        `quiet_rows` and `quiet_columns`, shares of |C| above 8 kHz and of near-silent bands, whose number is
        `quiet_bands`. None for a ratio that does not exist, as all those of a matrix of zeros.
    """
    bins, shown, silent = len(matrix), lowest(matrix, bandwidth), quiet(scale)
    low = torch.arange(bins, device=matrix.device) < len(shown)
    shuffled = shuffled_tod_ratios(matrix)
    counted = {f"tod_ratio_{n}": finite(tod_ratio(matrix[:n, :n])) if n <= bins else None for n in COUNTED}
    return {
        "bins": bins,
        "tod_ratio": finite(tod_ratio(matrix)),
        "chance": chance_tod_ratio(bins),
        "chance_shuffled": finite(shuffled.mean()),
        "chance_deviation": finite(shuffled.std()),
        **counted,
        "tod_ratio_8k": finite(tod_ratio(shown)),
        "chance_8k": chance_tod_ratio(len(shown)),
        **_level("displacement", displacement(matrix, bandwidth)),
        **_level("octaves", octave_displacement(matrix)),
        **_level("near", near_share(matrix, bandwidth, NEAR)),
        "high_rows": finite(share(matrix, rows=~low)),
        "high_columns": finite(share(matrix, columns=~low)),
        "quiet_rows": finite(share(matrix, rows=silent)),
        "quiet_columns": finite(share(matrix, columns=silent)),
        "quiet_bands": int(silent.sum()),
    }


def _matrices(
    model: nn.Module, mixture: Tensor, strategies: Sequence[str], iterations: int, precision: str | None
) -> Iterator[Couplings]:
    unknown = [name for name in strategies if name not in ITERATED]
    if unknown:
        raise ParameterError(f"There is no strategy {unknown[0]!r} here; choose from {', '.join(ITERATED)}.")
    yield _kept(mean_mapping(model, mixture))
    if getattr(model, "name", None) == "SF":
        yield _kept(mean_jacobian(model, mixture))
    yield _kept(linear_composition(model))
    for name in strategies:
        yield _kept(ITERATED[name](model, mixture, iterations=iterations, precision=precision), name)


def _kept(found: Couplings, name: str = "") -> Couplings:
    return Couplings(name or found.strategy, found.matrix.cpu(), found.target)


def _maps_to_voice(model: nn.Module, couplings: Couplings) -> bool:
    return couplings.target == "voice" or getattr(model, "name", None) != "SF"


def _least_displacement(network: Trained, mixture: Tensor, voice: Tensor) -> float | None:
    try:
        plan = transport_plan(mixture, voice.clamp(min=0))
    except DataError:  # not a frame sounds
        return None
    return finite(displacement(plan, network.geometry.bandwidth).value)


def _in_magnitudes(network: Trained, couplings: Couplings, mixture: Tensor) -> dict[str, float | None]:
    plain = unscaled(couplings.matrix, network.scale)
    carried = displacement(flow(plain, mixture), network.geometry.bandwidth)
    return {"tod_ratio_magnitudes": finite(tod_ratio(plain)), "carried": finite(carried.value)}


def _level(name: str, level: Level) -> dict[str, float | None]:
    return {
        name: finite(level.value),
        f"{name}_chance": finite(level.chance),
        f"{name}_deviation": finite(level.deviation),
        f"{name}_independent": finite(level.independent),
    }
