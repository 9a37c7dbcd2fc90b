"""What a row of the exact local mapping costs, of a network of Spleeter's size."""

import time
from collections.abc import Sequence
from typing import Any

import pandas as pd
import torch

from nca.analysis.jacobian import Jacobian
from nca.analysis.local import local_mapping
from nca.bench import memory as counted
from nca.bench.timing import Report, find_device, report
from nca.errors import ParameterError
from nca.support.processes import COUNTED, in_subprocess
from nca.training import Spleeter

MEBIBYTE = 2**20


def bench_mapping(
    rows: Sequence[int] = (16, 64), memory: Sequence[int] = (512, 1024), frames: int = 256, device: str = "cpu"
) -> Report:
    """Rows of the local mapping of a network of Spleeter's size with random weights, in one process a line.

    Columns: `memory` allowed, in MiB, and the products that fit into it at once, `batch`; `rows`; `rows_per_second`;
    `peak`, the most MiB that the computation held beside network and mixture.

    Args:
        rows: how many of one frame.
        memory: MiB that are allowed.
        frames: of the mixture, in 1024 bands.
        device: where to run, as torch names it.

    Raises:
        ParameterError: for a number that is not positive, a device that this machine does not have, and on a system
            that does not count a process's memory.
        MemoryLimitError: for memory in which not one product has room.
    """
    if min(*rows, *memory, frames) < 1 or not COUNTED:
        raise ParameterError(
            f"rows {list(rows)}, memory {list(memory)}, frames {frames}: give numbers of at least 1, on Linux."
        )
    find_device(device)
    measured = [in_subprocess(_measured, size, allowed, frames, device) for allowed in memory for size in rows]
    return report(device, rows=pd.DataFrame(measured))


def _measured(rows: int, memory: int, frames: int, device: str) -> dict[str, Any]:
    """One line of the table; a mapping of one row first loads what the libraries load once."""
    torch.manual_seed(0)
    where, allowed = torch.device(device), memory * MEBIBYTE
    network, mixture = Spleeter().eval().requires_grad_(False).to(where), torch.rand(1024, frames, device=where)
    batch = Jacobian(network.mask, mixture, mask=True).batch(allowed)
    local_mapping(network.mask, mixture, mask=True, frames=1, rows=1)
    before = counted.held(where)
    counted.forget_peak(where)
    start = time.perf_counter()
    local_mapping(network.mask, mixture, mask=True, frames=1, rows=rows, memory=allowed)
    seconds = time.perf_counter() - start
    taken = (counted.peak(where) - before) / MEBIBYTE
    return {"memory": memory, "batch": batch, "rows": rows, "rows_per_second": rows / seconds, "peak": taken}
