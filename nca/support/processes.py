"""A function in a process of its own, and the memory that a process holds, as Linux counts it."""

import ctypes
import multiprocessing
import re
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

COUNTED = Path("/proc/self/status").exists()  # Linux alone counts
Result = TypeVar("Result")


def in_subprocess(function: Callable[..., Result], *arguments: Any) -> Result:
    """What a function returns in a process of its own, whose memory is that of nothing else."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        return process.submit(function, *arguments).result()


def memory_of_process(figure: str, pid: int | str = "self") -> int:
    """Bytes that a process holds.

    Args:
        figure: `VmRSS`, all that it holds now; `RssAnon`, the part of it that is no file; `VmHWM`, the most of `VmRSS`
            since the start or :func:`forget_peak`.
        pid: of the process; this one if left out.

    Raises:
        OSError: for a process that is gone, and on a system other than Linux.
        ValueError: for a process that has ended and holds nothing.
    """
    (kilobytes,) = re.findall(rf"{figure}:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return 1024 * int(kilobytes)


def release_freed() -> None:
    """Give back to the system what the allocator keeps of freed memory, where it can.

    What is computed next would use it again, and would not be counted.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # the GNU library's alone
    if trim is not None:
        trim(0)


def forget_peak() -> None:
    """Let `VmHWM` of this process begin anew at what it holds now."""
    Path("/proc/self/clear_refs").write_text("5")
