"""Separators that others have trained and published, fetched where they are wanted; the package holds none of them."""

from dataclasses import dataclass

from torch import Tensor

from nca.spectra import Geometry
from nca.training.published.fetching import fetch_spleeter, load_spleeter
from nca.training.published.spleeter import Spleeter

__all__ = ["Published", "Spleeter", "fetch_spleeter", "load_spleeter"]


@dataclass(frozen=True)
class Published:
    """A published separator with all that its use needs.

    Attributes:
        model: gives the voice's magnitudes `(..., bins, frames)` of a mixture's; its `mask` gives the mask alone.
        scale: what magnitudes are divided by before the model sees them, `(bins, 1)`.
        geometry: of the transform.
    """

    model: Spleeter
    scale: Tensor
    geometry: Geometry
