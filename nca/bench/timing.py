"""What all measurements share: contenders that take turns, so that other work of the machine slows all alike."""

import platform
import statistics
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
import torch

from nca.errors import ParameterError

Name = TypeVar("Name", bound=Hashable)


@dataclass(frozen=True)
class Report:
    """What a command found.

    Attributes:
        machine: the device in words.
        tables: by the names under which they are recorded.
        text: as it is printed.
        about: further values to record.
    """

    machine: str
    tables: Mapping[str, pd.DataFrame]
    text: str
    about: Mapping[str, Any] = field(default_factory=dict)


def report(device: str, **tables: pd.DataFrame) -> Report:
    """A report of tables that were measured on a device, printed to three digits."""
    shown = [table.to_string(index=False, float_format="{:.3g}".format) for table in tables.values()]
    return Report(machine(device), tables, "\n".join([machine(device), *shown]))


def machine(device: str) -> str:
    """The processor in words."""
    if torch.device(device).type == "cuda":
        return torch.cuda.get_device_name(device)
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.processor()}, {torch.get_num_threads()} threads"


def interleave(steps: Mapping[Name, Callable[[], Any]], rounds: int, device: torch.device) -> dict[Name, list[float]]:
    """Seconds of each step in each round, after one round that warms up."""
    seconds: dict[Name, list[float]] = {name: [] for name in steps}
    for _ in range(rounds + 1):
        for name, step in steps.items():
            seconds[name].append(seconds_of(step, device))
    return {name: each[1:] for name, each in seconds.items()}


def seconds_of(step: Callable[[], Any], device: torch.device) -> float:
    """Seconds of one step, to its end on the device."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    start = time.perf_counter()
    step()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start


def ratio(numerators: Sequence[float], denominators: Sequence[float]) -> float:
    """Median over the rounds of the ratio within a round."""
    return statistics.median(n / d for n, d in zip(numerators, denominators, strict=True))


def find_device(name: str) -> torch.device:
    """The device of that name.

    Raises:
        ParameterError: where this machine does not have it.
    """
    try:
        return torch.zeros((), device=name).device
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ParameterError(f"device is {name!r}, which this machine does not have: {reason}") from error
