"""One run from claim to record: what a Dask worker does with a task."""

import os
import platform
import re
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import nbformat

from nca.errors import DataError, RunError
from nca.support.devices import REPORT, agrees
from nca.support.files import read_json
from nca.sweeps import store
from nca.sweeps.identity import module_digest
from nca.sweeps.imports import module_files
from nca.sweeps.kernels import KernelStopped, NotebookProcess
from nca.sweeps.notebooks import first_incomplete, name_finally

_KERNELS = 3  # kernels given to a run whose kernel dies by itself; a raising cell, a time-out and memory are verdicts
_FULL = re.compile(r"\[Errno (28|122)\]")  # no space left, quota exceeded: nothing of the run's own
# what a kernel whose notebook uses torch executes before its first cell
_WITH_TORCH = (
    "import torch; torch.use_deterministic_algorithms(True); "
    "from nca.support import devices; devices.watch(get_ipython()); del devices, torch"
)
_REPORT = ".device.json"  # in an attempt's folder, until the run's record has it


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
        devices: For local workers with a device each, by the worker's number; the notebook's parameter `device`.
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
    """What became of a task.

    Attributes:
        state: `done`, `failed`, `elsewhere` (another sweep runs it) or `stale` (its modules changed).
        reason: Of what is not done.
        name: The run's folder in its stage's, which another grid may have named.
    """

    state: str
    reason: str = ""
    name: str = ""


def perform(task: Task) -> Outcome:
    """Run a task, unless it is done or runs elsewhere, and leave a record or a failure in the store.

    Raises:
        RunError: The store cannot be written.
    """
    root = Path(task.cwd, task.store)
    tried = store.was_tried(root, task.digest)
    with store.claim(root, task.digest) as mine:
        if not mine:
            return Outcome("elsewhere")
        final = Path(task.cwd, task.folder)
        if tried and (name := store.names(final.parent).get(task.digest[: store.DIGEST])):
            final = final.with_name(name)
            task = replace(task, folder=str(Path(task.folder).with_name(name)))
        return replace(_settled(task, root, final), name=final.name)


def _settled(task: Task, root: Path, final: Path) -> Outcome:
    """What became of a task that is this process's to run."""
    if store.is_done(final):
        return Outcome("done")
    if not task.retry and (failure := store.failure_of(final)):
        return Outcome("failed", f"{task.folder}: {failure['reason']}")
    if reason := _stale(task):
        return Outcome("stale", reason)
    with store.naming(root):
        return _retries(task, root, final)


def _retries(task: Task, root: Path, final: Path) -> Outcome:
    """Attempts at a run, until one ends otherwise than by its kernel's death."""
    for count in range(1, _KERNELS + 1):
        folder = store.attempt(root, task.digest)
        try:
            outcome, kind = _attempt(task, folder, final, last=count == _KERNELS)
        except BaseException:
            store.discard(folder)
            raise
        if kind != "died":
            break
    return outcome


def _attempt(task: Task, folder: Path, final: Path, last: bool) -> tuple[Outcome, str]:
    """One kernel for the run; a kernel that died by itself leaves nothing unless it was the last."""
    out = os.path.relpath(folder, task.cwd)
    arguments = task.arguments | _device(task) | {"out": out}
    process = NotebookProcess(
        _parsed(task.notebook),
        folder / store.NOTEBOOK,
        arguments,
        Path(task.cwd),
        _environment(task, folder / _REPORT),
        _WITH_TORCH if task.torch else "",
        forked=any(name.partition(".")[0] == "nca" for name in task.identity["modules"]),
    )
    started, clock = datetime.now(UTC).isoformat(timespec="milliseconds"), time.monotonic()
    error: BaseException | None = None
    try:
        process.run(task.seconds, task.memory)
    except OSError:
        raise
    except Exception as raised:
        error = raised
    facts = _used(folder / _REPORT)
    error = error or _other_device(arguments.get("device"), facts["device"])
    facts |= {"started": started, "seconds": round(time.monotonic() - clock, 3), "peak_memory": process.peak}
    facts |= {"host": platform.node(), "cores": os.cpu_count(), "threads": task.threads}
    name_finally(folder / store.NOTEBOOK, [str(folder), out], task.folder)
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
    except (DataError, ValueError) as error:
        return _keep_failure(task, folder, final, facts, "raised", error)
    head = {"status": "done", "stage": task.stage, "digest": task.digest}
    store.finish(folder, final, head | task.identity | facts | {"results": results})
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
        return first_incomplete(nbformat.read(notebook, as_version=4)) or {}
    except Exception:  # killed before its first cell, or while it was being saved
        return {}


def _results(file: Path) -> list[dict[str, Any]]:
    """The rows that a notebook left for the table of results; a single row may stand by itself."""
    if not file.is_file():
        return []
    rows = read_json(file)
    rows = [rows] if isinstance(rows, dict) else rows
    flat = isinstance(rows, list) and all(isinstance(row, dict) for row in rows)
    if not flat or any(isinstance(value, dict | list) for row in rows for value in row.values()):
        raise ValueError(f"{store.RESULTS} must be one flat mapping or a list of flat mappings")
    return rows


def _environment(task: Task, report: Path) -> dict[str, str]:
    """The kernel's environment: threads, and what makes the same seed give the same bits."""
    threads = {f"{one}_NUM_THREADS": str(task.threads) for one in ("OMP", "MKL", "OPENBLAS", "NUMEXPR") if task.threads}
    chosen = {"PYTHONHASHSEED": "0", "CUBLAS_WORKSPACE_CONFIG": ":4096:8", REPORT: str(report.absolute())}
    return {**threads, **os.environ, **chosen}


def _device(task: Task) -> dict[str, str]:
    """The parameter `device` of a notebook that has one, where this worker has a device of its own."""
    if not task.devices or "device" not in task.arguments:
        return {}
    from distributed import get_worker

    return {"device": task.devices[int(get_worker().name)]}


def _used(report: Path) -> dict[str, Any]:
    """The device and the precision that torch used, as the kernel reported them; empty for a notebook without torch."""
    found = read_json(report) if report.is_file() else {"device": "", "precision": ""}
    report.unlink(missing_ok=True)
    return found


def _other_device(asked: str | None, used: str) -> RunError | None:
    """The error of a run that used another device than it was asked for."""
    if not asked or not used or agrees(asked, used.split(", ")):
        return None
    return RunError(f"the run was asked for device {asked} and used {used}")


def _stale(task: Task) -> str:
    """Which module is no longer what the run's identity says; a sweep records nothing under an identity gone by."""
    for name, file in module_files(task.identity["modules"]).items():
        if module_digest(file) != task.identity["modules"][name]:
            return f"{name} changed while the sweep ran; start the sweep again"
    return ""
