"""Controls that, with a kernel, compute a matrix anew."""

from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets

from nca.errors import NCAError
from nca.explorer.views import Matrix, View
from nca.explorer.widget import Explorer

Recompute = Callable[[Mapping[str, Any], Callable[[float], None]], Matrix]


def with_controls(explorer: Explorer, recompute: Recompute, controls: Mapping[str, Any]) -> ipywidgets.VBox:
    """The explorer above one control a parameter and a button, which adds what `recompute` returns to its matrices."""
    inputs = {name: ipywidgets.interactive.widget_from_abbrev(choice) for name, choice in controls.items()}
    for name, control in inputs.items():
        control.description = name
        control.style.description_width = "initial"
    button = ipywidgets.Button(description="Compute", button_style="primary")
    bar, message = ipywidgets.FloatProgress(min=0, max=1), ipywidgets.Label()

    def compute(_: ipywidgets.Button) -> None:
        parameters = {name: control.value for name, control in inputs.items()}
        button.disabled, message.value, bar.value = True, "", 0
        try:
            matrix = recompute(parameters, lambda share: setattr(bar, "value", share))
            label = ", ".join(f"{name} {value}" for name, value in parameters.items())
            explorer.add(View(matrix, model="computed here", strategy=label))
        except NCAError as error:
            message.value = str(error)
        finally:
            button.disabled = False

    button.on_click(compute)
    return ipywidgets.VBox([explorer, ipywidgets.HBox([*inputs.values()]), ipywidgets.HBox([button, bar, message])])
