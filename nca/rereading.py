"""What other readings of the paper's silences do to figures that are there already."""

from collections.abc import Iterable
from typing import Any

import torch

from nca.diagnostics import estimate, unless_silent
from nca.gathering import Coupled
from nca.metrics import snr
from nca.spectra import Segment
from nca.training import Schedule
from nca.training.schedule import Progress


@torch.no_grad()
def scaled_back(coupled: Coupled, segment: Segment) -> list[dict[str, Any]]:
    """The SNRs of Tables 2 and 3 in dB, on standardised spectra and on spectra scaled back; a row a strategy.

    A ratio whose reference is silent is None.
    """
    network, scale = coupled.network, coupled.network.scale
    mixture, voice = segment.mixture / scale, segment.voice / scale
    output, rows = network.model(mixture), []
    for strategy, couplings in coupled.matrices.items():
        made = estimate(network.model, couplings, mixture)
        row: dict[str, Any] = {"model": network.model.name, "strategy": strategy}
        for name, reference in (("snr_model", output), ("snr_voice", voice)):
            row[name] = unless_silent(snr, reference, made)
            row[f"{name}, scaled back"] = unless_silent(snr, reference * scale, made * scale)
        rows.append(row)
    return rows


def first_halved(losses: Iterable[float], tolerance: float) -> int | None:
    """The first epoch, from 1, whose learning rate the schedule would have halved had it seen these losses.

    None where it would have halved none. `tolerance` is the relative decrease that counts as an improvement.
    """
    fate, schedule = Progress(1.0), Schedule(tolerance=tolerance)
    for loss in losses:
        fate.record(loss, schedule)
    return next((epoch for epoch, rate in enumerate(fate.rates, 1) if rate < 1), None)
