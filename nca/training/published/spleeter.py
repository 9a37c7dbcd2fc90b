"""Spleeter: a separator that people use, as a module (Hennequin, Khlif, Voituret and Moussallam, JOSS 5(50), 2020).

Two U-nets (Jansson et al., ISMIR 2017) look at the magnitudes of a stereo mixture, below 11 kHz, and give a mask each,
for the voice and for the accompaniment.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, pad, relu

from nca.errors import ParameterError
from nca.spectra import Geometry

GEOMETRY = Geometry(rate=44100, fft=4096, window=4096, hop=1024, taper="hann", kept=1024)
FILTERS = (16, 32, 64, 128, 256, 512)  # of the convolutions, each of which halves bins and frames


class UNet(nn.Module):
    """Masks `(batch, 2, bins, frames)` of magnitudes `(batch, 2, bins, frames)`, both multiples of 64.

    Each convolution halves bins and frames, each transposed one doubles them again, and is given what the convolution
    of its size has made, before normalisation.

    Args:
        filters: channels of the six convolutions.
    """

    def __init__(self, filters: Sequence[int] = FILTERS) -> None:
        super().__init__()
        *outer, deepest = filters
        self.down = nn.ModuleList(nn.Conv2d(a, b, 5, stride=2) for a, b in pairwise((2, *filters)))
        self.down_norms = nn.ModuleList(nn.BatchNorm2d(width, eps=1e-3) for width in outer)
        wide = (deepest, *(2 * width for width in reversed(outer)))
        narrow = (*reversed(outer), 1)
        self.up = nn.ModuleList(nn.ConvTranspose2d(a, b, 5, stride=2) for a, b in zip(wide, narrow, strict=True))
        self.up_norms = nn.ModuleList(nn.BatchNorm2d(width, eps=1e-3) for width in narrow)
        self.last = nn.Conv2d(1, 2, 4, dilation=2, padding=3)

    def forward(self, mixture: Tensor) -> Tensor:
        skipped = [self._halved(self.down[0], mixture)]
        for convolution, norm in zip(self.down[1:], self.down_norms, strict=True):
            skipped.append(self._halved(convolution, leaky_relu(norm(skipped[-1]), 0.2)))
        x = skipped.pop()
        for transposed, norm in zip(self.up, self.up_norms, strict=True):
            x = norm(relu(transposed(x)[..., 1:-2, 1:-2]))
            x = torch.cat([skipped.pop(), x], dim=1) if skipped else x
        return self.last(x).sigmoid()

    @staticmethod
    def _halved(convolution: nn.Module, x: Tensor) -> Tensor:
        return convolution(pad(x, (1, 2, 1, 2)))  # TensorFlow's "same": what is odd goes behind


class Spleeter(nn.Module):
    """The voice's magnitudes `(..., 1024, frames)` of a mono mixture's, which both channels are given.

    Its own input are magnitudes of samples between -1 and 1 in :data:`GEOMETRY`: a scale of 1.
    """

    name = "Spleeter"
    geometry = GEOMETRY
    bins = GEOMETRY.bins

    def __init__(self) -> None:
        super().__init__()
        self.voice, self.accompaniment = UNet(), UNet()

    def forward(self, mixture: Tensor) -> Tensor:
        return self.mask(mixture) * mixture

    def mask(self, mixture: Tensor) -> Tensor:
        """The voice's mask `(..., 1024, frames)`, the mean of both channels'.

        Raises:
            ParameterError: for another number of bands.
        """
        return self._mean_mask(self.voice, mixture)

    def ratio_mask(self, mixture: Tensor) -> Tensor:
        """The voice's share of the energy that both networks find `(..., 1024, frames)`, as Spleeter's program applies.

        Raises:
            ParameterError: for another number of bands.
        """
        voice, rest = ((self._mean_mask(net, mixture) * mixture).square() for net in (self.voice, self.accompaniment))
        return (voice + 0.5e-10) / (voice + rest + 1e-10)

    def _mean_mask(self, network: UNet, mixture: Tensor) -> Tensor:
        if mixture.shape[-2] != self.bins:
            raise ParameterError(
                f"Spleeter takes magnitudes of {self.bins} bands, 0 Hz to 11 kHz of 44.1 kHz, not {mixture.shape[-2]};"
                ' make them with the geometry that nca.pretrained("spleeter") has.'
            )
        bins, frames = mixture.shape[-2:]
        padded = pad(mixture, (0, -frames % 64)).reshape(-1, 1, bins, frames + -frames % 64)
        masks = network(padded.expand(-1, 2, -1, -1))
        return masks.mean(1)[..., :frames].reshape(mixture.shape)


def state_of(checkpoint: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
    """A checkpoint of Spleeter's with two stems as the state of a :class:`Spleeter`; the voice's network comes first.

    Kernels are `(frames, bins, in, out)` there, and `(frames, bins, out, in)` of transposed convolutions.

    Raises:
        KeyError: for a tensor that is not there.
    """
    state: dict[str, Tensor] = {}
    for number, network in enumerate(("voice", "accompaniment")):
        for ours, theirs in _layers(number):
            for name, given in _tensors(theirs):
                tensor = checkpoint[f"{theirs}/{given}"]
                state[f"{network}.{ours}.{name}"] = torch.from_numpy(tensor.T.copy())
    return state


def _layers(network: int) -> Iterator[tuple[str, str]]:
    """The layers of a network by their names here and there, where TensorFlow counts through both networks."""
    depth = len(FILTERS)
    for i in range(depth):
        yield f"down.{i}", _numbered("conv2d", network * (depth + 1) + i)
        yield f"up.{i}", _numbered("conv2d_transpose", network * depth + i)
        yield f"up_norms.{i}", _numbered("batch_normalization", network * 2 * depth + depth + i)
    for i in range(depth - 1):  # what the norm after the last convolution makes is not used
        yield f"down_norms.{i}", _numbered("batch_normalization", network * 2 * depth + i)
    yield "last", _numbered("conv2d", network * (depth + 1) + depth)


def _numbered(kind: str, number: int) -> str:
    return f"{kind}_{number}" if number else kind


def _tensors(layer: str) -> list[tuple[str, str]]:
    if not layer.startswith("batch"):
        return [("weight", "kernel"), ("bias", "bias")]
    moments = [("running_mean", "moving_mean"), ("running_var", "moving_variance")]
    return [("weight", "gamma"), ("bias", "beta"), *moments]
