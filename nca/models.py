"""The models of Fig. 1, those of Sec. 6 (future work), and every model by its name.

Spectra are `(..., bins, frames)`, weights `(..., bins, bins)`; leading dimensions are a batch of initialisations
or segments, so the same code runs one model or fifty.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from copy import deepcopy
from typing import NamedTuple, Self, Union, overload

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, pad, relu

from nca.errors import ParameterError


class Model(nn.Module, ABC):
    """A network that separates: it decodes a mixture's magnitudes, and has a voice of what was decoded.

    Attributes:
        name: by which :func:`build` makes it.
        block: how many consecutive frames it is trained to decode at a time; 1 for frames in any order.
        margin: how many frames more, before and after these, it is shown for it.
    """

    name = "model"
    block = 1
    margin = 0

    @property
    @abstractmethod
    def bins(self) -> int:
        """N, of its input and of its output."""

    @abstractmethod
    def decode(self, mixture: Tensor) -> Tensor:
        """Output of the last ReLU `(..., bins, frames)`: y of Eq. (15), the voice (Eqs. 5, 7) or a mask."""

    def voice(self, decoded: Tensor, mixture: Tensor) -> Tensor:
        """The voice's magnitudes, given what was decoded (by the model or by its couplings) and the mixture."""
        return decoded

    def forward(self, mixture: Tensor) -> Tensor:
        return self.voice(self.decode(mixture), mixture)


class Masking:
    """What models of a mask have in common: skip-filtering connections."""

    def voice(self, decoded: Tensor, mixture: Tensor) -> Tensor:
        """The mask times the mixture, Eq. (2)."""
        return decoded * mixture


class Layer(NamedTuple):
    """One layer: weight `(..., out, in)`, bias `(..., out, 1)`, and whether a ReLU follows."""

    weight: Tensor
    bias: Tensor
    rectified: bool


class Block(NamedTuple):
    """A residual block: what its chain makes of its input, with that input added, and whether a ReLU follows."""

    chain: "Chain"
    rectified: bool


Chain = Sequence[Union[Layer, Block]]  # noqa: UP007 -- of a name that is not defined yet


def propagate(chain: Chain, mixture: Tensor) -> Tensor:
    """What a chain of layers makes of spectra `(..., bins, frames)`.

    Eqs. (4), (5), (6), (7) and (8), with the ReLU of Eq. (10).
    """
    x = mixture
    for part in chain:
        z = x + propagate(part.chain, x) if isinstance(part, Block) else part.weight @ x + part.bias
        x = relu(z) if part.rectified else z
    return x


def gates(chain: Chain, mixture: Tensor) -> list[Tensor]:
    """The diagonals of G in Eq. (14): per layer `(..., out, frames)`, 1 where a unit is open or no ReLU follows.

    A residual block has those of its layers, and then its own.
    """
    x, opened = mixture, []
    for part in chain:
        if isinstance(part, Block):
            opened += gates(part.chain, x)
            z = x + propagate(part.chain, x)
        else:
            z = part.weight @ x + part.bias
        D = (z > 0).to(z) if part.rectified else torch.ones_like(z)
        x = D * z
        opened.append(D)
    return opened


class Residual(nn.Sequential):
    """Modules in a row that add their input: x + f(x), for frames as rows `(frames, bins)`.

    As a part of a `Sequential` of `Linear` and `ReLU` it is a block that the compositional strategy takes in.

    Raises:
        ParameterError: where the modules change the shape of their input.
    """

    def forward(self, x: Tensor) -> Tensor:
        made = super().forward(x)
        if made.shape != x.shape:
            raise ParameterError(
                f"The modules of a Residual make {tuple(made.shape)} of {tuple(x.shape)}, to which the input cannot be"
                " added; keep its shape."
            )
        return x + made


class Separator(Model):
    """A chain of layers of equal width, each followed by the ReLU of Eq. (10).

    Args:
        bins: N, width of every layer.
        layers: L', number of layers, the decoder included.
        seeds: one seed for one model, or one a model for a batch of `len(seeds)`; the same seed gives the same weights
            alone and in a batch. Weights are drawn from a normal distribution scaled by sqrt(1/N), biases are zero
            (Sec. 4.1).

    Raises:
        ParameterError: for a width or a number of layers below one.
    """

    name = "separator"
    residual = False  # whether the mixture is added before the last ReLU

    def __init__(self, bins: int, layers: int, seeds: int | Sequence[int] = 0) -> None:
        super().__init__()
        if bins < 1 or layers < 1:
            raise ParameterError(f"A model needs at least one bin and one layer, not {bins} and {layers}.")
        weights = torch.stack([_initial_weights(bins, layers, seed) for seed in _as_list(seeds)], dim=1)
        if isinstance(seeds, int):
            weights = weights.squeeze(1)
        self.weights = nn.ParameterList(weight.clone() for weight in weights)
        self.biases = nn.ParameterList(torch.zeros(*weights.shape[1:-1], 1) for _ in range(layers))

    @property
    def bins(self) -> int:
        return self.weights[0].shape[-1]

    @property
    def instances(self) -> int:
        """How many initialisations it is a batch of; 0 for a model that is no batch."""
        return len(self.weights[0]) if self.weights[0].ndim == 3 else 0

    @property
    def layers(self) -> Chain:
        """Encoder first, decoder last; in one block where the mixture is added."""
        chain = [Layer(W, b, True) for W, b in zip(self.weights, self.biases, strict=True)]
        return [Block([*chain[:-1], chain[-1]._replace(rectified=False)], True)] if self.residual else chain

    @classmethod
    def of(cls, weights: Iterable[Tensor], biases: Iterable[Tensor]) -> Self:
        """A model of given weights `(..., bins, bins)` and biases `(..., bins, 1)`, one of each a layer."""
        model = cls.__new__(cls)
        nn.Module.__init__(model)
        model.weights, model.biases = nn.ParameterList(weights), nn.ParameterList(biases)
        return model.requires_grad_(False)

    def instance(self, index: int) -> Self:
        """One model of a batch of initialisations, with weights `(bins, bins)` of its own."""
        return self.of(*([p.detach()[index].clone() for p in each] for each in (self.weights, self.biases)))

    def decode(self, mixture: Tensor) -> Tensor:
        return propagate(self.layers, mixture)


class DAE(Separator):
    """Denoising autoencoder, one encoding and one decoding layer: Eq. (4) and Eq. (5)."""

    name = "DAE"

    def __init__(self, bins: int, seeds: int | Sequence[int] = 0) -> None:
        super().__init__(bins, 2, seeds)


class MSSDAE(Separator):
    """The multi-layered extension, `hidden_layers` (L) between encoder and decoder: Eq. (6) and Eq. (7)."""

    name = "MSS-DAE"

    def __init__(self, bins: int, hidden_layers: int = 2, seeds: int | Sequence[int] = 0) -> None:
        super().__init__(bins, hidden_layers + 2, seeds)


class SkipFiltering(Masking, Separator):
    """Skip-filtering connections: a DAE whose output masks the mixture: Eq. (2), Eq. (8) and Eq. (9)."""

    name = "SF"

    def __init__(self, bins: int, seeds: int | Sequence[int] = 0) -> None:
        super().__init__(bins, 2, seeds)


class ResidualDAE(Separator):
    """A DAE that adds the mixture before its last ReLU, so that its layers learn a difference (Sec. 6)."""

    name = "residual-DAE"
    residual = True

    def __init__(self, bins: int, seeds: int | Sequence[int] = 0) -> None:
        super().__init__(bins, 2, seeds)


class TemporalModel(Model):
    """A network that looks beyond the frame (Sec. 6), with about the 2 N^2 weights of a DAE.

    Args:
        bins: N.
    """

    def __init__(self, bins: int) -> None:
        super().__init__()
        self._bins = bins

    def draw(self, seed: int) -> None:
        """Weights as in Sec. 4.1: normal, scaled by one over the root of the number of inputs, and biases of zero."""
        generator = torch.Generator().manual_seed(seed)
        for parameter in self.parameters():
            if parameter.ndim > 1:
                nn.init.normal_(parameter, std=parameter[0].numel() ** -0.5, generator=generator)
            else:
                nn.init.zeros_(parameter)

    @property
    def bins(self) -> int:
        return self._bins

    def decode(self, mixture: Tensor) -> Tensor:
        """Beyond the ends of the mixture there is silence."""
        segments = pad(mixture.reshape(-1, *mixture.shape[-2:]), (self.margin, self.margin))
        return self.decode_inner(segments).reshape(mixture.shape)

    @abstractmethod
    def decode_inner(self, mixture: Tensor) -> Tensor:
        """:meth:`decode` of all but the `margin` at both ends of spectra `(segments, bins, frames)`."""


class ContextDAE(TemporalModel):
    """A DAE whose encoder takes the two frames before and the two after the frame as well.

    It is given their mean where others are given a sum, so that a step of Adam moves a unit as far as in a DAE; by the
    sum most units close for good.
    """

    name = "context-DAE"
    margin = 2

    def __init__(self, bins: int, seed: int = 0) -> None:
        hidden = max(1, round(bins / (self.margin + 1)))
        super().__init__(bins)
        self.frames = 2 * self.margin + 1
        self.encoder, self.decoder = nn.Conv1d(bins, hidden, self.frames), nn.Conv1d(hidden, bins, 1)
        self.draw(seed)
        with torch.no_grad():
            self.encoder.weight.mul_(self.frames)

    def decode_inner(self, mixture: Tensor) -> Tensor:
        return relu(self.decoder(relu(self.encoder(mixture / self.frames))))


class RecurrentMask(Masking, TemporalModel):
    """Skip filtering by a GRU in the place of the encoder, which knows the frame and those before it."""

    name = "GRU-mask"
    block = 32  # frames; 0.74 s

    def __init__(self, bins: int, seed: int = 0) -> None:
        hidden = max(1, round((40**0.5 - 4) / 6 * bins))  # 4 N H + 3 H^2 = 2 N^2 weights
        super().__init__(bins)
        self.encoder, self.decoder = nn.GRU(bins, hidden), nn.Linear(hidden, bins)
        self.draw(seed)

    def decode_inner(self, mixture: Tensor) -> Tensor:
        hidden, _ = self.encoder(mixture.permute(2, 0, 1))
        return torch.sigmoid(self.decoder(hidden)).permute(1, 2, 0)


class ConvolutionalMask(Masking, TemporalModel):
    """Skip filtering by an encoder and decoder of four 5 x 5 convolutions each, over frequency and time.

    Each takes a quarter of the bands and half of the frames, or brings them back, and the decoder adds what the encoder
    had at each size.
    """

    name = "CNN-mask"
    block = 32
    channels = (1, 16, 32, 64, 128)  # as many weights as a DAE of 513 bins, whatever the bins

    def __init__(self, bins: int, seed: int = 0) -> None:
        pairs = list(zip(self.channels, self.channels[1:], strict=False))
        super().__init__(bins)
        self.encoder = nn.ModuleList(nn.Conv2d(few, many, 5, (4, 2), 2) for few, many in pairs)
        self.decoder = nn.ModuleList(nn.ConvTranspose2d(many, few, 5, (4, 2), 2) for few, many in reversed(pairs))
        self.draw(seed)

    def decode_inner(self, mixture: Tensor) -> Tensor:
        x, sizes = mixture.unsqueeze(1), []
        for convolution in self.encoder:
            sizes.append(x)
            x = leaky_relu(convolution(x), 0.2)
        for convolution in self.decoder:
            before = sizes.pop()
            x = convolution(x, output_size=before.shape[2:])
            x = leaky_relu(x + before, 0.2) if sizes else torch.sigmoid(x)
        return x.squeeze(1)


class Batch(nn.Module):
    """Initialisations of one model, one a module."""

    def __init__(self, models: Iterable[TemporalModel]) -> None:
        super().__init__()
        self.models = list(models)
        self.members = nn.ModuleList(self.models)
        first = self.models[0]
        self.name, self.bins, self.block, self.margin = first.name, first.bins, first.block, first.margin

    @property
    def instances(self) -> int:
        """How many initialisations there are."""
        return len(self.models)

    def instance(self, index: int) -> TemporalModel:
        """A copy of one of them."""
        return deepcopy(self.models[index]).requires_grad_(False)


MODELS: dict[str, type[DAE] | type[MSSDAE] | type[SkipFiltering]] = {m.name: m for m in (DAE, MSSDAE, SkipFiltering)}
TEMPORAL: dict[str, type[ContextDAE] | type[RecurrentMask] | type[ConvolutionalMask]] = {
    m.name: m for m in (ContextDAE, RecurrentMask, ConvolutionalMask)
}
FUTURE = (ResidualDAE.name, *TEMPORAL)  # those of Sec. 6


@overload
def build(name: str, bins: int, seeds: int = 0) -> Model: ...


@overload
def build(name: str, bins: int, seeds: Sequence[int]) -> Separator | Batch: ...


def build(name: str, bins: int, seeds: int | Sequence[int] = 0) -> Model | Batch:
    """The model called `name`: DAE, MSS-DAE or SF, or of Sec. 6 residual-DAE, context-DAE, GRU-mask or CNN-mask.

    Args:
        name: of the model.
        bins: N.
        seeds: one seed for one model, or one a model for a batch of `len(seeds)`.

    Raises:
        ParameterError: for any other name.
    """
    if name in TEMPORAL:
        kind = TEMPORAL[name]
        return kind(bins, seeds) if isinstance(seeds, int) else Batch(kind(bins, seed) for seed in seeds)
    chains = MODELS | {ResidualDAE.name: ResidualDAE}
    if name not in chains:
        raise ParameterError(f"There is no model {name!r}; choose one of {', '.join((*MODELS, *FUTURE))}.")
    return chains[name](bins, seeds=seeds)


def stacked(models: Sequence[Separator]) -> Separator:
    """The models as one batch: weights `(len(models), bins, bins)`."""
    parts = [model.weights for model in models], [model.biases for model in models]
    return type(models[0]).of(*([torch.stack(each) for each in zip(*part, strict=True)] for part in parts))


def _as_list(seeds: int | Sequence[int]) -> Sequence[int]:
    return [seeds] if isinstance(seeds, int) else seeds


def _initial_weights(bins: int, layers: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(layers, bins, bins, generator=generator) / bins**0.5
