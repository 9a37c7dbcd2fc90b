"""Shared by all tests: one thread a process, and small models with biases as training leaves them."""

from pathlib import Path

import pytest
import torch

from nca.corpus import make_corpus
from nca.models import MODELS, Separator, build

torch.set_num_threads(1)


def trained_like(name: str, bins: int = 12, seed: int = 3) -> Separator:
    """A model in float64 whose biases are not zero, so that its gates depend on the frame."""
    model = build(name, bins, seed).double()
    generator = torch.Generator().manual_seed(seed)
    for bias in model.biases:
        bias.data = 0.3 * torch.randn(bias.shape, generator=generator, dtype=torch.float64)
    return model.requires_grad_(False)


def spectra(bins: int = 12, frames: int = 7, seed: int = 5, batch: tuple[int, ...] = ()) -> torch.Tensor:
    """Random magnitudes `(*batch, bins, frames)` in float64."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(*batch, bins, frames, generator=generator, dtype=torch.float64)


@pytest.fixture(params=list(MODELS))
def model(request: pytest.FixtureRequest) -> Separator:
    return trained_like(request.param)


@pytest.fixture(scope="session")
def demo_songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demo corpus of four songs of four seconds."""
    return make_corpus(tmp_path_factory.mktemp("songs") / "demo", songs=4, seconds=4.0, seed=1)
