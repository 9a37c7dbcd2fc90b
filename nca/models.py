"""The three models of Fig. 1 and the view of a network that the couplings need: its chain of layers.

Spectra are `(..., bins, frames)`, weights `(..., bins, bins)`; leading dimensions are a batch of initialisations
or segments, so the same code runs one model or fifty.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from nca.errors import ParameterError


class Layer(NamedTuple):
    """One layer: weight `(..., out, in)`, bias `(..., out, 1)`, and whether a ReLU follows."""

    weight: Tensor
    bias: Tensor
    rectified: bool


class Separator(nn.Module):
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
    def layers(self) -> list[Layer]:
        """Encoder first, decoder last."""
        return [Layer(W, b, True) for W, b in zip(self.weights, self.biases, strict=True)]

    def instance(self, index: int) -> "Separator":
        """One model of a batch of initialisations, with weights `(bins, bins)` of its own."""
        single = type(self).__new__(type(self))
        nn.Module.__init__(single)
        single.weights = nn.ParameterList(W.detach()[index].clone() for W in self.weights)
        single.biases = nn.ParameterList(b.detach()[index].clone() for b in self.biases)
        return single.requires_grad_(False)

    def decode(self, mixture: Tensor) -> Tensor:
        """Output of the last ReLU `(..., bins, frames)`: y of Eq. (15), the voice (Eqs. 5, 7) or SF's mask."""
        x = mixture
        for W, b, _ in self.layers:
            x = relu(W @ x + b)
        return x

    def voice(self, decoded: Tensor, mixture: Tensor) -> Tensor:
        """The voice's magnitudes, given what was decoded (by the model or by its couplings) and the mixture."""
        return decoded

    def forward(self, mixture: Tensor) -> Tensor:
        return self.voice(self.decode(mixture), mixture)


class DAE(Separator):
    """Denoising autoencoder, one encoding and one decoding layer: Eqs. (4) and (5)."""

    name = "DAE"

    def __init__(self, bins: int, seeds: int | Sequence[int] = 0) -> None:
        super().__init__(bins, 2, seeds)


class MSSDAE(Separator):
    """The multi-layered extension, `hidden_layers` (L) between encoder and decoder: Eqs. (6) and (7)."""

    name = "MSS-DAE"

    def __init__(self, bins: int, hidden_layers: int = 2, seeds: int | Sequence[int] = 0) -> None:
        super().__init__(bins, hidden_layers + 2, seeds)


class SkipFiltering(Separator):
    """Skip-filtering connections: a DAE whose output masks the mixture, Eqs. (2), (8) and (9)."""

    name = "SF"

    def __init__(self, bins: int, seeds: int | Sequence[int] = 0) -> None:
        super().__init__(bins, 2, seeds)

    def voice(self, decoded: Tensor, mixture: Tensor) -> Tensor:
        """The mask times the mixture, Eq. (2)."""
        return decoded * mixture


MODELS: dict[str, type[DAE] | type[MSSDAE] | type[SkipFiltering]] = {m.name: m for m in (DAE, MSSDAE, SkipFiltering)}


def build(name: str, bins: int, seeds: int | Sequence[int] = 0) -> Separator:
    """The model called `name` (DAE, MSS-DAE or SF).

    Raises:
        ParameterError: for any other name.
    """
    if name not in MODELS:
        raise ParameterError(f"There is no model {name!r}; choose one of {', '.join(MODELS)}.")
    return MODELS[name](bins, seeds=seeds)


def layers(model: nn.Module) -> list[Layer]:
    """The chain of layers of one of the three models or of a `Sequential` of `Linear` and `ReLU`.

    Raises:
        ParameterError: names the first module that is neither, or a chain whose first module is a ReLU.
    """
    if isinstance(model, Separator):
        return model.layers
    if not isinstance(model, nn.Sequential):
        raise ParameterError(
            f"Couplings are defined for DAE, MSSDAE, SkipFiltering and Sequential, not for {type(model).__name__}."
        )
    chain: list[Layer] = []
    for index, module in enumerate(model):
        if isinstance(module, nn.Linear):
            bias = module.weight.new_zeros(module.out_features) if module.bias is None else module.bias
            chain.append(Layer(module.weight, bias.unsqueeze(-1), False))
        elif isinstance(module, nn.ReLU) and chain:
            chain[-1] = chain[-1]._replace(rectified=True)
        else:
            raise ParameterError(
                f"Module {index} of the Sequential is a {type(module).__name__}; build it of Linear and ReLU only,"
                " a Linear first."
            )
    if not chain:
        raise ParameterError("The Sequential holds no Linear; give a network with at least one.")
    return chain


def decode(model: nn.Module, mixture: Tensor) -> Tensor:
    """Output y `(..., out, frames)` of the model's last layer, its ReLU included, as in Algorithm 1."""
    x = mixture
    for W, b, rectified in layers(model):
        x = W @ x + b
        x = relu(x) if rectified else x
    return x


def apply_decoded(model: nn.Module, decoded: Tensor, mixture: Tensor) -> Tensor:
    """The voice that a decoded output stands for: SF's mask times the mixture, any other output itself."""
    return model.voice(decoded, mixture) if isinstance(model, Separator) else decoded


def _as_list(seeds: int | Sequence[int]) -> Sequence[int]:
    return [seeds] if isinstance(seeds, int) else seeds


def _initial_weights(bins: int, layers: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(layers, bins, bins, generator=generator) / bins**0.5
