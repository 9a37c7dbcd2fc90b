"""`nca cost`: what an experiment will take on a device."""

import argparse
from dataclasses import asdict, replace
from typing import Any

import pandas as pd

from nca.bench.timing import find_device
from nca.cost.calibration import SIZES, Calibration, calibrate
from nca.cost.report import Scale, Together, predict, scale_of
from nca.cost.sheets import SHEETS, from_sheet
from nca.recording import record_tables

CHANGED = ("bins", "frames", "epochs", "instances", "segments")


def run(arguments: argparse.Namespace, command: str) -> None:
    """Print the prediction and write it where asked, with the command that made it.

    Raises:
        ParameterError: for a profile, a device or a number that does not exist.
    """
    changed = {name: getattr(arguments, name) for name in CHANGED if getattr(arguments, name) is not None}
    scale = replace(scale_of(arguments.profile), **changed)
    found = _calibration(arguments, scale)
    table = predict(scale, found, Together(arguments.at_once, arguments.at_once))
    print(describe(scale, found, changed))
    print(as_text(table))
    if arguments.json:
        about = {name: getattr(found, name) for name in ("peak", "bandwidth", "measured")} | {"note": arguments.note}
        record_tables(arguments.json, {"rows": table}, found.device, command, scale=asdict(scale), **about)


def near(bins: int) -> tuple[int, ...]:
    """The sizes of SIZES that stand next to a number of bins: what a short calibration needs."""
    below = [size for size in SIZES if size <= bins]
    above = [size for size in SIZES if size >= bins]
    return tuple(sorted({*below[-1:], *above[:1]}))


def describe(scale: Scale, found: Calibration, changed: dict[str, Any]) -> str:
    """What is predicted, and on what."""
    epochs = "as asked for" if "epochs" in changed else "an assumption: the stopping rule decides"
    return (
        f"{found.device}: {found.peak / 1e9:,.0f} Gflop/s, {found.bandwidth / 1e9:,.1f} GB/s"
        f" ({'measured' if found.measured else 'published'})\n"
        f"{scale.frames:,} training frames of {scale.bins} bins, {scale.epochs} epochs ({epochs}),"
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


def _calibration(arguments: argparse.Namespace, scale: Scale) -> Calibration:
    if arguments.device in SHEETS:
        return from_sheet(arguments.device, arguments.precision or "tf32")
    rest = (near(scale.bins), arguments.at_once, arguments.rounds, arguments.precision or "float32")
    return calibrate(find_device(arguments.device), *rest)
