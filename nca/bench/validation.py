"""The cost model put to the test: predictions beside measured times, at sizes that it was not calibrated on."""

from collections.abc import Sequence

import pandas as pd

from nca.bench.calibration import SIZES, STAGES, Point, calibration, measure
from nca.bench.timing import Report, find_device, report
from nca.errors import ParameterError

HELD_OUT = (257, 513, 641, 744, 1025)


def check_cost(
    bins: Sequence[int] = HELD_OUT,
    stages: Sequence[str] = tuple(STAGES),
    rounds: int = 5,
    device: str = "cpu",
    sizes: Sequence[int] = SIZES,
) -> Report:
    """Predictions beside measured times, one row a stage and number of bins.

    Each is timed in the same rounds as the calibration, which does not see it.

    Columns: `floor`, `predicted` and `measured` seconds of a step, and `error`, predicted over measured minus one.

    Args:
        bins: numbers of bins N to predict.
        stages: of the cost model.
        rounds: rounds in which all take turns.
        device: where to run, as torch names it.
        sizes: numbers of bins to calibrate on.

    Raises:
        ParameterError: for a size that is calibrated on, an unknown stage, or a device that this machine lacks.
    """
    where = find_device(device)
    if both := sorted({*bins} & {*sizes}):
        raise ParameterError(f"{both[0]} bins are calibrated on, so they test nothing; choose others.")
    if unknown := [stage for stage in stages if stage not in STAGES]:
        raise ParameterError(f"There is no stage {unknown[0]!r}; choose from {', '.join(STAGES)}.")
    points = [Point(stage, size) for stage in stages for size in sorted({*bins, *sizes})]
    seconds = measure(points, where, times=1, rounds=rounds)
    known = calibration({point: each for point, each in seconds.items() if point.bins not in bins}, where)
    rows = []
    for point in (point for point in points if point.bins in bins):
        amount = STAGES[point.stage].work(point.bins)
        predicted, measured = known.seconds(point.stage, point.bins, amount), seconds[point]
        times = {"floor": amount.floor(known.peak, known.bandwidth), "predicted": predicted, "measured": measured}
        rows.append({**point._asdict(), **times, "error": predicted / measured - 1})
    return report(device, rows=pd.DataFrame(rows))
