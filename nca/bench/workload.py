"""What is timed: a network of any number of bins and a segment, random, or trained a little on a demo song."""

import torch
from torch import Tensor

from nca.data.demo.song import make_stems, plan_song
from nca.models import Separator, stacked
from nca.spectra import Geometry, profile
from nca.spectra.scale import band_deviation
from nca.training import Schedule, train

FRAMES = 350  # T of Sec. 4.1
SONG_SECONDS = 6.0  # a little more than a segment, whose frames are taken from its middle
EPOCHS = 20


def random_problem(bins: int, depth: int, device: torch.device) -> tuple[Separator, Tensor]:
    """A network with a diagonal and biases, as training leaves them, and magnitudes `(bins, FRAMES)`."""
    model = Separator(bins, depth).to(device)
    for weight in model.weights:
        weight.data.diagonal().add_(1)
    generator = torch.Generator().manual_seed(1)
    for bias in model.biases:
        bias.data = 0.3 * torch.randn(bias.shape, generator=generator).to(device)
    return model.requires_grad_(False), torch.rand(bins, FRAMES, generator=generator).to(device)


def batched_problem(bins: int, depth: int, batch: int, device: torch.device) -> tuple[Separator, Tensor]:
    """The random problem so many times over, each with weights of its own memory."""
    model, mixture = random_problem(bins, depth, device)
    return stacked([model] * batch), mixture.expand(batch, -1, -1).contiguous()


@torch.enable_grad()
def network_and_segment(bins: int, depth: int, device: torch.device) -> tuple[Separator, Tensor]:
    """A network of `depth` layers and a standardised segment `(bins, FRAMES)`, the same at each call."""
    stems = {name: samples.mean(0) for name, samples in make_stems(plan_song(0, SONG_SECONDS, seed=0)).items()}
    rate, geometry = profile("paper").rate, paper_geometry(bins)
    mixture, voice = (
        _middle(geometry.stft(geometry.resample(samples, rate)).abs())
        for samples in (sum(stems.values()), stems["vocals"])
    )
    scale = band_deviation(mixture.mT.numpy())
    model = Separator(bins, depth, [0])
    train(model, mixture.mT.numpy(), voice.mT.numpy(), scale, [0], Schedule(epochs=EPOCHS), progress=False)
    return model.instance(0).to(device).requires_grad_(False), (mixture / scale).to(device)


def paper_geometry(bins: int) -> Geometry:
    """The paper's, with its bin width and frame rate, over as many bins as asked for."""
    paper, width = profile("paper"), bins - 1
    share = width / (paper.bins - 1)
    return Geometry(round(paper.rate * share), 2 * width, width, max(1, round(paper.hop * share)))


def _middle(magnitudes: Tensor) -> Tensor:
    start = (magnitudes.shape[-1] - FRAMES) // 2
    return magnitudes[:, start : start + FRAMES].contiguous()
