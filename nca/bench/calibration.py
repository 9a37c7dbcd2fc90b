"""How fast a device is: a few steps of each stage at a few sizes, timed in turns, or its maker's data sheet.

Of each stage is kept how near its steps come to their floor. That share changes slowly with the number of bins, so a
size that was not timed takes it from its neighbours.
"""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import torch

from nca.bench import flops
from nca.bench.flops import Work
from nca.bench.steps import Step, couplings_step, mapping_step, spectra_step, training_step
from nca.bench.timing import interleave, machine, seconds_of
from nca.errors import ParameterError
from nca.support.precision import PRECISIONS, check_precision, products

SIZES = (129, 385, 769, 1537)
DEEP_FRAMES = 8  # of the exact mapping of a deep network, which goes frame by frame
SPECTRA_FRAMES = 64
TURN = 0.1  # seconds
# By device, dense peaks in operations a second by the precision of the products, and bytes a second of the memory.
SHEETS: dict[str, dict[str, float]] = {
    "h100": {"float32": 67e12, "tf32": 495e12, "bfloat16": 989e12, "bandwidth": 3.35e12},
}
SHARE = 0.5  # of the floor's speed, assumed of a device by its data sheet
PEAK_SIDE, COPIED = 2048, 1 << 24  # the square product and the number of floats that the peaks are measured with


class Point(NamedTuple):
    """A stage of STAGES at a number of bins."""

    stage: str
    bins: int


@dataclass(frozen=True)
class Stage:
    """One kind of step: its work by bins, and how to make one by bins, device, how many at once, and precision."""

    work: Callable[[int], Work]
    make: Callable[[int, torch.device, int, str], Step]


STAGES = {
    "spectra": Stage(
        lambda bins: flops.spectra_frame(bins) * SPECTRA_FRAMES,
        lambda bins, device, K, _: spectra_step(SPECTRA_FRAMES, bins, device, K),
    ),
    "training": Stage(
        lambda bins: flops.training_step(bins, 2),
        lambda bins, device, K, precision: training_step(bins, 2, K, device, precision),
    ),
    "student": Stage(
        flops.student_iteration,
        lambda bins, device, K, precision: couplings_step("student", bins, 2, K, device, precision),
    ),
    "compositional": Stage(
        lambda bins: flops.compositional_iteration(bins, 2),
        lambda bins, device, K, precision: couplings_step("compositional", bins, 2, K, device, precision),
    ),
    "exact mapping": Stage(
        lambda bins: flops.exact_mapping(bins, 2),
        lambda bins, device, K, _: mapping_step(bins, 2, K, device),
    ),
    "exact mapping, deep": Stage(
        lambda bins: flops.exact_mapping(bins, 4, DEEP_FRAMES),
        lambda bins, device, K, _: mapping_step(bins, 4, K, device, DEEP_FRAMES),
    ),
}


@dataclass(frozen=True)
class Calibration:
    """A device: operations and bytes a second, and for each stage the share of the floor's speed that it reaches.

    Attributes:
        device: in words.
        measured: False where the numbers are a data sheet's and an assumption.
        shares: by stage, floor over time at each number of bins that was timed.
    """

    device: str
    peak: float
    bandwidth: float
    measured: bool
    shares: Mapping[str, Mapping[int, float]]

    def seconds(self, stage: str, bins: int, amount: Work) -> float:
        """Predicted time of an amount of work of a stage."""
        return amount.floor(self.peak, self.bandwidth) / between(self.shares[stage], bins)


def calibrate(
    device: torch.device, sizes: Sequence[int] = SIZES, times: int = 1, rounds: int = 3, precision: str = "float32"
) -> Calibration:
    """Time every stage on a device.

    Args:
        sizes: numbers of bins.
        times: initialisations or segments at once.
        precision: of the products of training and of the strategies; the other stages know but float32.

    Raises:
        ParameterError: for an unknown precision.
    """
    check_precision(precision)
    points = [Point(stage, bins) for stage in STAGES for bins in sizes]
    return calibration(measure(points, device, times, rounds, precision), device, times, precision)


def from_sheet(name: str, precision: str = "tf32") -> Calibration:
    """A calibration of published peaks, of which every stage is assumed to reach the same SHARE: not a measurement.

    Raises:
        ParameterError: for a device or a precision without numbers.
    """
    sheet = SHEETS.get(name)
    if sheet is None or precision not in sheet:
        known = ", ".join(f"{device} in {one}" for device, of in SHEETS.items() for one in of if one != "bandwidth")
        raise ParameterError(f"There is no data sheet of {name!r} in {precision!r}; there are {known}.")
    title = f"{name.upper()} by its data sheet, {precision}, {SHARE:.0%} of the floor's speed assumed"
    return Calibration(title, sheet[precision], sheet["bandwidth"], False, {stage: {1: SHARE} for stage in STAGES})


def measure(
    points: Sequence[Point], device: torch.device, times: int, rounds: int, precision: str = "float32"
) -> dict[Point, float]:
    """Seconds of a step at each point, medians over rounds in which all take turns; of the peaks' steps the best turn.

    A turn is as many steps as take about TURN seconds: a shorter one, on a machine with other work, would meet either
    all of that work or none of it.
    """
    with products(precision):
        steps = {point: STAGES[point.stage].make(point.bins, device, times, precision) for point in points}
        steps |= peak_steps(device, PRECISIONS[precision])
        counts = {point: _steps_a_turn(step, device) for point, step in steps.items()}
        turns = {point: partial(_repeat, step, counts[point]) for point, step in steps.items()}
        seconds = interleave(turns, rounds, device)
    usual = {point: statistics.median(each) / counts[point] for point, each in seconds.items()}
    return usual | {peak: min(seconds[peak]) / counts[peak] for peak in (PRODUCT, COPY)}


def calibration(
    seconds: Mapping[Point, float], device: torch.device, times: int = 1, precision: str = "float32"
) -> Calibration:
    """What :func:`measure` found, as a calibration."""
    peak, bandwidth = rates(seconds[PRODUCT], seconds[COPY])
    shares: dict[str, dict[int, float]] = {}
    for (stage, bins), measured in seconds.items():
        if stage in STAGES:
            floor = (STAGES[stage].work(bins) * times).floor(peak, bandwidth)
            shares.setdefault(stage, {})[bins] = floor / measured
    return Calibration(f"{machine(str(device))}, {precision}", peak, bandwidth, True, shares)


PRODUCT, COPY = Point("square product", PEAK_SIDE), Point("copy", COPIED)


def peak_steps(device: torch.device, dtype: torch.dtype = torch.float32) -> dict[Point, Step]:
    """A large product and a large copy: what the device can do at best."""
    square, out = (torch.rand(PEAK_SIDE, PEAK_SIDE, device=device).to(dtype) for _ in range(2))
    source, copy = (torch.zeros(COPIED, device=device) for _ in range(2))
    return {PRODUCT: lambda: torch.matmul(square, square, out=out), COPY: lambda: copy.copy_(source)}


def rates(product: float, copy: float) -> tuple[float, float]:
    """Operations and bytes a second, from the seconds of the two :func:`peak_steps`."""
    return 2 * PEAK_SIDE**3 / product, 2 * flops.FLOAT * COPIED / copy


def _steps_a_turn(step: Step, device: torch.device) -> int:
    step()  # the first one allocates
    return max(1, round(TURN / seconds_of(step, device)))


def _repeat(step: Step, times: int) -> None:
    for _ in range(times):
        step()


def between(shares: Mapping[int, float], bins: int) -> float:
    """The share at a number of bins, linear in its logarithm between those that were timed; beyond, the nearest's."""
    sizes = sorted(shares)
    for low, high in pairwise(sizes):
        if low <= bins <= high:
            way = math.log(bins / low) / math.log(high / low)
            return (1 - way) * shares[low] + way * shares[high]
    return shares[sizes[0] if bins < sizes[0] else sizes[-1]]
