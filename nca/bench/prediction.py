"""How long and how much memory each stage of an experiment takes, predicted, with the floor beside."""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import NamedTuple

import pandas as pd

from nca.bench import flops
from nca.bench.calibration import SHEETS, SIZES, Calibration, calibrate, from_sheet
from nca.bench.flops import Work
from nca.bench.timing import Report, find_device
from nca.couplings.problem import couplings_memory
from nca.errors import ParameterError
from nca.models import MODELS

DEPTHS = {name: len(kind(bins=1).weights) for name, kind in MODELS.items()}


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


SCALES = {
    "paper": Scale(bins=2049, frames=2_700_000, epochs=100, instances=50, segments=450),
    "mir-1k": Scale(bins=744, frames=170_000, epochs=100, instances=3, segments=6),
    "demo": Scale(bins=513, frames=36_000, epochs=8, instances=3, segments=4),
}


class Part(NamedTuple):
    """A stage of an experiment with one model: the stage of the calibration, all its work, and bytes at once."""

    name: str
    model: str
    stage: str
    work: Work
    memory: float


def predict_cost(
    profile: str = "paper",
    device: str = "cpu",
    precision: str | None = None,
    bins: int | None = None,
    frames: int | None = None,
    epochs: int | None = None,
    instances: int | None = None,
    segments: int | None = None,
    at_once: int = 1,
    rounds: int = 3,
) -> Report:
    """Predict time and memory of an experiment on a device.

    Args:
        profile: paper, mir-1k or demo: how much of everything there is.
        device: as torch names it, calibrated first; or h100, by its data sheet.
        precision: of the products: float32 unless told, tf32 for a device by its data sheet; or bfloat16.
        bins: bins in place of the profile's.
        frames: frames in place of the profile's.
        epochs: epochs in place of the profile's.
        instances: instances in place of the profile's.
        segments: segments in place of the profile's.
        at_once: initialisations, and segments, at once.
        rounds: of the calibration.

    Raises:
        ParameterError: for a profile, a device or a precision that does not exist.
    """
    given = {"bins": bins, "frames": frames, "epochs": epochs, "instances": instances, "segments": segments}
    scale = replace(scale_of(profile), **{name: number for name, number in given.items() if number is not None})
    if device in SHEETS:
        known = from_sheet(device, precision or "tf32")
    else:
        known = calibrate(find_device(device), near(scale.bins), at_once, rounds, precision or "float32")
    table = predict(scale, known, at_once)
    reason = "an assumption: the stopping rule decides" if epochs is None else "as asked for"
    about = {"scale": asdict(scale), "peak": known.peak, "bandwidth": known.bandwidth, "measured": known.measured}
    return Report(known.device, {"rows": table}, f"{describe(scale, known, reason)}\n{as_text(table)}", about)


def scale_of(profile: str) -> Scale:
    """The experiment called `profile`: paper, mir-1k or demo.

    Raises:
        ParameterError: for any other name.
    """
    if profile not in SCALES:
        raise ParameterError(f"There is no profile {profile!r} to predict; choose one of {', '.join(SCALES)}.")
    return SCALES[profile]


def near(bins: int) -> tuple[int, ...]:
    """The sizes of SIZES that stand next to a number of bins: what a short calibration needs."""
    below = [size for size in SIZES if size <= bins]
    above = [size for size in SIZES if size >= bins]
    return tuple(sorted({*below[-1:], *above[:1]}))


def predict(scale: Scale, calibration: Calibration, at_once: int = 1) -> pd.DataFrame:
    """One row a stage and model: predicted seconds, the floor's seconds, and bytes of memory.

    Args:
        scale: of the experiment.
        calibration: of the device.
        at_once: initialisations that are trained, and segments that are analysed, at once.
    """
    return pd.DataFrame(
        {
            "stage": part.name,
            "model": part.model,
            "seconds": calibration.seconds(part.stage, scale.bins, part.work),
            "floor": part.work.floor(calibration.peak, calibration.bandwidth),
            "memory": part.memory,
        }
        for part in parts(scale, at_once)
    )


def parts(scale: Scale, at_once: int) -> Iterator[Part]:
    """Everything that an experiment does: spectra, then training of every model, then its analysis."""
    yield Part("spectra", "", "spectra", flops.spectra_frame(scale.bins) * scale.frames, 0)
    for model, depth in DEPTHS.items():
        steps = math.ceil(scale.frames / scale.batch) * scale.epochs * scale.instances
        work = flops.training_step(scale.bins, depth, scale.batch) * steps
        yield Part("training", model, "training", work, flops.training_memory(scale.bins, depth, at_once, scale.batch))
    for model, depth in DEPTHS.items():
        bins, length, iterations = scale.bins, scale.length, scale.segments * scale.iterations
        mapping = "exact mapping" if depth <= 2 else "exact mapping, deep"
        for name, stage, work in (
            ("student", "student", flops.student_iteration(bins, length) * iterations),
            ("compositional", "compositional", flops.compositional_iteration(bins, depth, length) * iterations),
            ("exact mapping", mapping, flops.exact_mapping(bins, depth, length) * scale.segments),
        ):
            memory = at_once * couplings_memory(bins, length, depth, name)
            yield Part(name, model, stage, work, memory)


def describe(scale: Scale, known: Calibration, reason: str) -> str:
    """What is predicted, on what, and why it has so many epochs."""
    return (
        f"{known.device}: {known.peak / 1e9:,.0f} Gflop/s, {known.bandwidth / 1e9:,.1f} GB/s"
        f" ({'measured' if known.measured else 'published'})\n"
        f"{scale.frames:,} training frames of {scale.bins} bins, {scale.epochs} epochs ({reason}),"
        f" {scale.instances} instances a model, {scale.segments} segments"
    )


def as_text(table: pd.DataFrame) -> str:
    """Hours and gigabytes, with a last line for the sum."""
    shown = pd.DataFrame(
        {
            "stage": table.stage,
            "model": table.model,
            "hours": table.seconds / 3600,
            "floor, hours": table.floor / 3600,
            "memory, GB": table.memory / 1e9,
        }
    )
    shown.loc[len(shown)] = ["in all", "", shown["hours"].sum(), shown["floor, hours"].sum(), shown["memory, GB"].max()]
    return shown.to_string(index=False, float_format="{:.3g}".format)
