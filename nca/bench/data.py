"""Whether training waits for its data and whether its memory grows with the corpus, on stores of random spectra."""

import hashlib
import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from nca.bench.steps import BATCH, RATE
from nca.bench.timing import Report, report
from nca.bench.workload import paper_geometry
from nca.errors import ParameterError
from nca.models import DAE
from nca.spectra import open_store
from nca.spectra.store import SIGNALS, STORED_PRECISIONS, signal_file
from nca.support.files import write_json
from nca.support.processes import COUNTED, in_subprocess, memory_of_process
from nca.training.baseline import static_gain
from nca.training.batches import gather, shuffles
from nca.training.ensemble import Ensemble

BLOCK = 8192  # frames that a random store repeats


def bench_data(
    frames: Sequence[int] = (250_000, 500_000, 1_000_000),
    bins: int = 513,
    precision: str = "float32",
    steps: int = 50,
    folder: Path | str | None = None,
) -> Report:
    """Loading beside training, one row a corpus size.

    Each is measured on the CPU in a process of its own, on a store that is removed afterwards.
    The process does what a training does: it fits the scale and the static gain, then reads one epoch of batches of
    128 frames, shuffled, with a step of one DAE on every n-th. The store was just written, so it is in the
    system's cache as far as that has room.

    Columns: `frames`; `gigabytes` on disk; `load`, median seconds to load and standardise a batch of both signals;
    `step`, median seconds of a training step; `step_over_load`; the most memory in MB: `resident`, all that counts as
    the process's own, mapped pages of the store included, and `anonymous`, without any mapped files.

    Args:
        frames: sizes of the corpus.
        bins: number of bins N.
        precision: of the spectra on disk, float32 or float16.
        steps: training steps to time.
        folder: where the corpus is written while it is needed; the system's folder for temporary files if left out.

    Raises:
        ParameterError: for a size, a number of steps or a precision that is none, for too little room on disk, and
            on a system without /proc.
    """
    if min(frames) < BATCH or steps < 1 or precision not in STORED_PRECISIONS or not COUNTED:
        raise ParameterError(
            f"frames {list(frames)}, steps {steps}, precision {precision!r}: give at least {BATCH} frames, one step,"
            f" one of {', '.join(STORED_PRECISIONS)}, and a Linux machine."
        )
    return report("cpu", rows=pd.DataFrame([_row(count, bins, precision, steps, folder) for count in frames]))


def random_store(folder: Path, frames: int, bins: int, precision: str) -> None:
    """A complete store of random magnitudes: a block of 8192 frames over and over, each a song."""
    songs: list[dict[str, Any]] = [
        {"name": f"block {start // BLOCK}", "frames": min(BLOCK, frames - start)} for start in range(0, frames, BLOCK)
    ]
    for seed, signal in enumerate(SIGNALS):
        block = np.abs(np.random.default_rng(seed).standard_normal((BLOCK, bins), np.float32)).astype(precision)
        digests = {count: hashlib.sha256(block[:count].ravel().data).hexdigest() for count in {BLOCK, frames % BLOCK}}
        with open(signal_file(folder, signal, precision), "wb") as file:
            for song in songs:
                file.write(block[: song["frames"]].data)
                song[signal] = digests[song["frames"]]
    about = {"data": "", "geometry": asdict(paper_geometry(bins)), "precision": precision}
    write_json(folder / "index.json", about | {"songs": songs, "complete": True})


def measure(folder: Path, steps: int) -> dict[str, float]:
    """The figures of this process, on the store in `folder`."""
    store = open_store(folder)
    ensemble = Ensemble(DAE(store.geometry.bins, [0]).requires_grad_(False), torch.float32)
    scale = store.scale()
    static_gain(store.mixture, store.voice)
    orders = shuffles(len(store.mixture), [0], 0).split(BATCH, dim=-1)
    load, step, anonymous = [], [], []
    for number, order in enumerate(orders):
        start = time.perf_counter()
        mixture, voice = (gather(signal, order, scale, ensemble.width) for signal in (store.mixture, store.voice))
        loaded = time.perf_counter()
        load.append(loaded - start)
        if number % max(1, len(orders) // steps) == 0:
            ensemble.step(mixture, voice, [RATE])
            step.append(time.perf_counter() - loaded)
            anonymous.append(memory_of_process("RssAnon") / 1e6)
    return {
        "load": statistics.median(load),
        "step": statistics.median(step),
        "step_over_load": statistics.median(step) / statistics.median(load),
        "resident": memory_of_process("VmHWM") / 1e6,
        "anonymous": max(anonymous),
    }


def _row(frames: int, bins: int, precision: str, steps: int, folder: Path | str | None) -> dict[str, Any]:
    size = 2 * frames * bins * np.dtype(precision).itemsize
    with tempfile.TemporaryDirectory(dir=folder) as name:
        if size > (free := shutil.disk_usage(name).free):
            raise ParameterError(
                f"A store of {size / 1e9:.1f} GB does not fit {name}, where {free / 1e9:.1f} are free."
            )
        random_store(Path(name), frames, bins, precision)
        figures = in_subprocess(measure, Path(name), steps)
    return {"frames": frames, "bins": bins, "precision": precision, "gigabytes": size / 1e9} | figures
