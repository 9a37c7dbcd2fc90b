"""Other solvers, schedules and starts in the place of the paper's 600 steps of Adam, and how near they come."""

import math
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn
from torch.optim import Optimizer, lr_scheduler

from nca.analysis.diagnostics import unless_silent
from nca.couplings import Couplings
from nca.couplings.compositional import CompositionalDescent
from nca.couplings.network import decode
from nca.couplings.student import StudentDescent
from nca.errors import ParameterError
from nca.mapping import mean_mapping
from nca.metrics import correlation, snr, tod_ratio

DESCENTS = {"student": StudentDescent, "compositional": CompositionalDescent}
SCHEDULES: dict[str, Callable[[Optimizer, int], Any]] = {
    "constant": lambda optimizer, steps: lr_scheduler.LambdaLR(optimizer, lambda _: 1.0),
    "linear": lambda optimizer, steps: lr_scheduler.LinearLR(optimizer, 1, 0, total_iters=steps),
    "cosine": lambda optimizer, steps: lr_scheduler.CosineAnnealingLR(optimizer, steps),
    "one cycle": lambda optimizer, steps: lr_scheduler.OneCycleLR(
        optimizer, optimizer.defaults["lr"], total_steps=steps + 1, cycle_momentum=False
    ),
}


def solve(
    model: nn.Module,
    mixture: Tensor,
    *,
    strategy: str,
    solver: str = "Adam",
    options: Mapping[str, Any] | None = None,
    schedule: str = "constant",
    iterations: int = 600,
    **start: Any,
) -> Couplings:
    """Couplings by any solver of `torch.optim`.

    Args:
        model, mixture: as for the strategies.
        strategy: `student` or `compositional`.
        solver, options: class in `torch.optim` and its arguments; the paper's rate if left out.
        schedule: of the rate, one of SCHEDULES.
        start: what the strategy's descent takes besides: gate, bias, initial, seed, precision.

    Raises:
        ParameterError: for an unknown strategy, solver or schedule; else as the strategies do.
    """
    for value, choices in ((strategy, DESCENTS), (schedule, SCHEDULES), (solver, vars(torch.optim))):
        if value not in choices:
            raise ParameterError(
                f"There is no {value!r} among the strategies, schedules and solvers of nca.analysis.solvers."
            )
    build = partial(getattr(torch.optim, solver), **(options or {"lr": 4e-4}))
    descent = DESCENTS[strategy](model, mixture, build, **start)
    rate = SCHEDULES[schedule](descent.optimizer, iterations)
    loss = descent.run(iterations, progress=lambda number, error: rate.step())
    return Couplings(solver, descent.matrix(), loss=loss)


@torch.no_grad()
def compare(
    model: nn.Module, mixture: Tensor, trials: Mapping[str, Callable[[nn.Module, Tensor], Couplings]]
) -> pd.DataFrame:
    """One row a trial on a segment `(bins, frames)`, the first of which the others are compared with.

    Columns: `trial`; `loss`, `seconds` and `tod_ratio`, all over the first's; `correlation` with the first's matrix;
    `snr_change` to the model's output in dB; `exact_correlation` with the mean exact mapping; and whether the trial
    `reaches` the first: no more loss in at most a third of the time, TOD-R within 2 %, correlation at least 0.99. A
    figure that does not exist, as all those of a trial that diverged, is None.
    """
    output, exact = decode(model, mixture), mean_mapping(model, mixture).matrix
    rows: list[dict[str, Any]] = []
    reference: dict[str, Any] = {}
    for name, trial in trials.items():
        began = time.perf_counter()
        C = trial(model, mixture).matrix
        seconds = time.perf_counter() - began
        made = C @ mixture
        found = {
            "matrix": C,
            "seconds": seconds,
            "loss": (output - made).abs().sum().item(),
            "tod_ratio": tod_ratio(C).item(),
            "snr": unless_silent(snr, output, made),
        }
        reference = reference or found
        rows.append({"trial": name, **_beside(found, reference), "exact_correlation": correlation(C, exact).item()})
    table = pd.DataFrame(rows)
    exists = table.notna() & ~table.isin([math.inf, -math.inf])
    return table.astype(object).where(exists, None)


def _beside(found: Mapping[str, Any], reference: Mapping[str, Any]) -> dict[str, Any]:
    ratios = {name: found[name] / (reference[name] or math.nan) for name in ("loss", "seconds", "tod_ratio")}
    alike = correlation(found["matrix"], reference["matrix"]).item()
    reaches = ratios["loss"] <= 1 and ratios["seconds"] <= 1 / 3 and abs(ratios["tod_ratio"] - 1) <= 0.02
    change = None if None in (found["snr"], reference["snr"]) else found["snr"] - reference["snr"]
    return {**ratios, "correlation": alike, "snr_change": change, "reaches": reaches and alike >= 0.99}
