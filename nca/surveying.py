"""Many segments, each through a network of its own, in batches as large as memory allows (Sec. 4.2)."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from tqdm import tqdm

from nca.couplings import Couplings
from nca.diagnostics import Diagnostics, diagnose
from nca.errors import ParameterError
from nca.mapping import mean_mapping
from nca.memory import batch_size, in_batches
from nca.models import Separator
from nca.products import padded
from nca.spectra import Geometry, Segment, analyse, segments
from nca.strategies import by_strategy
from nca.tracks import open_tracks, real_song
from nca.training import Trained

EXACT = "mean exact mapping"


class Case(NamedTuple):
    """One problem: a segment, the network that it meets, and the seed of the strategies' random start."""

    network: Trained
    segment: Segment
    seed: int = 0


@dataclass(frozen=True)
class Finding:
    """What was found of one case: the figures of each strategy, and where they were kept its matrices."""

    case: Case
    diagnostics: list[Diagnostics]
    couplings: dict[str, Couplings]

    def rows(self) -> list[dict[str, Any]]:
        """One flat row a strategy: of which network and segment, all figures, and which SNR was left out as silent."""
        network, segment = self.case.network, self.case.segment
        about = {
            "model": network.model.name,
            "seed": network.seed,
            "song": segment.song,
            "segment": segment.index,
        }
        return [about | figures.row() | {"silent": ", ".join(figures.silent)} for figures in self.diagnostics]


def survey(
    cases: Sequence[Case],
    strategies: Sequence[str],
    iterations: int = 600,
    *,
    batch: int = 0,
    device: str = "cpu",
    keep: bool = False,
) -> list[Finding]:
    """Every strategy on every case, as many cases at a time as the device's free memory holds.

    Args:
        cases: networks of one kind and segments of one length.
        strategies: names of `nca.strategies.STRATEGIES`.
        iterations: of those that iterate.
        batch: cases at a time; 0 lets :func:`footprint` and the free memory decide. Halved where memory runs out.
        keep: hand the matrices out as well, on the CPU; else only one batch of them exists at a time.

    Raises:
        ParameterError: for cases that do not go together, a negative batch, an unknown strategy.
        MemoryLimitError: where not even one case fits.
    """
    _check(cases, batch)
    each = footprint(cases[0], strategies, device)
    size = min(batch or batch_size(each, device), len(cases))
    print(f"{len(cases)} cases, {size} at a time, at most {each * size / 1e9:.2f} GB")
    work = partial(_together, strategies=strategies, iterations=iterations, device=device, keep=keep)
    return list(tqdm(in_batches(work, cases, size), total=len(cases), unit="case"))


def song_segments(data: str, number: int, geometry: Geometry, frames: int = 350) -> list[Segment]:
    """All whole segments of a test song's 30 s in which every source is active (Sec. 4.2).

    Args:
        data: folder of the data set.
        number: of the song; -1 is the real song that comes with stempeg.

    Raises:
        ParameterError: for a song that the data set does not have.
        DataError: for a song that is broken, or shorter than one segment.
    """
    songs = open_tracks(data, "test") if number >= 0 else [real_song()]
    if number >= len(songs):
        raise ParameterError(f"{data} has {len(songs)} test songs and none of number {number}; count from 0.")
    return segments(analyse(songs[number].excerpt(30.0), geometry), frames)


def footprint(case: Case, strategies: Sequence[str], device: str = "cpu") -> int:
    """Bytes that one case needs at most: 8 L' + 8 matrices for the compositional strategy, L' + 8 for any other.

    Its network included; one more for the exact mapping, which all are held against, and 2 L' + 8 spectra of N x T.
    """
    depth, mixture = len(case.network.model.layers), case.segment.mixture
    side = padded(mixture.shape[-2], torch.device(device))
    composed = any(name.startswith("compositional") for name in strategies)
    matrices = (8 * depth if composed else depth) + 9
    return mixture.element_size() * (matrices * side**2 + (2 * depth + 8) * side * mixture.shape[-1])


def stacked(models: Sequence[Separator]) -> Separator:
    """The models as one batch: weights `(len(models), bins, bins)`."""
    batch = type(models[0]).__new__(type(models[0]))
    nn.Module.__init__(batch)
    for name in ("weights", "biases"):
        layers = zip(*(getattr(model, name) for model in models), strict=True)
        setattr(batch, name, nn.ParameterList(torch.stack(list(layer)) for layer in layers))
    return batch.requires_grad_(False)


def drawn(choices: int, *key: Any) -> int:
    """One of `choices` numbers from 0 on, at random by the key: the same wherever the key is the same.

    Raises:
        ParameterError: for no choices.
    """
    if choices < 1:
        raise ParameterError(f"There is nothing to draw from {choices} choices; give at least one.")
    digest = hashlib.sha256(json.dumps(key).encode()).digest()
    return int.from_bytes(digest[:8], "big") % choices


def _together(
    cases: Sequence[Case], strategies: Sequence[str], iterations: int, device: str, keep: bool
) -> list[Finding]:
    model = stacked([case.network.model for case in cases]).to(device)
    mixture, voice = (_standardised(cases, signal).to(device) for signal in ("mixture", "voice"))
    exact = mean_mapping(model, mixture)
    findings = [Finding(case, [], {}) for case in cases]
    for name in strategies:
        seeds = [case.seed for case in cases]
        found = exact if name == EXACT else by_strategy(name, model, mixture, iterations, seeds)
        found = replace(found, matrix=found.matrix.to(mixture).expand(len(cases), -1, -1))
        for i, finding in enumerate(findings):
            one = found.element(i)
            figures = diagnose(model.instance(i), one, mixture[i], voice[i], exact.element(i))
            finding.diagnostics.append(figures)
            if keep:
                finding.couplings[name] = _at_rest(one)
    return findings


def _standardised(cases: Sequence[Case], signal: str) -> Tensor:
    """Magnitudes `(cases, bins, frames)`, each as its network sees them."""
    return torch.stack([getattr(case.segment, signal) / case.network.scale for case in cases])


def _at_rest(couplings: Couplings) -> Couplings:
    """A copy on the CPU, which holds nothing of the batch."""
    loss = None if couplings.loss is None else couplings.loss.cpu().clone()
    return replace(couplings, matrix=couplings.matrix.cpu().clone(), loss=loss)


def _check(cases: Sequence[Case], batch: int) -> None:
    if not cases:
        raise ParameterError("There are no segments; choose some.")
    if batch < 0:
        raise ParameterError(f"batch is {batch}; give a number of cases, or 0 for as many as fit into memory.")
    models = [case.network.model for case in cases]
    kinds = {(m.name, len(m.layers), *case.segment.mixture.shape) for m, case in zip(models, cases, strict=True)}
    if len(kinds) > 1:
        raise ParameterError(f"Cases of one survey are networks of one kind and segments of one length, not {kinds}.")
