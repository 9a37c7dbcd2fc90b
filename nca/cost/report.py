"""How long and how much memory each stage of an experiment takes, predicted, with the floor beside."""

import math
from dataclasses import dataclass

import pandas as pd

from nca.cost import work
from nca.cost.calibration import Calibration
from nca.cost.work import Work
from nca.errors import ParameterError
from nca.models import MODELS, build

DEPTHS = {name: len(build(name, bins=1).layers) for name in MODELS}


@dataclass(frozen=True)
class Scale:
    """How much of everything an experiment has.

    Attributes:
        bins: N.
        frames: of training.
        epochs: that one training takes. The stopping rule decides, so this is an assumption but where it is a limit.
        instances: initialisations of each model.
        segments: of the test songs, met by each model.
        length, iterations, batch: T, iterations of the strategies, frames of a training step.
    """

    bins: int
    frames: int
    epochs: int
    instances: int
    segments: int
    length: int = 350
    iterations: int = 600
    batch: int = 128


@dataclass(frozen=True)
class Together:
    """How many initialisations are trained, and how many segments analysed, at once."""

    instances: int = 1
    segments: int = 1


SCALES = {
    "paper": Scale(bins=2049, frames=2_700_000, epochs=100, instances=50, segments=450),
    "mir-1k": Scale(bins=744, frames=170_000, epochs=100, instances=3, segments=6),
    "demo": Scale(bins=513, frames=36_000, epochs=8, instances=3, segments=4),
}


def scale_of(profile: str) -> Scale:
    """The experiment called `profile`: paper, mir-1k or demo.

    Raises:
        ParameterError: for any other name.
    """
    if profile not in SCALES:
        raise ParameterError(f"There is no profile {profile!r} to predict; choose one of {', '.join(SCALES)}.")
    return SCALES[profile]


def predict(scale: Scale, calibration: Calibration, together: Together = Together()) -> pd.DataFrame:
    """One row a stage and model: predicted seconds, the floor's seconds, and bytes of memory at once."""
    rows = [_row("spectra", "", "spectra", scale, calibration, work.spectra_frame(scale.bins) * scale.frames, 0)]
    for model, depth in DEPTHS.items():
        steps = math.ceil(scale.frames / scale.batch) * scale.epochs * scale.instances
        amount = work.training_step(scale.bins, depth, scale.batch) * steps
        memory = work.training_memory(scale.bins, depth, together.instances, scale.batch)
        rows.append(_row("training", model, "training", scale, calibration, amount, memory))
    for model, depth in DEPTHS.items():
        rows += _analysis(model, depth, scale, calibration, together)
    return pd.DataFrame(rows)


def _analysis(
    model: str, depth: int, scale: Scale, calibration: Calibration, together: Together
) -> list[dict[str, object]]:
    """The rows of the two strategies and of the exact mapping."""
    iterations = scale.segments * scale.iterations
    stages = {
        "student": (work.student_iteration(scale.bins, scale.length) * iterations, "student"),
        "compositional": (
            work.compositional_iteration(scale.bins, depth, scale.length) * iterations,
            "compositional",
        ),
        "exact mapping": (
            work.exact_mapping(scale.bins, depth, scale.length) * scale.segments,
            "exact mapping" if depth <= 2 else "exact mapping, deep",
        ),
    }
    rows = []
    for name, (amount, stage) in stages.items():
        memory = work.couplings_memory(scale.bins, depth, together.segments, name, scale.length)
        rows.append(_row(name, model, stage, scale, calibration, amount, memory))
    return rows


def _row(
    name: str, model: str, stage: str, scale: Scale, calibration: Calibration, amount: Work, memory: float
) -> dict[str, object]:
    return {
        "stage": name,
        "model": model,
        "seconds": calibration.seconds(stage, scale.bins, amount),
        "floor": amount.floor(calibration.peak, calibration.bandwidth),
        "memory": memory,
    }
