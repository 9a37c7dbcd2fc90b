"""The explorer as a widget: its state travels with the page, so that it needs no kernel."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anywidget
import torch
import traitlets

from nca.pages import figures
from nca.pages.explorer.saved import SCRIPT, STYLE, save_explorer
from nca.pages.explorer.state import explorer_state, packed, sounds_of
from nca.pages.explorer.views import View


class Explorer(anywidget.AnyWidget):
    """Couplings matrices to zoom, read band by band, compare and hear (explorer.js)."""

    _esm = SCRIPT
    _css = STYLE
    views: traitlets.List = traitlets.List().tag(sync=True)
    sounds: traitlets.Dict = traitlets.Dict().tag(sync=True)
    bandwidth = traitlets.Float().tag(sync=True)
    colours: traitlets.Dict = traitlets.Dict().tag(sync=True)

    def __init__(self, views: Sequence[View], bandwidth: float) -> None:
        super().__init__(**explorer_state(views, bandwidth))
        self._first = views[0]

    def add(self, *views: View) -> None:
        """Show more matrices beside those that are there.

        Raises:
            ParameterError: where one's size differs from theirs.
        """
        there, bins = len(self.views), self.views[0]["bins"]
        more = [packed(number, view, bins) for number, view in enumerate(views, there)]
        self.sounds = self.sounds | sounds_of(views)
        self.views = [*self.views, *more]

    def save(self, path: Path | str, title: str = "Couplings") -> Path:
        """Write the explorer, as it is now, to one HTML file that opens without Jupyter and without a network.

        Args:
            path: of the file, such as `couplings.html`.
            title: of the page.

        Raises:
            DataError: where the file cannot be written.
        """
        state = {name: getattr(self, name) for name in ("views", "sounds", "bandwidth", "colours")}
        return save_explorer(path, state, self.still(), title)

    def still(self) -> bytes:
        """A PNG of the first matrix, each row to its peak, for readers without JavaScript."""
        return figures.png(figures.normalised(torch.as_tensor(self._first.numbers()), self.bandwidth))[0]

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        data, metadata = super()._repr_mimebundle_(**kwargs) or ({}, {})
        return data | {"image/png": base64.b64encode(self.still()).decode()}, metadata
