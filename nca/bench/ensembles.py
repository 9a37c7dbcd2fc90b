"""How much it brings to train many initialisations, and to analyse many segments, at once."""

import statistics
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
import torch

from nca.bench.steps import Step, couplings_step, training_step
from nca.bench.timing import FRAMES, find_device, take_turns
from nca.cost import work
from nca.cost.calibration import COPY, PRODUCT, peak_steps, rates
from nca.cost.work import Work
from nca.memory import out_of_memory
from nca.products import PRECISIONS, check_precision, products

ITERATIONS = 600
STRATEGIES = ("student", "compositional")


def bench_training(
    bins: int = 2049,
    depth: int = 2,
    instances: Sequence[int] = (1, 8, 50),
    precisions: Sequence[str] = ("float32",),
    rounds: int = 5,
    device: str = "cpu",
) -> pd.DataFrame:
    """One row a precision and number K of initialisations trained at once.

    Columns: `seconds` of a step of all; `per_second`, steps of an initialisation; `speedup` over a loop of K steps of
    one; `peak_share` and `optimiser_share`, what the products alone would take at the speed of a large square product,
    and what Adam alone would take at the speed of a large copy, over the time that the step takes.

    Raises:
        ParameterError: for a precision or a device that this machine does not have.
    """
    where, floor = find_device(device), work.training_step(bins, depth)
    rows = []
    for precision in _possible(precisions, where):
        make = {K: _maker(training_step, bins, depth, K, where, precision) for K in {1, *instances}}
        for row in _rows("instances", make, precision, rounds, where):
            moved = work.optimiser_step(bins, depth) * row["instances"]
            rows.append({"bins": bins, "layers": depth, **_shares(row, floor * row["instances"], moved)})
    return pd.DataFrame([row for row in rows if row["instances"] in instances])


def bench_segments(
    bins: int = 2049,
    depth: int = 2,
    batches: Sequence[int] = (1, 8, 32),
    precisions: Sequence[str] = ("float32",),
    rounds: int = 5,
    device: str = "cpu",
) -> pd.DataFrame:
    """One row a strategy, precision and number of segments at once; columns as of :func:`bench_training`.

    `per_second` counts whole couplings matrices, of 600 iterations each.

    Raises:
        ParameterError: for a precision or a device that this machine does not have.
    """
    where, rows = find_device(device), []
    floors = {
        "student": work.student_iteration(bins, FRAMES),
        "compositional": work.compositional_iteration(bins, depth, FRAMES),
    }
    for strategy in STRATEGIES:
        for precision in _possible(precisions, where):
            products = "bfloat16" if precision == "bfloat16" else "float32"
            make = {B: _maker(couplings_step, strategy, bins, depth, B, where, products) for B in {1, *batches}}
            for row in _rows("segments", make, precision, rounds, where):
                moved = Work(0, floors[strategy].bytes) * row["segments"]
                shares = _shares(row, floors[strategy] * row["segments"], moved)
                shares["per_second"] /= ITERATIONS
                rows.append({"bins": bins, "layers": depth, "strategy": strategy, **shares})
    return pd.DataFrame([row for row in rows if row["segments"] in batches])


def _rows(
    counted: str, make: dict[int, Callable[[], Step]], precision: str, rounds: int, device: torch.device
) -> list[dict[str, Any]]:
    """A row a size that fits into memory: each is timed in turns with the step of one, and with the device's peaks."""
    rows = []
    for size in sorted(make):
        with products(precision):
            seconds = _timed(make[1], make[size], precision, rounds, device)
        if seconds is None:
            print(f"{size} {counted} in {precision} do not fit into memory")
            continue
        row = {name: statistics.median(each) for name, each in seconds.items()}
        ratios = [size * one / together for one, together in zip(seconds["one"], seconds["together"], strict=True)]
        about = {"precision": precision, counted: size, "seconds": row["together"], "count": size}
        peak, bandwidth = rates(row["product"], row["copy"])
        rows.append(about | {"speedup": statistics.median(ratios), "peak": peak, "bandwidth": bandwidth})
    return rows


def _timed(
    one: Callable[[], Step], together: Callable[[], Step], precision: str, rounds: int, device: torch.device
) -> dict[str, list[float]] | None:
    """None where memory ran out."""
    peaks = peak_steps(device, PRECISIONS[precision])
    try:
        steps = {"one": one(), "together": together(), "product": peaks[PRODUCT], "copy": peaks[COPY]}
        return take_turns(steps, rounds, device)
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        return None


def _shares(row: dict[str, Any], whole: Work, moved: Work) -> dict[str, Any]:
    """The row with what depends on the work of its step."""
    row["per_second"] = row.pop("count") / row["seconds"]
    row["peak_share"] = whole.flops / row["peak"] / row["seconds"]
    row["optimiser_share"] = moved.bytes / row["bandwidth"] / row["seconds"]
    return row


def _maker(function: Callable[..., Step], *arguments: Any) -> Callable[[], Step]:
    return lambda: function(*arguments)


def _possible(precisions: Sequence[str], device: torch.device) -> list[str]:
    """The precisions, TF32 left out where the device has none.

    Raises:
        ParameterError: for one that is not in PRECISIONS.
    """
    for precision in precisions:
        check_precision(precision)
    return [precision for precision in precisions if precision != "tf32" or device.type == "cuda"]
