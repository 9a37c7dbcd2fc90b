"""A process by itself, and the memory that it holds."""

import multiprocessing
import re
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

PROCESS = Path("/proc/self")  # Linux alone has it
Result = TypeVar("Result")


def alone(function: Callable[..., Result], *arguments: Any) -> Result:
    """What a function returns in a process of its own, whose memory is that of nothing else."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        return process.submit(function, *arguments).result()


def held(figure: str) -> int:
    """Bytes of this process, as Linux counts them: `VmRSS` now, `RssAnon` of it beside files, `VmHWM` the most ever."""
    (kilobytes,) = re.findall(rf"{figure}:\s+(\d+)", (PROCESS / "status").read_text())
    return 1024 * int(kilobytes)
