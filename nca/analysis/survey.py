"""Survey many segments, each through a network of its own, in batches as large as memory allows (Sec. 4.2)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor
from tqdm import tqdm

from nca.analysis.diagnostics import Diagnostics, diagnose
from nca.analysis.strategies import SEEDED, TO_VOICE, by_strategy
from nca.couplings import Couplings
from nca.couplings.network import makes_voice
from nca.couplings.problem import couplings_memory
from nca.data import open_tracks, real_song
from nca.errors import ParameterError
from nca.mapping import mean_jacobian, mean_mapping
from nca.models import Separator, build, stacked
from nca.spectra import Geometry, Segment, analyse, segments
from nca.support.digests import seeded_choice
from nca.support.memory import batch_size, in_batches
from nca.support.precision import padded
from nca.training import Trained

EXACT = "mean exact mapping"
UNTRAINED = "mean exact mapping, untrained"


class SegmentJob(NamedTuple):
    """One segment, the network that it meets, and the seed of the strategies' first random start."""

    network: Trained
    segment: Segment
    seed: int = 0


def random_start(network: Trained, segment: Segment, start: int = 0) -> int:
    """The seed of a segment's random start, by song, segment, model, the network's seed and `start` alone."""
    return seeded_choice(2**32, network.model.name, network.seed, segment.song, segment.index, start)


@dataclass(frozen=True)
class SegmentResult:
    """What was found of one job.

    Attributes:
        job: the network and the segment.
        diagnostics: of each strategy and start, in the order in which they were asked for.
        couplings: each strategy's matrix from its first start, where matrices were kept.
    """

    job: SegmentJob
    diagnostics: list[Diagnostics]
    couplings: dict[str, Couplings]

    def rows(self) -> list[dict[str, Any]]:
        """One flat row a strategy and start: the network and segment, all figures, and the SNRs left out as silent."""
        network, segment = self.job.network, self.job.segment
        about = {
            "model": network.model.name,
            "seed": network.seed,
            "network": network.digest,
            "song": segment.song,
            "segment": segment.index,
        }
        return [about | figures.row() | {"silent": ", ".join(figures.silent)} for figures in self.diagnostics]


def survey(
    jobs: Sequence[SegmentJob],
    strategies: Sequence[str],
    iterations: int = 600,
    *,
    starts: int = 1,
    batch: int = 0,
    device: str = "cpu",
    keep: bool = False,
) -> list[SegmentResult]:
    """Run every strategy on every job, as many jobs at a time as the device's free memory holds.

    Args:
        jobs: networks of one kind and segments of one length.
        strategies: names of `nca.analysis.strategies.STRATEGIES`, or UNTRAINED for the exact mapping of each network
            as its seed initialised it.
        iterations: of those that iterate.
        starts: how many random starts of those that draw one, from the seeds of the job on; each is compared with the
            one before it, the first with the last.
        batch: jobs at a time; 0 lets :func:`footprint` and the free memory decide. Halved where memory runs out.
        device: where to compute.
        keep: keep the matrices as well, on the CPU; else only one batch of them exists at a time.

    Raises:
        ParameterError: for jobs that do not go together, a negative batch, no start, an unknown strategy.
        MemoryLimitError: where not even one job fits.
    """
    _check(jobs, batch, starts)
    each = footprint(jobs[0], strategies, device, starts)
    size = min(batch or batch_size(each, device), len(jobs))
    print(f"segments: {len(jobs)}, {size} at a time, in at most {each * size / 1e9:.2f} GB")
    work = partial(_survey_batch, strategies=strategies, iterations=iterations, starts=starts, device=device, keep=keep)
    return list(tqdm(in_batches(work, jobs, size), total=len(jobs), unit="segment"))


def judge(
    job: SegmentJob, strategies: Sequence[str], iterations: int = 600, starts: int = 2, device: str = "cpu"
) -> list[dict[str, Any]]:
    """The rows of a :func:`survey` of one segment from several starts, the network before its training included."""
    (result,) = survey([job], [*strategies, UNTRAINED], iterations, starts=starts, device=device)
    return result.rows()


def song_segments(data: str, number: int, geometry: Geometry, frames: int = 350) -> list[Segment]:
    """All complete segments of a test song's 30 s in which every source is active (Sec. 4.2).

    Args:
        data: folder of the data set.
        number: of the song, from 0; -1 is the real song that comes with stempeg.
        geometry: of the transform.
        frames: T, of a segment.

    Raises:
        ParameterError: for a song that the data set does not have.
        DataError: for a song that is broken, or shorter than one segment.
    """
    if number == -1:
        return segments(analyse(real_song().excerpt(30.0), geometry), frames)
    songs = open_tracks(data, "test")
    if not 0 <= number < len(songs):
        raise ParameterError(
            f"{data} has {len(songs)} test songs and none of number {number};"
            " count from 0, or give -1 for the real song."
        )
    return segments(analyse(songs[number].excerpt(30.0), geometry), frames)


def song_segment(data: str, number: int, index: int, geometry: Geometry, frames: int = 350) -> Segment:
    """One of :func:`song_segments`, the one of number `index` from 0.

    Raises:
        ParameterError: for a song or a segment that is not there.
        DataError: for a song that is broken, or shorter than one segment.
    """
    there = song_segments(data, number, geometry, frames)
    if not 0 <= index < len(there):
        raise ParameterError(
            f"{there[0].song} has {len(there)} segments of {frames} frames and none of number {index}; count from 0."
        )
    return there[index]


def footprint(job: SegmentJob, strategies: Sequence[str], device: str = "cpu", starts: int = 1) -> int:
    """Bytes that one job needs at most, its network, the exact mapping and the matrix of further starts included."""
    (model,), mixture = _chains([job]), job.segment.mixture
    depth = len(model.weights)
    side, size = padded(mixture.shape[-2], torch.device(device)), mixture.element_size()
    most = max(couplings_memory(side, mixture.shape[-1], depth, name, size) for name in (*strategies, EXACT))
    return most + (starts - 1) * size * side**2


def _survey_batch(
    jobs: Sequence[SegmentJob], strategies: Sequence[str], iterations: int, starts: int, device: str, keep: bool
) -> list[SegmentResult]:
    model = stacked(_chains(jobs)).to(device)
    mixture, voice = (_standardised(jobs, signal).to(device) for signal in ("mixture", "voice"))
    exact = {"output": mean_mapping(model, mixture)}
    exact["voice"] = exact["output"] if makes_voice(model) else mean_jacobian(model, mixture)
    results = [SegmentResult(job, [], {}) for job in jobs]
    for number, name in enumerate(strategies):
        same = name.removesuffix(TO_VOICE)
        if same != name and same in strategies[:number] and makes_voice(model):
            _repeat(results, same, name)
            continue
        imitated, found = model, [exact["output"]]
        if name == UNTRAINED:
            untrained = build(model.name, model.bins, [job.network.seed for job in jobs])
            assert isinstance(untrained, Separator)  # as the model that it is named after
            imitated = untrained.to(mixture).requires_grad_(False)
            found = [replace(mean_mapping(imitated, mixture), strategy=UNTRAINED)]
        elif name != EXACT:
            found = _from_starts(name, model, mixture, iterations, [job.seed for job in jobs], starts)
        like = exact[found[0].target]
        for i, result in enumerate(results):
            network, matrices = imitated.instance(i), [couplings.element(i) for couplings in found]
            result.diagnostics.extend(_diagnosed(network, matrices, mixture[i], voice[i], like.element(i)))
            if keep:
                result.couplings[name] = _on_cpu(matrices[0])
    return results


def _repeat(results: Sequence[SegmentResult], name: str, other: str) -> None:
    """Enter what was found by a strategy under another name as well, by which it would be found again."""
    for result in results:
        found = [figures for figures in result.diagnostics if figures.strategy == name]
        result.diagnostics.extend(replace(figures, strategy=other, target="voice") for figures in found)
        if name in result.couplings:
            result.couplings[other] = replace(result.couplings[name], strategy=other, target="voice")


def _from_starts(
    name: str, model: Separator, mixture: Tensor, iterations: int, seeds: Sequence[int], starts: int
) -> list[Couplings]:
    """The couplings of a batch from each random start; from one start by a strategy that draws none."""
    found = []
    for start in range(starts if name in SEEDED else 1):
        couplings = by_strategy(name, model, mixture, iterations, [seed + start for seed in seeds])
        found.append(replace(couplings, matrix=couplings.matrix.to(mixture).expand(len(seeds), -1, -1)))
    return found


def _diagnosed(
    network: Separator, found: Sequence[Couplings], mixture: Tensor, voice: Tensor, exact: Couplings
) -> list[Diagnostics]:
    siblings = [found[start - 1] if len(found) > 1 else None for start in range(len(found))]
    return [
        diagnose(network, couplings, mixture, voice, exact, sibling, start)
        for start, (couplings, sibling) in enumerate(zip(found, siblings, strict=True))
    ]


def _standardised(jobs: Sequence[SegmentJob], signal: str) -> Tensor:
    """Magnitudes `(jobs, bins, frames)`, each as its network sees them."""
    return torch.stack([getattr(job.segment, signal) / job.network.scale for job in jobs])


def _on_cpu(couplings: Couplings) -> Couplings:
    """A copy on the CPU, which holds nothing of the batch."""
    loss = None if couplings.loss is None else couplings.loss.cpu().clone()
    return replace(couplings, matrix=couplings.matrix.cpu().clone(), loss=loss)


def _check(jobs: Sequence[SegmentJob], batch: int, starts: int) -> None:
    if not jobs:
        raise ParameterError("There are no segments; choose some.")
    if batch < 0:
        raise ParameterError(f"batch is {batch}; give a number of segments, or 0 for as many as fit into memory.")
    if starts < 1:
        raise ParameterError(f"starts is {starts}; give at least one random start.")
    models = _chains(jobs)
    kinds = {(m.name, len(m.weights), *job.segment.mixture.shape) for m, job in zip(models, jobs, strict=True)}
    if len(kinds) > 1:
        raise ParameterError(f"A survey takes networks of one kind and segments of one length, not {kinds}.")


def _chains(jobs: Sequence[SegmentJob]) -> list[Separator]:
    """The networks of the jobs, which have to be chains of layers."""
    models = [job.network.model for job in jobs]
    chains = [model for model in models if isinstance(model, Separator)]
    if len(chains) < len(models):
        others = {model.name for model in models} - {model.name for model in chains}
        raise ParameterError(
            f"A survey takes chains of layers, and {', '.join(others)} is none; nca.student and nca.local_mapping take"
            " any network."
        )
    return chains
