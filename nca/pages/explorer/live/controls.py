"""The explorer as one call, and controls that, with a kernel, compute more matrices."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import ipywidgets
from torch import Tensor, nn

from nca.analysis.strategies import ITERATED
from nca.errors import NCAError, ParameterError
from nca.pages.explorer.live.widget import Explorer
from nca.pages.explorer.views import Shown, View, as_views

BANDWIDTH = 44100 / 4096
Recompute = Callable[[Mapping[str, Any], Callable[..., None]], Shown]
CONTROLS = {
    "strategy": list(ITERATED),
    "iterations": (50, 600, 50),
    "learning_rate": [4e-4, 1e-4, 1.2e-3],
    "seed": (0, 9),
}


def explore(
    couplings: Shown,
    *,
    bandwidth: float = BANDWIDTH,
    recompute: Recompute | None = None,
    controls: Mapping[str, Any] | None = None,
) -> "Explorer | LiveExplorer":
    """A view of couplings matrices `(bins, bins)`, all of one size, that works with and without a kernel.

    `explore(...).save("couplings.html")` keeps it as one file that any browser opens.

    Args:
        couplings: a matrix (tensor, array or :class:`nca.couplings.Couplings`), a
            :class:`nca.LocalMapping` of all bands, a
            :class:`View`, a list of such, or a mapping from a model's name to one. Leading dimensions of a matrix are
            taken as segments; the lags of a local mapping become a slider, its mask's own term a switch.
        bandwidth: Hz from band to band.
        recompute: with a kernel, computes more matrices from the controls' values; its second argument takes the
            share that is done, 0 to 1, and what to say beside the bar. :func:`rerun` makes one of the NCA,
            :func:`nca.remap` one of the local mapping.
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
    return LiveExplorer(explorer, recompute, controls or {})


def rerun(model: nn.Module, mixture: Tensor) -> dict[str, Any]:
    """Arguments with which :func:`explore` runs the NCA again by its controls and shows every iteration.

    `nca.explore(couplings, **nca.rerun(model, mixture))`, with the model and the mixture `(bins, frames)` that the
    strategies take.
    """

    def recompute(parameters: Mapping[str, Any], progress: Callable[..., None]) -> Tensor:
        strategy = ITERATED[parameters["strategy"]]
        settings = {name: value for name, value in parameters.items() if name != "strategy"}
        losses: list[float] = []

        def watch(number: int, loss: Tensor) -> None:
            losses.append(loss.item())
            note = f"iteration {number}: error {losses[-1] / losses[0]:.3f} of the first"
            progress(number / settings["iterations"], note)

        return strategy(model, mixture, progress=watch, **settings).matrix

    return {"recompute": recompute, "controls": CONTROLS}


class LiveExplorer(ipywidgets.VBox):
    """An explorer above one control a parameter and a button, which adds what `recompute` returns to its matrices."""

    def __init__(self, explorer: Explorer, recompute: Recompute, controls: Mapping[str, Any]) -> None:
        self.explorer, self._recompute = explorer, recompute
        self._inputs = {name: ipywidgets.interactive.widget_from_abbrev(choice) for name, choice in controls.items()}
        for name, control in self._inputs.items():
            control.description = name
            control.style.description_width = "initial"
        self._button = ipywidgets.Button(description="Compute", button_style="primary")
        self._button.on_click(self._compute)
        self._bar, self._message = ipywidgets.FloatProgress(min=0, max=1), ipywidgets.Label()
        below = ipywidgets.HBox([self._button, self._bar, self._message])
        super().__init__([explorer, ipywidgets.HBox([*self._inputs.values()]), below])

    def save(self, path: Path | str, title: str = "Couplings") -> Path:
        """Write the explorer with all matrices that it has by now, as :meth:`Explorer.save` does."""
        return self.explorer.save(path, title)

    def _report(self, share: float, note: str = "") -> None:
        self._bar.value, self._message.value = share, note

    def _compute(self, _: ipywidgets.Button) -> None:
        parameters = {name: control.value for name, control in self._inputs.items()}
        self._button.disabled = True
        self._report(0)
        try:
            found = self._recompute(parameters, self._report)
            self.explorer.add(*self._named(found, parameters))
        except NCAError as error:
            self._message.value = str(error)
        finally:
            self._button.disabled = False

    def _named(self, found: Shown, parameters: Mapping[str, Any]) -> list[View]:
        """What was computed as views; a matrix is called by the controls' values."""
        label = ", ".join(f"{name} {value}" for name, value in parameters.items())
        views = as_views(found)
        return [view if view.strategy else replace(view, model="computed here", strategy=label) for view in views]
