"""The sweep itself: a run becomes a task as soon as what it needs is done, a few more at a time than workers."""

import queue
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
from tqdm import tqdm

from nca.errors import RunError
from nca.sweeps import kernels, store
from nca.sweeps.cluster import Capacity, connected, cores
from nca.sweeps.execution import Outcome, Task, perform
from nca.sweeps.pages import publish
from nca.sweeps.planning import Plan, Run, plan
from nca.sweeps.tables import write_tables

if TYPE_CHECKING:
    from distributed import Client, Future

_ELSEWHERE = 0.5  # seconds after which a run that another sweep has claimed is asked for again


@dataclass
class Summary:
    """What became of a sweep's runs.

    Attributes:
        done: Runs that were done by this sweep, or by another one while this one waited.
        skipped: Runs that were done before.
        failed: Runs that failed, now or before.
        left: Runs that could not be tried: what they build on failed, or the package changed meanwhile.
        reasons: A line for each of those that failed or were left.
    """

    done: int = 0
    skipped: int = 0
    failed: int = 0
    left: int = 0
    reasons: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        return not self.failed and not self.left


def sweep(
    grid_path: str | Path,
    overrides: Mapping[str, Any] | None = None,
    workers: int | None = None,
    devices: Sequence[str] = (),
    scheduler: str | None = None,
    retry_failed: bool = False,
    progress: bool = True,
) -> Summary:
    """Run what is not done yet of a grid file's runs, and write the tables of the store.

    Args:
        grid_path: The grid file.
        overrides: Parameters set in every stage whose notebook has them.
        workers: Runs at a time on this machine; default one a core.
        devices: Devices such as `cuda:0`, with one run at a time on each, instead of `workers`.
        scheduler: Address of an existing Dask cluster, instead of this machine.
        retry_failed: Run again what failed before.
        progress: Show one bar over the sweep.

    Raises:
        RunError: The grid, the store or the cluster cannot be used. ParameterError, DataError: as :func:`plan`.
    """
    laid_out = plan(grid_path, overrides)
    store.prepare(laid_out.grid.store)
    agenda = Agenda(laid_out, retry_failed)
    if agenda.open:
        threads = None if scheduler else max(1, cores() // (len(devices) or workers or cores()))
        tasks = _Tasks(laid_out, threads, tuple(devices), retry_failed)
        with connected(workers, devices, scheduler) as client, _bar(agenda, progress) as bar:
            try:
                _drive(agenda, tasks, client, bar)
            except BaseException:
                kernels.stop_all()
                raise
    publish(laid_out, agenda.is_done)
    write_tables(laid_out.grid.store)
    return agenda.summary


class Agenda:
    """Which runs are done, failed, ready or waiting; the directed graph of needs, without stages as barriers."""

    def __init__(self, laid_out: Plan, retry_failed: bool) -> None:
        self.summary = Summary()
        self.ready: deque[int] = deque()
        self._plan = laid_out
        self._done = bytearray(len(laid_out.runs))
        self._settled = bytearray(len(laid_out.runs))
        self._needed_by: dict[int, list[int]] = {}
        self._missing: dict[int, int] = {}
        failed: list[tuple[int, str]] = []
        for one, run in enumerate(laid_out.runs):
            self._enter(one, run, retry_failed, failed)
        for one, reason in failed:
            self.failed(one, reason)

    @property
    def open(self) -> int:
        """How many runs are neither done, failed nor left."""
        return len(self._settled) - sum(self._settled)

    def is_done(self, one: int) -> bool:
        return bool(self._done[one])

    def done(self, one: int) -> None:
        """Enter that a run is done; whatever waited for it alone becomes ready."""
        self._settled[one] = self._done[one] = 1
        self.summary.done += 1
        for other in self._needed_by.pop(one, ()):
            self._missing[other] -= 1
            if not self._missing[other]:
                del self._missing[other]
                if not self._settled[other]:
                    self.ready.append(other)

    def failed(self, one: int, reason: str) -> None:
        """Enter a failure, and leave what builds on it, naming what failed."""
        self._settled[one] = 1
        self.summary.failed += 1
        self.summary.reasons.append(reason)
        self._block(one)

    def left(self, one: int, reason: str) -> None:
        """Enter that a run could not be tried."""
        self._settled[one] = 1
        self.summary.left += 1
        self.summary.reasons.append(reason)
        self._block(one)

    def _enter(self, one: int, run: Run, retry_failed: bool, failed: list[tuple[int, str]]) -> None:
        folder = self._plan.folder(run)
        if store.is_done(folder):
            self._settled[one] = self._done[one] = 1
            self.summary.skipped += 1
            return
        if not retry_failed and (failure := store.failure_of(folder)):
            failed.append((one, f"{folder}: {failure['reason']} (failed before; --retry-failed runs it again)"))
        missing = {need for needs in run.needs.values() for need in needs if not self._done[need]}
        for need in missing:
            self._needed_by.setdefault(need, []).append(one)
        if missing:
            self._missing[one] = len(missing)
        elif not failed or failed[-1][0] != one:
            self.ready.append(one)

    def _block(self, culprit: int) -> None:
        name = f"{self._plan.runs[culprit].stage}/{self._plan.runs[culprit].name}"
        waiting = [culprit]
        while waiting:
            for other in self._needed_by.pop(waiting.pop(), ()):
                if not self._settled[other]:
                    self._settled[other] = 1
                    self.summary.left += 1
                    run = self._plan.runs[other]
                    self.summary.reasons.append(f"{self._plan.folder(run)}: blocked, since {name} did not succeed")
                    waiting.append(other)


class _Tasks:
    """Makes a run's task when its turn comes, so that nothing is held for those that wait."""

    def __init__(self, laid_out: Plan, threads: int | None, devices: tuple[str, ...], retry: bool) -> None:
        self._plan, self._threads, self._devices, self._retry = laid_out, threads, devices, retry
        self._cwd = str(Path.cwd())
        self._notebooks = {name: nbformat.writes(stage.notebook) for name, stage in laid_out.grid.stages.items()}

    def is_done(self, one: int) -> bool:
        return store.is_done(self._plan.folder(self._plan.runs[one]))

    def __call__(self, one: int) -> Task:
        run = self._plan.runs[one]
        stage, common = self._plan.grid.stages[run.stage], self._plan.common[run.stage]
        needs = {name: sorted(digests) for name, digests in self._plan.upstream(run).items()}
        identity = {"notebook": stage.path.name, "parameters": run.parameters, "data": run.data, "upstream": needs}
        return Task(
            stage=run.stage,
            digest=run.digest,
            store=str(self._plan.grid.store),
            folder=str(self._plan.folder(run)),
            cwd=self._cwd,
            notebook=self._notebooks[run.stage],
            arguments=self._plan.arguments(run),
            identity=identity | common,
            seconds=stage.seconds,
            memory=stage.memory,
            torch=self._plan.uses_torch[run.stage],
            retry=self._retry,
            threads=self._threads,
            devices=self._devices,
        )


def _drive(agenda: Agenda, tasks: _Tasks, client: "Client", bar: "tqdm[Any]") -> None:
    """Keep the cluster supplied until every run is settled."""
    finished: queue.SimpleQueue[Future] = queue.SimpleQueue()
    flying: dict[Any, int] = {}
    elsewhere: deque[tuple[float, int]] = deque()
    capacity = Capacity(client)
    count = 0
    while agenda.open:
        while elsewhere and elsewhere[0][0] < time.monotonic():
            agenda.ready.append(elsewhere.popleft()[1])
        while agenda.ready and len(flying) < capacity():
            one, count = agenda.ready.popleft(), count + 1
            task = tasks(one)
            future = client.submit(perform, task, key=(task.stage, count), pure=False)
            flying[future.key] = one
            future.add_done_callback(finished.put)
        for future in _next(finished):
            one = flying.pop(future.key)
            # the store says what is done: fetching a result costs more than all the rest of Dask's work for a run
            outcome = Outcome("done") if tasks.is_done(one) else _outcome(future)
            future.release()
            if outcome.state == "elsewhere":
                elsewhere.append((time.monotonic() + _ELSEWHERE, one))
            else:
                _enter(agenda, one, outcome, bar)


def _next(finished: "queue.SimpleQueue[Future]") -> "Iterator[Future]":
    """The futures that have ended; waits a little for the first."""
    try:
        yield finished.get(timeout=_ELSEWHERE)
        while True:
            yield finished.get_nowait()
    except queue.Empty:
        return


def _outcome(future: "Future") -> Outcome:
    """A task's outcome; a run whose workers died again and again is left, any other error ends the sweep.

    Raises:
        RunError: The store, a worker or the scheduler failed.
    """
    from distributed.scheduler import KilledWorker

    try:
        return future.result()
    except KilledWorker as error:
        return Outcome("left", f"{future.key}: the workers that ran it died ({error.last_worker})")
    except RunError:
        raise
    except BaseException as error:
        raise RunError(f"the cluster cannot run the sweep ({type(error).__name__}: {error})") from error


def _enter(agenda: Agenda, one: int, outcome: Outcome, bar: "tqdm[Any]") -> None:
    enter: dict[str, Callable[[], None]] = {
        "done": lambda: agenda.done(one),
        "failed": lambda: agenda.failed(one, outcome.reason),
    }
    enter.get(outcome.state, lambda: agenda.left(one, outcome.reason))()
    _show(agenda, bar)


def _bar(agenda: Agenda, progress: bool) -> "tqdm[Any]":
    total = agenda.open + agenda.summary.skipped + agenda.summary.failed + agenda.summary.left
    bar = tqdm(total=total, initial=total - agenda.open, unit="run", disable=not progress, file=sys.stderr)
    _show(agenda, bar)
    return bar


def _show(agenda: Agenda, bar: "tqdm[Any]") -> None:
    bar.set_postfix(failed=agenda.summary.failed, blocked=agenda.summary.left, refresh=False)
    bar.update(bar.total - agenda.open - bar.n)
