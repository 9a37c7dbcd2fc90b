"""How much it brings to train many initialisations, and to analyse many segments, at once."""

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch

from nca.bench import flops
from nca.bench.calibration import COPY, PRODUCT, peak_steps, rates
from nca.bench.flops import Work
from nca.bench.steps import Step, couplings_step, training_step
from nca.bench.timing import Report, find_device, interleave, ratio, report
from nca.bench.workload import FRAMES
from nca.support.memory import out_of_memory
from nca.support.precision import PRECISIONS, check_precision, products

ITERATIONS = 600


@dataclass(frozen=True)
class Contender:
    """Something that can be done for many at once.

    Attributes:
        counted: what there are many of, `instances` or `segments`.
        make: a step of so many at once in a precision.
        work: of a step of one.
        moved: bytes that the optimiser (or, for couplings, everything) moves in a step of one.
    """

    counted: str
    make: Callable[[int, str], Step]
    work: Work
    moved: float


def bench_ensembles(
    bins: int = 2049,
    depth: int = 2,
    instances: Sequence[int] = (1, 8, 50),
    batches: Sequence[int] = (1, 8, 32),
    precisions: Sequence[str] = ("float32", "tf32", "bfloat16"),
    rounds: int = 5,
    device: str = "cpu",
) -> Report:
    """Many at once beside a loop over them: the tables of :func:`bench_training` and of :func:`bench_segments`.

    Args:
        bins: number of bins N.
        depth: number of layers L'.
        instances: initialisations at once.
        batches: segments at once.
        precisions: of the products; tf32 on CUDA alone.
        rounds: rounds in which all take turns.
        device: where to run, as torch names it.

    Raises:
        ParameterError: for a precision or a device that this machine does not have.
    """
    training = bench_training(bins, depth, instances, precisions, rounds, device)
    segments = bench_segments(bins, depth, batches, precisions, rounds, device)
    return report(device, training=training, segments=segments)


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
    one; `peak` and `bandwidth` of the device; `peak_share` and `optimiser_share`, what the products alone would take at
    the speed of a large square product, and what Adam alone would take at the speed of a large copy, over the time that
    the step takes.

    Raises:
        ParameterError: for a precision or a device that this machine does not have.
    """
    where = find_device(device)
    training = Contender(
        "instances",
        lambda K, precision: training_step(bins, depth, K, where, precision),
        flops.training_step(bins, depth),
        flops.optimiser_step(bins, depth).bytes,
    )
    rows = _rows(training, instances, precisions, rounds, where)
    return pd.DataFrame({"bins": bins, "layers": depth, **row} for row in rows)


def bench_segments(
    bins: int = 2049,
    depth: int = 2,
    batches: Sequence[int] = (1, 8, 32),
    precisions: Sequence[str] = ("float32",),
    rounds: int = 5,
    device: str = "cpu",
) -> pd.DataFrame:
    """One row a strategy, precision and number of segments at once; columns as of :func:`bench_training`.

    `per_second` counts complete couplings matrices, of 600 iterations each.

    Raises:
        ParameterError: for a precision or a device that this machine does not have.
    """
    where, table = find_device(device), []
    for strategy, work in {
        "student": flops.student_iteration(bins, FRAMES),
        "compositional": flops.compositional_iteration(bins, depth, FRAMES),
    }.items():

        def step(B: int, precision: str, strategy: str = strategy) -> Step:
            rounded = "bfloat16" if precision == "bfloat16" else "float32"
            return couplings_step(strategy, bins, depth, B, where, rounded)

        analysis = Contender("segments", step, work, work.bytes)
        for row in _rows(analysis, batches, precisions, rounds, where):
            row["per_second"] /= ITERATIONS
            table.append({"bins": bins, "layers": depth, "strategy": strategy, **row})
    return pd.DataFrame(table)


def _rows(
    contender: Contender, sizes: Sequence[int], precisions: Sequence[str], rounds: int, device: torch.device
) -> Iterator[dict[str, Any]]:
    """A row a precision and size that fits into memory; TF32 is left out where the device has none.

    Raises:
        ParameterError: for an unknown precision.
    """
    for precision in precisions:
        check_precision(precision)
    for precision in precisions:
        if precision == "tf32" and device.type != "cuda":
            continue
        for size in sorted({*sizes}):
            with products(precision):
                seconds = _timed(contender, size, precision, rounds, device)
            if seconds is None:
                print(f"{size} {contender.counted} in {precision} do not fit into memory")
            else:
                yield {"precision": precision, contender.counted: size, **_figures(contender, size, seconds)}


def _timed(
    contender: Contender, size: int, precision: str, rounds: int, device: torch.device
) -> dict[str, list[float]] | None:
    """Seconds of a step of one, of a step of all, and of the device's peaks, in turns; None where memory ran out."""
    peaks = peak_steps(device, PRECISIONS[precision])
    try:
        steps = {"one": contender.make(1, precision), "together": contender.make(size, precision)}
        return interleave(steps | {"product": peaks[PRODUCT], "copy": peaks[COPY]}, rounds, device)
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        return None


def _figures(contender: Contender, size: int, seconds: dict[str, list[float]]) -> dict[str, float]:
    median = {name: statistics.median(each) for name, each in seconds.items()}
    peak, bandwidth = rates(median["product"], median["copy"])
    together = median["together"]
    return {
        "seconds": together,
        "speedup": size * ratio(seconds["one"], seconds["together"]),
        "peak": peak,
        "bandwidth": bandwidth,
        "per_second": size / together,
        "peak_share": size * contender.work.flops / peak / together,
        "optimiser_share": size * contender.moved / bandwidth / together,
    }
