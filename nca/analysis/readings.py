"""What other readings of the paper, where it leaves something open, do to results that are there already."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from nca.analysis.diagnostics import estimate, unless_silent
from nca.analysis.runs import SegmentCouplings
from nca.data import open_tracks, real_song
from nca.mapping import mean_mapping
from nca.metrics import snr, tod_ratio
from nca.spectra import Segment, analyse, segments
from nca.training import Schedule, Trained
from nca.training.schedule import History


@torch.no_grad()
def scaled_back(coupled: SegmentCouplings, segment: Segment) -> list[dict[str, Any]]:
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


def segments_of(
    found: Iterable[SegmentCouplings], data: Path | str, frames: int = 350
) -> dict[tuple[str, int], Segment]:
    """The segments that couplings were computed on, by song and number.

    Args:
        found: the couplings of a data set's test songs, or of the real song.
        data: folder of the data set.
        frames: of a segment.
    """
    tracks = {track.name: track for track in [*open_tracks(data, "test"), real_song()]}
    geometry = {each.song: each.network.geometry for each in found}
    pieces = {song: segments(analyse(tracks[song].excerpt(30.0), geometry[song]), frames) for song in geometry}
    return {(each.song, each.segment): pieces[each.song][each.segment] for each in found}


def beside(rows: pd.DataFrame, others: pd.DataFrame, strategies: Sequence[str]) -> pd.DataFrame:
    """Rows of other readings, and of the default `strategies` on the same segments and networks.

    The column `error left` is that of :func:`with_error_left`.
    """
    place = others[["model", "seed", "song", "segment"]].drop_duplicates()
    both = pd.concat([place.merge(rows[rows.strategy.isin(strategies)]), others])
    return with_error_left(both.sort_values(["model", "strategy"]))


def with_error_left(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with a column `error left`: the last loss of Eq. (15) over the first, NaN without iterations."""
    return rows.assign(**{"error left": rows.last_loss / rows.first_loss})


@torch.no_grad()
def instance_ratios(networks: Mapping[str, Sequence[Trained]], pieces: Iterable[Segment]) -> pd.DataFrame:
    """TOD-R of the mean exact mapping of every network on every segment, a row each."""
    rows = [
        {"model": name, "seed": run.seed, "song": piece.song, "segment": piece.index, "tod_ratio": _ratio(run, piece)}
        for piece in pieces
        for name, runs in networks.items()
        for run in runs
    ]
    return pd.DataFrame(rows)


def spreads(rows: pd.DataFrame) -> pd.DataFrame:
    """Mean TOD-R by model, and its standard deviation between instances and between segments, each of their means."""
    by_instance = rows.groupby(["model", "seed"]).tod_ratio.mean()
    by_segment = rows.groupby(["model", "song", "segment"]).tod_ratio.mean()
    shares = {
        "mean": rows.groupby("model").tod_ratio.mean(),
        "deviation between instances": by_instance.groupby("model").std(),
        "deviation between segments": by_segment.groupby("model").std(),
    }
    return pd.DataFrame(shares)


def halvings(networks: Mapping[str, Sequence[Trained]], tolerances: Sequence[float]) -> pd.DataFrame:
    """:func:`first_halved` of every training, a column a tolerance."""
    rows = [
        {"model": name, "seed": run.seed, "epochs": len(run.losses)}
        | {f"threshold {tolerance:g}": first_halved(run.losses, tolerance) for tolerance in tolerances}
        for name, runs in networks.items()
        for run in runs
    ]
    return pd.DataFrame(rows)


def first_halved(losses: Iterable[float], tolerance: float) -> int | None:
    """The first epoch, from 1, whose learning rate the schedule would have halved had it seen these losses.

    None where it would have halved none. `tolerance` is the relative decrease that counts as an improvement.
    """
    history, schedule = History(1.0), Schedule(tolerance=tolerance)
    for loss in losses:
        history.record(loss, schedule)
    return next((epoch for epoch, rate in enumerate(history.rates, 1) if rate < 1), None)


def _ratio(run: Trained, piece: Segment) -> float:
    return tod_ratio(mean_mapping(run.model, piece.mixture / run.scale).matrix).item()
