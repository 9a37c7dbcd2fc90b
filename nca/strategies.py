"""Every way of obtaining a couplings matrix that the tables compare, by the name under which they show it."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

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
from nca.couplings.problem import Seeds
from nca.errors import ParameterError
from nca.mapping import mean_mapping

ITERATED: dict[str, Callable[..., Couplings]] = {
    "student": student,
    "student (zero start)": partial(student, initial="zeros"),
    "student (rate 1e-4)": partial(student, learning_rate=1e-4),
    "compositional": compositional,
    "compositional (published gate)": partial(compositional, gate="published"),
    "compositional (row bias)": partial(compositional, bias="row"),
    "compositional (gates start)": partial(compositional, initial="gates"),
    "compositional (rate 1e-4)": partial(compositional, learning_rate=1e-4),
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
}
STRATEGIES = (*ITERATED, *CLOSED)


def by_strategy(name: str, model: nn.Module, mixture: Tensor, iterations: int = 600, seed: Seeds = 0) -> Couplings:
    """The couplings of one segment by the strategy called `name`, with the paper's settings (Sec. 4.2).

    `iterations` and `seed` only matter to strategies that iterate.

    Raises:
        ParameterError: for a name that is not in STRATEGIES.
    """
    if name in ITERATED:
        found = ITERATED[name](model, mixture, iterations=iterations, seed=seed)
    elif name in CLOSED:
        found = CLOSED[name](model, mixture)
    else:
        raise ParameterError(f"There is no strategy {name!r}; choose one of {', '.join(STRATEGIES)}.")
    return replace(found, strategy=name)
