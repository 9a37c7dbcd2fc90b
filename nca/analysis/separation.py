"""From a trained model to a voice that can be heard and measured."""

from collections.abc import Callable, Iterable, Sequence
from itertools import combinations
from typing import Any

import torch
from torch import Tensor

from nca.analysis.diagnostics import estimate, finite
from nca.couplings import Couplings
from nca.data import Track
from nca.errors import SilentReferenceError
from nca.metrics import si_sdr
from nca.spectra import Segment, SongSpectra, analyse
from nca.training import Trained

Estimator = Callable[[Tensor], Tensor]


@torch.no_grad()
def voice_magnitudes(trained: Trained, couplings: Couplings, segment: Segment) -> Tensor:
    """The voice's magnitudes `(bins, frames)`, scaled back, that the matrix alone makes of a segment's mixture."""
    return estimate(trained.model, couplings, segment.mixture / trained.scale) * trained.scale


@torch.no_grad()
def voice_of(estimator: Estimator, scale: Tensor, analysis: SongSpectra) -> Tensor:
    """Samples of the voice that `estimator` finds in a song, with the mixture's phase.

    Args:
        estimator: maps standardised mixture magnitudes `(bins, frames)` to the voice's.
        scale: of the standardisation, `(bins, 1)`.
        analysis: of the song.
    """
    return analysis.sound(estimator(analysis.mixture.abs() / scale) * scale)


def separation_scores(trained: Trained, analysis: SongSpectra) -> dict[str, float | None]:
    """SI-SDR in dB to the song's true voice: of the model, of the best static gain a band, and of the mixture itself.

    The true voice goes through the same resampling and transform, so that nothing but the estimate is judged. None is
    that of an estimate that holds nothing of the voice, as silence.

    Raises:
        SilentReferenceError: for a song without a voice.
    """
    truth = analysis.geometry.istft(analysis.voice, analysis.samples)
    estimates: dict[str, Estimator] = {
        "model": trained.model,
        "static_gain": lambda mixture: trained.static_gain * mixture,
        "mixture": lambda mixture: mixture,
    }
    return {
        f"si_sdr_{name}": finite(si_sdr(truth, voice_of(estimator, trained.scale, analysis)))
        for name, estimator in estimates.items()
    }


def best_bandpass(analysis: SongSpectra, truth: Tensor, edges: Sequence[float]) -> tuple[float, float, float]:
    """The lower and the upper edge in Hz, out of `edges`, of the bandpass of the mixture with the best SI-SDR, in dB.

    What a separation by a network that looks at nothing has to beat.

    Args:
        analysis: of the song.
        truth: samples of the true voice.
        edges: to choose both from, rising.
    """
    hertz = analysis.geometry.bandwidth * torch.arange(analysis.geometry.bins).unsqueeze(-1)
    mixture = analysis.mixture.abs()
    scores = {
        (low, high): si_sdr(truth, analysis.sound(mixture * ((hertz >= low) & (hertz <= high)))).item()
        for low, high in combinations(edges, 2)
    }
    best = max(scores, key=lambda pair: scores[pair])
    return *best, scores[best]


def score_songs(trained: Trained, songs: Iterable[Track], seconds: float = 30.0) -> list[dict[str, Any]]:
    """:func:`separation_scores` of the active `seconds` of each song; a song without a voice is `skipped`, by name."""
    rows = []
    for song in songs:
        row: dict[str, Any] = {"model": trained.model.name, "seed": trained.seed, "song": song.name}
        try:
            row |= separation_scores(trained, analyse(song.excerpt(seconds), trained.geometry))
        except SilentReferenceError as error:
            row["skipped"] = str(error)
        rows.append(row)
    return rows
