"""Small models with biases as training leaves them, and spectra, for every test that needs some."""

import torch

from nca.models import Separator, build


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
