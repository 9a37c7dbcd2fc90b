"""The explorer as a widget: its state travels with the page, so that it needs no kernel."""

import base64
import hashlib
import io
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
        colours = {"level": _colours(figures.SEQUENTIAL), "signed": _colours(figures.DIVERGING)}
        super().__init__(bandwidth=bandwidth, colours=colours)
        self._first = views[0]
        for view in views:
            self.add(view)

    def add(self, view: View) -> None:
        """Show one more matrix, beside those that are there.

        Raises:
            ParameterError: where its size differs from theirs.
        """
        values = view.numbers()
        if self.views and len(values) != self.views[0]["bins"]:
            raise ParameterError(f"One explorer shows one size, not {self.views[0]['bins']} and {len(values)} bins.")
        keyed = {label: (hashlib.sha256(sound).hexdigest()[:16], sound) for label, sound in view.audio.items()}
        self.sounds = self.sounds | dict(keyed.values())
        place = {"model": view.model, "strategy": view.strategy, "song": view.song, "segment": view.segment}
        audio = [[label, key] for label, (key, _) in keyed.items()]
        self.views = [*self.views, {"id": len(self.views), **place, **quantise(values), "audio": audio}]

    def still(self) -> bytes:
        """A PNG of the first matrix, each row to its peak, for readers without JavaScript."""
        values = self._first.numbers()
        peaks = np.abs(values).max(axis=1, keepdims=True)
        figure = Figure(figsize=(5, 4.6), dpi=96, facecolor="white", layout="constrained")
        axis = figure.subplots()
        scaled = values / np.where(peaks, peaks, 1)
        figure.colorbar(figures.matrix(axis, torch.as_tensor(scaled), self.bandwidth, "each row to its peak"), ax=axis)
        target = io.BytesIO()
        figure.savefig(target, format="png")
        return target.getvalue()

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        data, metadata = super()._repr_mimebundle_(**kwargs) or ({}, {})
        return data | {"image/png": base64.b64encode(self.still()).decode()}, metadata
