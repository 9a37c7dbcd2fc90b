"""What every bench shares: contenders that take turns, so that whatever else the machine does meets them alike."""

import platform
import statistics
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from nca.errors import ParameterError
from nca.models import Separator

FRAMES = 350
Name = TypeVar("Name", bound=Hashable)


def machine(device: str) -> str:
    """The processor in words."""
    if torch.device(device).type == "cuda":
        return torch.cuda.get_device_name(device)
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.processor()}, {torch.get_num_threads()} threads"


def take_turns(steps: Mapping[Name, Callable[[], Any]], rounds: int, device: torch.device) -> dict[Name, list[float]]:
    """Seconds of each step in each round, after one round that warms up."""
    seconds: dict[Name, list[float]] = {name: [] for name in steps}
    for _ in range(rounds + 1):
        for name, step in steps.items():
            seconds[name].append(clocked(step, device))
    return {name: each[1:] for name, each in seconds.items()}


def clocked(step: Callable[[], Any], device: torch.device) -> float:
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


def problem(N: int, depth: int, device: torch.device) -> tuple[Separator, Tensor]:
    """A network with a diagonal and biases, as training leaves them, and magnitudes."""
    model = Separator(N, depth).to(device)
    for weight in model.weights:
        weight.data.diagonal().add_(1)
    generator = torch.Generator().manual_seed(1)
    for bias in model.biases:
        bias.data = 0.3 * torch.randn(bias.shape, generator=generator).to(device)
    return model.requires_grad_(False), torch.rand(N, FRAMES, generator=generator).to(device)


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
