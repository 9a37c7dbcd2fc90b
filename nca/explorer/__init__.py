"""The explorer: couplings matrices to zoom, read band by band, compare and hear, in a page or in JupyterLab."""

from collections.abc import Mapping
from typing import Any

import ipywidgets

from nca.errors import ParameterError
from nca.explorer.live import Recompute, rerun, with_controls
from nca.explorer.sound import encode
from nca.explorer.views import Shown, View, as_views
from nca.explorer.widget import Explorer

__all__ = ["Explorer", "View", "encode", "explore", "rerun"]

BANDWIDTH = 44100 / 4096


def explore(
    couplings: Shown,
    *,
    bandwidth: float = BANDWIDTH,
    recompute: Recompute | None = None,
    controls: Mapping[str, Any] | None = None,
) -> Explorer | ipywidgets.VBox:
    """A view of couplings matrices `(bins, bins)`, all of one size, that works with and without a kernel.

    Args:
        couplings: a matrix (tensor, array or :class:`nca.couplings.Couplings`), a :class:`View`, a list of such, or a
            mapping from a model's name to one. Leading dimensions of a matrix are taken as segments.
        bandwidth: Hz from band to band.
        recompute: with a kernel, computes one more matrix from the controls' values; its second argument takes the
            share that is done, 0 to 1, and what to say beside the bar. :func:`rerun` makes one of the NCA.
        controls: for each parameter of `recompute` what `ipywidgets.interact` accepts: `(lowest, highest, step)`,
            a list of choices, a number.

    Raises:
        ParameterError: where there is no matrix, one is not square or finite, or sizes differ.
    """
    explorer = Explorer(as_views(couplings), bandwidth)
    if recompute is None:
        if controls:
            raise ParameterError("Controls need `recompute`, the function that takes their values.")
        return explorer
    return with_controls(explorer, recompute, controls or {})
