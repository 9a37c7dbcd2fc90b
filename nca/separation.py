"""From a trained model to a voice that can be heard and measured."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from nca.errors import SilentReferenceError
from nca.metrics import si_sdr
from nca.spectra import Analysis, analyse
from nca.tracks import Track
from nca.training import Trained

Estimator = Callable[[Tensor], Tensor]


@torch.no_grad()
def voice_of(estimator: Estimator, scale: Tensor, analysis: Analysis) -> Tensor:
    """Samples of the voice that `estimator` finds in a song, with the mixture's phase.

    Args:
        estimator: maps standardised mixture magnitudes `(bins, frames)` to the voice's.
        scale: of the standardisation, `(bins, 1)`.
        analysis: of the song.
    """
    return analysis.sound(estimator(analysis.mixture.abs() / scale) * scale)


def separation_scores(trained: Trained, analysis: Analysis) -> dict[str, float]:
    """SI-SDR in dB to the song's true voice: of the model, of the best static gain a band, and of the mixture itself.

    The true voice goes through the same resampling and transform, so that nothing but the estimate is judged.

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
        f"si_sdr_{name}": si_sdr(truth, voice_of(estimator, trained.scale, analysis)).item()
        for name, estimator in estimates.items()
    }


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
