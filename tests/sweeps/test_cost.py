"""What a sweep costs beside the notebooks that it runs: bookkeeping, memory, overhead over papermill, idle workers."""

import gc
import itertools
import statistics
import sys
import time
from datetime import datetime
from pathlib import Path

import papermill
import pytest
from sweeps.harness import HERE, run

import nca.sweeps
from nca.sweeps import engine, store
from nca.sweeps.execution import perform
from nca.sweeps.kernels import NotebookProcess

RUNS, BLOCK = 10_000, 500
BUSY = 1.6  # others use the machines that run this: the cost is printed, the bound has room for them
EMPTY = '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'


@pytest.fixture
def many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A grid of 10,000 runs, in the working directory."""
    monkeypatch.chdir(tmp_path)
    grid = tmp_path / "grid.yml"
    axes = f"{{model: [a, b], seed: {{range: {RUNS // 2}}}}}"
    grid.write_text(f"store: store\nstages: {{first: {{notebook: {HERE}/first.md, parameters: {axes}}}}}\n")
    return grid


def _stub(monkeypatch: pytest.MonkeyPatch, every: "list[tuple[float, float, int]]") -> None:
    """Put a file where papermill would have put an executed notebook; note time, CPU time and memory once a block."""
    count = 0

    def run_nothing(self: NotebookProcess, seconds: float | None, memory: int | None) -> None:
        nonlocal count
        output = self._arguments[1]
        output.write_text(EMPTY)
        (output.parent / store.RESULTS).write_text('{"mean": 0.5}')
        count += 1
        if count % BLOCK == 0:
            gc.collect()
            every.append((time.perf_counter(), time.process_time(), sys.getallocatedblocks()))

    monkeypatch.setattr(NotebookProcess, "run", run_nothing)


@pytest.mark.slow
@pytest.mark.timing
def test_ten_thousand_runs_cost_5_ms_each_and_hold_no_memory(many: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    began = time.process_time()
    plan = nca.sweeps.plan(many)
    dry = (time.process_time() - began) / RUNS
    every: list[tuple[float, float, int]] = []
    _stub(monkeypatch, every)
    summary = nca.sweeps.sweep(many, workers=2, progress=False)
    assert (len(plan.runs), summary.done, summary.failed, summary.left) == (RUNS, RUNS, 0, 0)
    # others use the machine too, and can only add: the quickest block of runs is the cost
    wall, cost, _ = (min(b[i] - a[i] for a, b in itertools.pairwise(every)) / BLOCK for i in range(3))
    grown = (every[-1][2] - every[3][2]) / (RUNS - 4 * BLOCK)
    print(f"\ndry run {dry * 1e3:.2f} ms, bookkeeping {cost * 1e3:.2f} ms CPU, {wall * 1e3:.2f} ms wall a run")
    print(f"{grown:.2f} blocks of memory kept a finished run")
    # Dask remembers the names of the last 100,000 tasks, and nothing else of them
    assert grown < 10
    assert dry + cost <= 5e-3 * BUSY
    began = time.process_time()
    assert nca.sweeps.sweep(many, workers=2, progress=False).skipped == RUNS
    assert (time.process_time() - began) / RUNS <= 5e-3 * BUSY


@pytest.mark.slow
@pytest.mark.timing
def test_overhead_over_plain_papermill_is_at_most_a_tenth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    plan = nca.sweeps.plan(HERE / "grid50.yml")
    store.prepare(plan.grid.store)
    task = engine.task_maker(plan, threads=1)
    notebook = plan.grid.stages["first"].notebook
    plain, swept = [], []
    for one in range(25):  # in turn, so that what else the machine does falls on both
        began = time.perf_counter()
        out = tmp_path / "plain" / str(one)
        out.mkdir(parents=True)
        arguments = {**plan.runs[one].parameters, "out": str(out)}
        papermill.execute_notebook(notebook, str(out / "notebook.ipynb"), arguments, progress_bar=False)
        plain.append(time.perf_counter() - began)
        began = time.perf_counter()
        assert perform(task(one)).state == "done"
        swept.append(time.perf_counter() - began)
    ratio = statistics.median(swept) / statistics.median(plain)
    print(f"\na run: plain papermill {statistics.median(plain):.3f} s, in a sweep {ratio:.3f} times that")
    assert ratio <= 1.10


@pytest.mark.slow
@pytest.mark.timing
def test_workers_stay_busy(tmp_path: Path) -> None:
    code, output = run(tmp_path, HERE / "grid50.yml", "--workers", "2")
    assert code == 0, output
    spans = []
    for record in nca.sweeps.records(tmp_path / "store"):
        started = datetime.fromisoformat(record["started"]).timestamp()
        spans.append((started, started + record["seconds"]))
    busy = sum(end - start for start, end in spans)
    whole = max(end for _, end in spans) - min(start for start, _ in spans)
    print(f"\n{len(spans)} runs, two workers busy {busy / whole / 2:.1%} of the time")
    assert busy / whole / 2 >= 0.9
