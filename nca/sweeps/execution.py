"""One run from claim to record: what a Dask worker does with a task."""

import json
import os
import platform
import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import nbformat

from nca.sweeps import store
from nca.sweeps.gate import culprit
from nca.sweeps.identity import module_digest
from nca.sweeps.imports import module_files
from nca.sweeps.kernels import KernelStopped, NotebookProcess

_LIVES = 3  # kernels given to a run whose kernel dies by itself; a raising cell, a time-out and memory are verdicts
_FULL = re.compile(r"\[Errno (28|122)\]")  # no space left, quota exceeded: nothing of the run's own
DETERMINISTIC = "import torch; torch.use_deterministic_algorithms(True)"


@dataclass(frozen=True)
class Task:
    """A run as it is sent to a worker.

    Attributes:
        folder: Where the run lies once it is done, below `store`; both relative to `cwd` or absolute.
        notebook: The notebook as JSON.
        arguments: The notebook's parameters, with the folders of needed runs and without `out`.
        identity: What the record says about where the numbers come from: parameters, modules, upstream, ...
        torch: Whether the notebook imports torch, whose deterministic algorithms are then turned on.
        retry: Whether a failure that the store keeps is to be tried again.
        threads: Threads of a kernel's numerical libraries; None: as the worker's environment says.
        devices: For local workers with a GPU each, by the worker's number.
    """

    stage: str
    digest: str
    store: str
    folder: str
    cwd: str
    notebook: str
    arguments: dict[str, Any]
    identity: dict[str, Any]
    seconds: float | None = None
    memory: int | None = None
    torch: bool = False
    retry: bool = False
    threads: int | None = None
    devices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What became of a task: `done`, `failed`, `elsewhere` (another sweep runs it) or `stale` (its modules changed)."""

    state: str
    reason: str = ""


def perform(task: Task) -> Outcome:
    """Run a task, unless it is done or runs elsewhere, and leave a record or a failure in the store.

    Raises:
        RunError: The store cannot be written.
    """
    root = Path(task.cwd, task.store)
    final = Path(task.cwd, task.folder)
    with store.claim(root, task.digest) as mine:
        if not mine:
            return Outcome("elsewhere")
        if store.is_done(final):
            return Outcome("done")
        if not task.retry and (failure := store.failure_of(final)):
            return Outcome("failed", f"{task.folder}: {failure['reason']}")
        if reason := _stale(task):
            return Outcome("stale", reason)
        with store.naming(root):
            return _lives(task, root, final)


def _lives(task: Task, root: Path, final: Path) -> Outcome:
    for life in range(1, _LIVES + 1):
        folder = store.attempt(root, task.digest)
        try:
            outcome, kind = _attempt(task, folder, final, last=life == _LIVES)
        except BaseException:
            store.discard(folder)
            raise
        if kind != "died":
            break
    return outcome


def _attempt(task: Task, folder: Path, final: Path, last: bool) -> tuple[Outcome, str]:
    """One kernel for the run; a kernel that died by itself leaves nothing unless it was the last."""
    out = os.path.relpath(folder, task.cwd)
    process = NotebookProcess(
        _parsed(task.notebook),
        folder / store.NOTEBOOK,
        task.arguments | {"out": out},
        Path(task.cwd),
        _environment(task),
        DETERMINISTIC if task.torch else "",
    )
    started, clock = datetime.now(UTC).isoformat(timespec="milliseconds"), time.monotonic()
    error: BaseException | None = None
    try:
        process.run(task.seconds, task.memory)
    except OSError:
        raise
    except Exception as raised:
        error = raised
    facts = {"started": started, "seconds": round(time.monotonic() - clock, 3), "peak_memory": process.peak}
    facts |= _machine(task)
    _name_finally(folder / store.NOTEBOOK, [str(folder), out], task.folder)
    kind = error.kind if isinstance(error, KernelStopped) else "raised" if error else "done"
    if kind == "died" and not last:
        return Outcome("failed"), kind
    if error:
        return _keep_failure(task, folder, final, facts, kind, error), kind
    return _keep_run(task, folder, final, facts), kind


@lru_cache(maxsize=8)
def _parsed(notebook: str) -> nbformat.NotebookNode:
    """The notebook, parsed once a stage; papermill works on a copy."""
    return nbformat.reads(notebook, as_version=4)


def _keep_run(task: Task, folder: Path, final: Path, facts: dict[str, Any]) -> Outcome:
    if reason := _stale(task):
        store.discard(folder)
        return Outcome("stale", reason)
    try:
        results = _results(folder / store.RESULTS)
    except ValueError as error:
        return _keep_failure(task, folder, final, facts, "raised", error)
    record = {
        "status": "done",
        "stage": task.stage,
        "digest": task.digest,
        **task.identity,
        **facts,
        "results": results,
    }
    store.finish(folder, final, record)
    return Outcome("done")


def _keep_failure(
    task: Task, folder: Path, final: Path, facts: dict[str, Any], kind: str, error: BaseException
) -> Outcome:
    where = _culprit(folder / store.NOTEBOOK)
    if kind == "raised" and _FULL.search(str(error)):
        raise OSError(f"a notebook of stage {task.stage} met a full disk: {str(error).strip().splitlines()[-1]}")
    reason = str(error) if kind != "raised" else where.get("error") or f"{type(error).__name__}: {error}"
    failure = {"status": "failed", "stage": task.stage, "digest": task.digest, "kind": kind, "reason": reason}
    store.fail(folder, final, failure | where | task.identity | facts)
    return Outcome("failed", f"{task.folder}: {reason.strip().splitlines()[0] if reason.strip() else kind}")


def _culprit(notebook: Path) -> dict[str, Any]:
    try:
        return culprit(nbformat.reads(notebook.read_text(encoding="utf-8"), as_version=4)) or {}
    except Exception:  # killed before its first cell, or while it was being saved
        return {}


def _results(file: Path) -> list[dict[str, Any]]:
    """The rows that a notebook left for the table of results; a single row may stand by itself."""
    if not file.is_file():
        return []
    rows = json.loads(file.read_text(encoding="utf-8"))
    rows = [rows] if isinstance(rows, dict) else rows
    flat = isinstance(rows, list) and all(isinstance(row, dict) for row in rows)
    if not flat or any(isinstance(value, dict | list) for row in rows for value in row.values()):
        raise ValueError(f"{store.RESULTS} must be one flat mapping or a list of flat mappings")
    return rows


def _name_finally(notebook: Path, names: list[str], final: str) -> None:
    """Let the executed notebook speak of the folder that it ends in, not of that of the attempt."""
    if notebook.is_file():
        text = notebook.read_text(encoding="utf-8")
        for name in names:
            text = text.replace(name, final)
        notebook.write_text(text, encoding="utf-8")


def _environment(task: Task) -> dict[str, str]:
    """The kernel's environment: threads, device, and what makes the same seed give the same bits."""
    chosen = {"PYTHONHASHSEED": "0", "CUBLAS_WORKSPACE_CONFIG": ":4096:8"}
    if task.threads:
        chosen |= {f"{one}_NUM_THREADS": str(task.threads) for one in ("OMP", "MKL", "OPENBLAS", "NUMEXPR")}
    if task.devices:
        chosen["CUDA_VISIBLE_DEVICES"] = _visible(task)
    return {**os.environ, **chosen}


def _visible(task: Task) -> str:
    from distributed import get_worker

    device = task.devices[int(get_worker().name)]
    return "" if device == "cpu" else device.removeprefix("cuda:")


def _machine(task: Task) -> dict[str, Any]:
    device = _visible(task) if task.devices else os.environ.get("CUDA_VISIBLE_DEVICES")
    return {"host": platform.node(), "cores": os.cpu_count(), "visible_devices": device, "threads": task.threads}


def _stale(task: Task) -> str:
    """Which module is no longer what the run's identity says; a sweep records nothing under an identity gone by."""
    for name, file in module_files(task.identity["modules"]).items():
        if module_digest(file) != task.identity["modules"][name]:
            return f"{name} changed while the sweep ran; start the sweep again"
    return ""
