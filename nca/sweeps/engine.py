"""The sweep itself: a run becomes a task as soon as what it needs is done, a few more at a time than workers."""

import itertools
import os
import queue
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from nca.errors import RunError
from nca.sweeps import kernels, store
from nca.sweeps.checks import check
from nca.sweeps.cluster import Capacity, connected, cores
from nca.sweeps.execution import Outcome, Task, perform
from nca.sweeps.identity import uses_torch
from nca.sweeps.pages import publish
from nca.sweeps.planning import Plan, plan
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
    stages: Sequence[str] = (),
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
        stages: The stages to run, with those that they need; default all.

    Raises:
        RunError: The grid, the store or the cluster cannot be used.
        ParameterError: A device that this machine does not have; else, as DataError, as :func:`plan`.
    """
    laid_out = plan(grid_path, overrides, devices, stages)
    check(laid_out, here=not scheduler)
    store.prepare(laid_out.grid.store)
    runs = RunQueue(laid_out, retry_failed)
    if runs.ready:
        threads = None if scheduler else _threads(len(devices) or workers or cores())
        task = task_maker(laid_out, retry=retry_failed, threads=threads, devices=tuple(devices))
        with connected(workers, devices, scheduler) as client, _bar(runs, progress) as bar:
            try:
                _drive(runs, task, client, bar)
            except BaseException:
                kernels.stop_all()
                raise
    runs.leave_blocked()
    publish(laid_out)
    write_tables(laid_out.grid.store)
    return runs.summary


def _threads(at_a_time: int) -> int:
    """Threads of each of several kernels: what OMP_NUM_THREADS says, else the cores shared among them."""
    chosen = os.environ.get("OMP_NUM_THREADS", "")
    return int(chosen) if chosen.isdecimal() and int(chosen) else max(1, cores() // at_a_time)


class RunQueue:
    """Which runs of a plan are ready, in the directed graph of needs, and what became of the others.

    Attributes:
        plan: The plan.
        ready: Positions in the plan of the runs whose needs are done, and which nobody has taken from here yet.
        summary: The counts so far.
    """

    def __init__(self, laid_out: Plan, retry_failed: bool) -> None:
        self.summary = Summary()
        self.ready: deque[int] = deque()
        self.plan = laid_out
        self._done: set[int] = set()
        self._culprits: dict[int, str] = {}  # by run that did not succeed: the run that was the reason
        self._graph: TopologicalSorter[int] = TopologicalSorter()
        for one, run in enumerate(laid_out.runs):
            folder = laid_out.folder(run)
            if store.is_done(folder):
                self._done.add(one)
                self.summary.skipped += 1
                continue
            self._graph.add(one, *(need for needs in run.needs.values() for need in needs if need not in self._done))
            if not retry_failed and (failure := store.failure_of(folder)):
                reason = f"{folder}: {failure['reason']} (failed before; --retry-failed runs it again)"
                self.enter(one, Outcome("failed", reason))
        self._graph.prepare()
        self._extend()

    @property
    def settled(self) -> int:
        """How many runs are done, failed or left."""
        return len(self._done) + len(self._culprits)

    def enter(self, one: int, outcome: Outcome) -> None:
        """Enter what became of a run; what waited for one that is done alone becomes ready."""
        if outcome.name and outcome.name != self.plan.runs[one].name:
            self.plan.runs[one] = replace(self.plan.runs[one], name=outcome.name)
        if outcome.state == "done":
            self._done.add(one)
            self.summary.done += 1
            self._graph.done(one)
            self._extend()
        else:
            self._not_done(one, outcome, f"{self.plan.runs[one].stage}/{self.plan.runs[one].name}")

    def leave_blocked(self) -> None:
        """Enter, at the end, the runs that build on some that did not succeed, naming these."""
        for one, run in enumerate(self.plan.runs):
            if one not in self._done and one not in self._culprits:
                needs = (need for needs in run.needs.values() for need in needs)
                culprit = next(self._culprits[need] for need in needs if need in self._culprits)
                reason = f"{self.plan.folder(run)}: blocked, since {culprit} did not succeed"
                self._not_done(one, Outcome("left", reason), culprit)

    def _extend(self) -> None:
        self.ready += (one for one in self._graph.get_ready() if one not in self._culprits)

    def _not_done(self, one: int, outcome: Outcome, culprit: str) -> None:
        self._culprits[one] = culprit
        self.summary.reasons.append(outcome.reason)
        if outcome.state == "failed":
            self.summary.failed += 1
        else:
            self.summary.left += 1


def task_maker(laid_out: Plan, **settings: Any) -> Callable[[int], Task]:
    """Makes the task of a run from its position in the plan, when its turn comes; `settings` are fields of all."""
    grid, cwd = laid_out.grid, str(Path.cwd())
    with_torch = lru_cache(lambda stage: uses_torch(grid.stages[stage], grid.packages))

    def task(one: int) -> Task:
        run = laid_out.runs[one]
        stage = grid.stages[run.stage]
        origin = {"notebook": stage.path.name, "parameters": run.parameters, "data": run.data}
        return Task(
            stage=run.stage,
            digest=run.digest,
            store=str(grid.store),
            folder=str(laid_out.folder(run)),
            cwd=cwd,
            notebook=stage.json,
            arguments=laid_out.arguments(run),
            identity=origin | {"upstream": laid_out.upstream(run)} | laid_out.common[run.stage],
            seconds=stage.seconds,
            memory=stage.memory,
            torch=with_torch(run.stage),
            **settings,
        )

    return task


def _drive(runs: RunQueue, task: Callable[[int], Task], client: "Client", bar: "tqdm[Any]") -> None:
    """Keep the cluster supplied until no run is ready or under way."""
    finished: queue.SimpleQueue[Future] = queue.SimpleQueue()
    in_flight: dict[Any, tuple[int, Path]] = {}
    elsewhere: deque[tuple[float, int]] = deque()
    capacity = Capacity(client)
    submitted = itertools.count()
    while runs.ready or in_flight or elsewhere:
        while elsewhere and elsewhere[0][0] < time.monotonic():
            runs.ready.append(elsewhere.popleft()[1])
        while runs.ready and len(in_flight) < capacity():
            one = runs.ready.popleft()
            made = task(one)
            future = client.submit(perform, made, key=(made.stage, next(submitted)), pure=False)
            in_flight[future.key] = one, Path(made.folder)
            future.add_done_callback(finished.put)
        for future in _next(finished):
            one, folder = in_flight.pop(future.key)
            # the store says what is done: fetching a result costs more than all the rest of Dask's work for a run
            outcome = Outcome("done") if store.is_done(folder) else _outcome(future)
            future.release()
            if outcome.state == "elsewhere":
                elsewhere.append((time.monotonic() + _ELSEWHERE, one))
            else:
                runs.enter(one, outcome)
                _show(runs, bar)


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


def _bar(runs: RunQueue, progress: bool) -> "tqdm[Any]":
    bar = tqdm(total=len(runs.plan.runs), unit="run", disable=not progress, file=sys.stderr)
    _show(runs, bar)
    return bar


def _show(runs: RunQueue, bar: "tqdm[Any]") -> None:
    bar.set_postfix(failed=runs.summary.failed, refresh=False)
    bar.update(runs.settled - bar.n)
