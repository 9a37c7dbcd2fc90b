"""Every way of obtaining a couplings matrix that the tables compare, by the name under which they show it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from typing import Any

from torch import Tensor, nn

from nca.couplings import (
    Couplings,
    compositional,
    equaliser,
    identity,
    least_squares,
    linear_composition,
    ridge,
    student,
)
from nca.couplings.network import Network
from nca.couplings.problem import Seeds
from nca.errors import ParameterError
from nca.mapping import mean_jacobian, mean_mapping

TO_VOICE = " (to the voice)"  # what maps the mixture to SF's voice, not to its mask; the others' output is the voice
READINGS: dict[str, dict[str, Any]] = {
    "published gate": {"gate": "published"},
    "row bias": {"bias": "row"},
    "rate 1e-4": {"learning_rate": 1e-4},
}


def named(strategy: str, *readings: str) -> str:
    """The name of a strategy with some of READINGS, those of Sec. 3 and 4.2 that are not the default."""
    chosen = [reading for reading in READINGS if reading in readings]
    return f"{strategy} ({', '.join(chosen)})" if chosen else strategy


def _read(readings: Sequence[str]) -> dict[str, Any]:
    return {name: value for reading in readings for name, value in READINGS.get(reading, {}).items()}


def _student_of_voice(model: Network, mixture: Tensor, **settings: Any) -> Couplings:
    return replace(student(lambda x: model(x), mixture, **settings), target="voice")


COMPOSITIONAL = {
    named("compositional", *readings): partial(compositional, **_read(readings))
    for readings in product(*[("", reading) for reading in READINGS])
}
ITERATED: dict[str, Callable[..., Couplings]] = {
    "student": student,
    "student (zero start)": partial(student, initial="zeros"),
    "student (rate 1e-4)": partial(student, learning_rate=1e-4),
    "student" + TO_VOICE: _student_of_voice,
    **COMPOSITIONAL,
    "compositional (gates start)": partial(compositional, initial="gates"),
}
SEEDED = tuple(name for name, strategy in ITERATED.items() if "initial" not in getattr(strategy, "keywords", {}))
CLOSED: dict[str, Callable[[nn.Module, Tensor], Couplings]] = {
    "least squares": least_squares,
    "ridge": ridge,
    "linear composition": lambda model, mixture: linear_composition(model),
    "equaliser": equaliser,
    "identity": lambda model, mixture: identity(mixture.shape[-2]),
    "identity (as the output)": lambda model, mixture: replace(identity(mixture.shape[-2]), target="output"),
    "mean exact mapping": mean_mapping,
    "mean exact mapping" + TO_VOICE: mean_jacobian,
}
STRATEGIES = (*ITERATED, *CLOSED)


def by_strategy(
    name: str,
    model: nn.Module,
    mixture: Tensor,
    iterations: int = 600,
    seed: Seeds = 0,
    precision: str | None = None,
) -> Couplings:
    """The couplings of one segment by the strategy called `name`, with the paper's settings (Sec. 4.2).

    `iterations`, `seed` and `precision` (of the products) only matter to strategies that iterate.

    Raises:
        ParameterError: for a name that is not in STRATEGIES.
    """
    if name in ITERATED:
        found = ITERATED[name](model, mixture, iterations=iterations, seed=seed, precision=precision)
    elif name in CLOSED:
        found = CLOSED[name](model, mixture)
    else:
        raise ParameterError(f"There is no strategy {name!r}; choose one of {', '.join(STRATEGIES)}.")
    return replace(found, strategy=name)
