"""Every strategy on one segment, from several seeds, and the exact mapping of the network before its training."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from nca.couplings import Couplings
from nca.diagnostics import diagnose
from nca.mapping import mean_mapping, offset_share
from nca.models import Separator, build
from nca.strategies import SEEDED, by_strategy

UNTRAINED = "mean exact mapping, untrained"


def judge(
    model: Separator,
    untrained: int,
    mixture: Tensor,
    voice: Tensor,
    strategies: Sequence[str],
    iterations: int = 600,
    starts: int = 2,
) -> list[dict[str, Any]]:
    """One row a strategy and seed of its start: its diagnostics, with the correlation to the start before it.

    Args:
        model: trained.
        untrained: seed of the model's initialisation, whose exact mapping gets a row of its own.
        mixture, voice: magnitudes `(bins, frames)`, standardised as the model sees them.
        strategies: names of `nca.strategies.STRATEGIES`; those that draw their start run once a seed, in a batch.
    """
    exact, rows = mean_mapping(model, mixture), []
    share = offset_share(model, mixture).item()
    for name in strategies:
        found = _from_starts(name, model, mixture, iterations, starts)
        for start, couplings in enumerate(found):
            sibling = found[start - 1] if len(found) > 1 else None
            figures = diagnose(model, couplings, mixture, voice, exact, sibling).row()
            rows.append({"start": start, "offset_share": share, **figures})
    blank = build(model.name, model.bins, untrained).to(mixture).requires_grad_(False)
    before = mean_mapping(blank, mixture)
    figures = diagnose(blank, before, mixture, voice, exact).row() | {"strategy": UNTRAINED}
    return [*rows, {"start": 0, "offset_share": offset_share(blank, mixture).item(), **figures}]


def _from_starts(name: str, model: Separator, mixture: Tensor, iterations: int, starts: int) -> list[Couplings]:
    if name not in SEEDED:
        return [by_strategy(name, model, mixture, iterations)]
    batch = by_strategy(name, model, mixture.expand(starts, *mixture.shape), iterations, list(range(starts)))
    return [batch.element(index) for index in range(starts)]
