"""Devices: those that this machine and this torch have, and those that a process has used."""

import os
from pathlib import Path
from typing import Any

from nca.errors import ParameterError
from nca.support.files import write_json

REPORT = "NCA_DEVICE_REPORT"  # the environment variable that names the file for :func:`watch`


def available() -> list[str]:
    """The names of devices that torch can compute on here; `cuda` is the current one of the GPUs."""
    import torch

    gpus = [f"cuda:{number}" for number in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    return ["cpu", *(["cuda", *gpus] if gpus else []), *(["mps"] if torch.backends.mps.is_available() else [])]


def check_device(device: str) -> None:
    """See that torch can compute on a device here.

    Raises:
        ParameterError: This machine, or this build of torch, has no such device; says which there are.
    """
    if device == "cpu":  # without the seconds that importing torch takes
        return
    there = available()
    if device not in there:
        import torch

        without = device.startswith("cuda") and not torch.version.cuda
        built = f" (torch {torch.__version__} is built without CUDA)" if without else ""
        raise ParameterError(f"there is no device {device!r} here{built}; choose {' or '.join(there)}")


def used() -> list[str]:
    """The devices on which torch has allocated anything in this process; the CPU where no other one was used."""
    import torch

    started = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    gpus = [f"cuda:{number}" for number in started if torch.cuda.memory_stats(number)["allocation.all.allocated"]]
    metal = torch.backends.mps.is_available() and torch.mps.driver_allocated_memory() > 0
    return gpus or (["mps"] if metal else ["cpu"])


def agrees(asked: str, devices: list[str]) -> bool:
    """Whether the devices that were used are the one asked for; any GPU is `cuda`."""
    return bool(devices) and all(asked in (device, device.partition(":")[0]) for device in devices)


def watch(shell: Any) -> None:
    """Have a notebook's kernel write, after each cell, which devices and precisions torch has used so far.

    The file is named by the environment variable NCA_DEVICE_REPORT.
    """
    file = Path(os.environ[REPORT])

    def report(result: Any) -> None:
        from nca.support.precision import precisions_used

        write_json(file, {"device": ", ".join(used()), "precision": ", ".join(precisions_used())})

    shell.events.register("post_run_cell", report)
