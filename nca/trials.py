"""Other solvers, schedules and starts in the place of the paper's 600 steps of Adam, and how near they come."""

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn
from torch.optim import Optimizer, lr_scheduler

from nca.couplings import Couplings
from nca.couplings.compositional import CompositionalDescent
from nca.couplings.student import StudentDescent
from nca.errors import ParameterError
from nca.mapping import mean_mapping
from nca.metrics import correlation, snr, tod_ratio
from nca.models import decode

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
            raise ParameterError(f"There is no {value!r} among strategies, schedules and solvers; see nca.trials.")
    build = partial(getattr(torch.optim, solver), **(options or {"lr": 4e-4}))
    descent = DESCENTS[strategy](model, mixture, build, **start)
    rate = SCHEDULES[schedule](descent.optimizer, iterations)
    losses = []
    for _ in range(iterations):
        losses.append(torch.as_tensor(descent.step()))
        rate.step()
    return Couplings(solver, descent.matrix(), loss=torch.stack(losses, -1))


@torch.no_grad()
def compare(
    model: nn.Module, mixture: Tensor, trials: Mapping[str, Callable[[nn.Module, Tensor], Couplings]]
) -> pd.DataFrame:
    """One row a trial on a segment `(bins, frames)`, the first of which is what the others are held against.

    Columns: `trial`; `loss`, `seconds` and `tod_ratio`, all over the first's; `correlation` with the first's matrix;
    `snr_change` to the model's output in dB; `exact_correlation` with the mean exact mapping; and whether the trial
    `reaches` the first: no more loss in at most a third of the time, TOD-R within 2 %, correlation at least 0.99.
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
            "snr": snr(output, made).item(),
        }
        reference = reference or found
        rows.append({"trial": name, **_beside(found, reference), "exact_correlation": correlation(C, exact).item()})
    return pd.DataFrame(rows)


def _beside(found: Mapping[str, Any], reference: Mapping[str, Any]) -> dict[str, Any]:
    ratios = {name: found[name] / reference[name] for name in ("loss", "seconds", "tod_ratio")}
    alike = correlation(found["matrix"], reference["matrix"]).item()
    reaches = ratios["loss"] <= 1 and ratios["seconds"] <= 1 / 3 and abs(ratios["tod_ratio"] - 1) <= 0.02
    change = found["snr"] - reference["snr"]
    return {**ratios, "correlation": alike, "snr_change": change, "reaches": reaches and alike >= 0.99}
