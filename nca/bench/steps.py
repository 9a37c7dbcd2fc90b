"""One step of each stage that the paper spends its time in, on random spectra, ready to be timed."""

from collections.abc import Callable
from typing import Any

import torch

from nca.bench.workload import FRAMES, batched_problem, paper_geometry
from nca.couplings.compositional import CompositionalDescent
from nca.couplings.descent import adam
from nca.couplings.student import StudentDescent
from nca.mapping import mean_mapping
from nca.models import Separator
from nca.support.precision import PRECISIONS
from nca.training.ensemble import Ensemble

Step = Callable[[], Any]
BATCH = 128
RATE = 1e-4


def training_step(bins: int, depth: int, instances: int, device: torch.device, precision: str = "float32") -> Step:
    """One Adam step of so many initialisations on 128 frames each."""
    model = Separator(bins, depth, range(instances)).to(device).requires_grad_(False)
    ensemble = Ensemble(model, PRECISIONS[precision])
    generator = torch.Generator().manual_seed(2)
    mixture, voice = (torch.rand(instances, ensemble.width, BATCH, generator=generator).to(device) for _ in range(2))
    return lambda: ensemble.step(mixture, voice, [RATE] * instances)


def couplings_step(
    strategy: str, bins: int, depth: int, batch: int, device: torch.device, precision: str = "float32"
) -> Step:
    """One iteration of `student` or `compositional` on so many segments of 350 frames."""
    model, mixture = batched_problem(bins, depth, batch, device)
    descent = {"student": StudentDescent, "compositional": CompositionalDescent}[strategy]
    return descent(model, mixture, adam(), seed=list(range(batch)), precision=precision).step


def mapping_step(bins: int, depth: int, batch: int, device: torch.device, frames: int = FRAMES) -> Step:
    """The mean exact mapping of so many segments."""
    model, mixture = batched_problem(bins, depth, batch, device)
    return lambda: mean_mapping(model, mixture[..., :frames])


def spectra_step(frames: int, bins: int, device: torch.device, times: int) -> Step:
    """The magnitudes of so many frames of mixture and voice, in the proportions of the paper's transform."""
    geometry = paper_geometry(bins)
    signals = torch.rand(times, 2, frames * geometry.hop - 1, generator=torch.Generator().manual_seed(3)).to(device)
    return lambda: geometry.stft(signals).abs()
