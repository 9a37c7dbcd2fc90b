"""As much at once as the memory that is there allows, and less where that was too much."""

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import psutil  # type: ignore[import-untyped]
import torch
from tqdm import tqdm

from nca.errors import MemoryLimitError

Item = TypeVar("Item")
Result = TypeVar("Result")

SHARES = {"cuda": 0.9, "cpu": 0.5}  # of the free memory that is planned with; on a CPU others may run beside
_SIGNS = ("out of memory", "can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED")


def free_memory(device: torch.device | str) -> int:
    """Bytes that this process may still take on a device, what torch holds in reserve included."""
    device = torch.device(device)
    if device.type != "cuda":
        return psutil.virtual_memory().available
    free, _ = torch.cuda.mem_get_info(device)
    return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)


def batch_size(each: int, device: torch.device | str) -> int:
    """How many problems of `each` bytes fit into the free memory of a device; one where none does."""
    share = SHARES.get(torch.device(device).type, SHARES["cpu"])
    return max(1, int(share * free_memory(device) / each))


def in_batches(
    work: Callable[[Sequence[Item]], Sequence[Result]], items: Sequence[Item], size: int
) -> Iterator[Result]:
    """What `work` makes of the items, `size` at a time; where memory runs out, half as many from there on.

    Raises:
        MemoryLimitError: where not even one item fits.
    """
    done = 0
    while done < len(items):
        batch = items[done : done + size]
        results = _attempt(work, batch)
        if results is None:
            size = _halved(len(batch))
        else:
            yield from results
            done += len(batch)


def _attempt(work: Callable[[Sequence[Item]], Sequence[Result]], batch: Sequence[Item]) -> Sequence[Result] | None:
    """None where memory ran out. The error, whose frames hold what was allocated, is gone on return."""
    try:
        return work(batch)
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        return None


def out_of_memory(error: Exception) -> bool:
    """Whether an error says that memory ran out, on a GPU or in the machine."""
    known = isinstance(error, torch.OutOfMemoryError | MemoryError)
    return known or any(sign in str(error) for sign in _SIGNS)


def _halved(size: int) -> int:
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if size == 1:
        raise MemoryLimitError(
            "Memory ran out with one problem at a time; free some, take fewer frames, or a device that has more."
        )
    tqdm.write(f"memory ran out with {size} at once; going on with {size // 2}", file=sys.stderr)
    return size // 2
