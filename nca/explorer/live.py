"""Controls that, with a kernel, compute a matrix anew."""

from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets
from torch import Tensor, nn

from nca.errors import NCAError
from nca.explorer.views import Matrix, View
from nca.explorer.widget import Explorer
from nca.strategies import ITERATED

Recompute = Callable[[Mapping[str, Any], Callable[..., None]], Matrix]
CONTROLS = {
    "strategy": list(ITERATED),
    "iterations": (50, 600, 50),
    "learning_rate": [4e-4, 1e-4, 1.2e-3],
    "seed": (0, 9),
}


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


def with_controls(explorer: Explorer, recompute: Recompute, controls: Mapping[str, Any]) -> ipywidgets.VBox:
    """The explorer above one control a parameter and a button, which adds what `recompute` returns to its matrices."""
    inputs = {name: ipywidgets.interactive.widget_from_abbrev(choice) for name, choice in controls.items()}
    for name, control in inputs.items():
        control.description = name
        control.style.description_width = "initial"
    button = ipywidgets.Button(description="Compute", button_style="primary")
    bar, message = ipywidgets.FloatProgress(min=0, max=1), ipywidgets.Label()

    def report(share: float, note: str = "") -> None:
        bar.value, message.value = share, note

    def compute(_: ipywidgets.Button) -> None:
        parameters = {name: control.value for name, control in inputs.items()}
        button.disabled = True
        report(0)
        try:
            matrix = recompute(parameters, report)
            label = ", ".join(f"{name} {value}" for name, value in parameters.items())
            explorer.add(View(matrix, model="computed here", strategy=label))
        except NCAError as error:
            message.value = str(error)
        finally:
            button.disabled = False

    button.on_click(compute)
    return ipywidgets.VBox([explorer, ipywidgets.HBox([*inputs.values()]), ipywidgets.HBox([button, bar, message])])
