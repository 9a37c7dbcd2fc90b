"""The explorer as a widget: its state travels with the page, so that it needs no kernel."""

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anywidget
import matplotlib as mpl
import numpy as np
import torch
import traitlets
from matplotlib.figure import Figure

from nca import figures
from nca.errors import ParameterError
from nca.explorer.quantise import quantise
from nca.explorer.views import View

HERE = Path(__file__).parent


def _colours(name: str) -> bytes:
    return mpl.colormaps[name](np.arange(256), bytes=True)[:, :3].tobytes()


def _key(sound: bytes) -> str:
    return hashlib.sha256(sound).hexdigest()[:16]


def _packed(number: int, view: View, bins: int) -> dict[str, Any]:
    values = view.numbers()
    if len(values) != bins:
        raise ParameterError(f"One explorer shows matrices of one size, not of {bins} and {len(values)} bins.")
    place = {"model": view.model, "strategy": view.strategy, "song": view.song, "segment": view.segment}
    audio = [[label, _key(sound)] for label, sound in view.audio.items()]
    return {"id": number, **place, **quantise(values), "audio": audio}


class Explorer(anywidget.AnyWidget):
    """Couplings matrices to zoom, read band by band, compare and hear (explorer.js)."""

    _esm = HERE / "explorer.js"
    _css = HERE / "explorer.css"
    views: traitlets.List = traitlets.List().tag(sync=True)
    sounds: traitlets.Dict = traitlets.Dict().tag(sync=True)
    bandwidth = traitlets.Float().tag(sync=True)
    colours: traitlets.Dict = traitlets.Dict().tag(sync=True)

    def __init__(self, views: Sequence[View], bandwidth: float) -> None:
        if not views:
            raise ParameterError("There is nothing to explore: give at least one matrix.")
        self._first = views[0]
        bins = len(views[0].numbers())
        super().__init__(
            views=[_packed(number, view, bins) for number, view in enumerate(views)],
            sounds={_key(sound): sound for view in views for sound in view.audio.values()},
            bandwidth=bandwidth,
            colours={"level": _colours(figures.SEQUENTIAL), "signed": _colours(figures.DIVERGING)},
        )

    def add(self, view: View) -> None:
        """Show one more matrix beside those that are there.

        Raises:
            ParameterError: where its size differs from theirs.
        """
        packed = _packed(len(self.views), view, self.views[0]["bins"])
        self.sounds = self.sounds | {_key(sound): sound for sound in view.audio.values()}
        self.views = [*self.views, packed]

    def still(self) -> bytes:
        """A PNG of the first matrix, each row to its peak, for readers without JavaScript."""
        values = self._first.numbers()
        peaks = np.abs(values).max(axis=1, keepdims=True)
        figure = Figure(figsize=(4, 3.6), facecolor="white", layout="constrained")
        axis = figure.subplots()
        scaled = values / np.where(peaks, peaks, 1)
        figure.colorbar(figures.matrix(axis, torch.as_tensor(scaled), self.bandwidth, "each row to its peak"), ax=axis)
        return figures.picture(figure)[0]

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        data, metadata = super()._repr_mimebundle_(**kwargs) or ({}, {})
        return data | {"image/png": base64.b64encode(self.still()).decode()}, metadata
