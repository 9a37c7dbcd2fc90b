"""Widgets that let a reader touch one idea, in a page without a kernel: TOD-R against chance, and the exact mapping."""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any

import anywidget
import numpy as np
import torch
import traitlets
from numpy.typing import NDArray
from torch import Tensor

from nca.couplings.problem import prepare_chain
from nca.errors import ParameterError
from nca.models import Layer, gates
from nca.pages import figures
from nca.pages.explorer.quantise import quantise
from nca.pages.explorer.saved import FRONTEND, PARTS, STYLE
from nca.pages.explorer.state import colours_of
from nca.training import Trained


def _script(name: str) -> str:
    return "\n".join((FRONTEND / part).read_text("utf-8") for part in (*PARTS, name))


class Lesson(anywidget.AnyWidget):
    """A widget with a picture of itself for readers without JavaScript."""

    _css = STYLE + (FRONTEND / "lesson.css").read_text("utf-8")
    bandwidth = traitlets.Float().tag(sync=True)

    def __init__(self, matrix: Tensor, bandwidth: float, **state: Any) -> None:
        super().__init__(bandwidth=bandwidth, **state)
        self._first = matrix

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        data, metadata = super()._repr_mimebundle_(**kwargs) or ({}, {})
        still = figures.png(figures.normalised(self._first, self.bandwidth))[0]
        return data | {"image/png": b64encode(still).decode()}, metadata


class ShuffledColumns(Lesson):
    """Matrices `(bins, bins)` whose columns a reader shuffles, with their TOD-R and chance (Eq. 22; shuffle.js)."""

    _esm = _script("shuffle.js")
    views: traitlets.List = traitlets.List().tag(sync=True)
    colours = traitlets.Bytes().tag(sync=True)

    def __init__(self, named: Mapping[str, Tensor], bandwidth: float) -> None:
        views = [{"label": name, **quantise(matrix.numpy())} for name, matrix in named.items()]
        first = next(iter(named.values()))
        super().__init__(first, bandwidth, views=views, colours=colours_of(figures.DIVERGING))


class FrameByFrame(Lesson):
    """The exact mapping of a network of two layers, a frame at a time, over its lowest bands (Eq. 14; frames.js).

    Args:
        network: trained.
        mixture: standardised magnitudes `(bins, frames)`.
        bands: how many of the lowest are shown.

    Raises:
        ParameterError: for a network of more or fewer layers.
    """

    _esm = _script("frames.js")
    weights: traitlets.List = traitlets.List().tag(sync=True)
    signals: traitlets.List = traitlets.List().tag(sync=True)
    sizes: traitlets.Dict = traitlets.Dict().tag(sync=True)
    colours: traitlets.Dict = traitlets.Dict().tag(sync=True)
    rate = traitlets.Float().tag(sync=True)

    @torch.no_grad()
    def __init__(self, network: Trained, mixture: Tensor, bands: int = 96) -> None:
        _, chain = prepare_chain(network.model, mixture)
        plain = [part for part in chain if isinstance(part, Layer)]
        if (len(plain), len(chain)) != (2, 2):
            raise ParameterError(f"A frame is followed through two layers, not {len(chain)}: take a DAE or SF.")
        encoder, decoder = plain[0].weight[:, :bands], plain[1].weight[:bands]
        hidden, output = (opened.bool().numpy() for opened in gates(chain, mixture))
        super().__init__(
            decoder @ encoder,
            network.geometry.bandwidth,
            weights=[quantise(each.numpy()) for each in (decoder, encoder)],
            signals=[np.packbits(hidden).tobytes(), np.packbits(output[:bands]).tobytes(), _levels(mixture[:bands])],
            sizes={"bands": bands, "units": len(hidden), "frames": mixture.shape[-1], "start": _loudest(mixture)},
            colours={"level": colours_of(figures.SEQUENTIAL), "signed": colours_of(figures.DIVERGING)},
            rate=network.geometry.frame_rate,
        )


def _loudest(mixture: Tensor) -> int:
    return int(mixture.square().sum(0).argmax())


def _levels(magnitudes: Tensor) -> bytes:
    """Magnitudes as one byte each over 60 dB below their maximum."""
    level: NDArray[np.floating] = 20 * np.log10((magnitudes / magnitudes.max()).clamp(min=1e-3).numpy())
    return np.round(255 * (1 + level / 60)).astype(np.uint8).tobytes()
