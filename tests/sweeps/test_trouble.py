"""Sweeps in which something goes wrong: in runs, in the store, between two sweeps at once."""

import errno
import itertools
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest
from sweeps.harness import HERE, done, kernels, run, start

import nca.sweeps
from nca.errors import RunError
from nca.sweeps import store


def _grid(folder: Path, name: str, text: str) -> Path:
    """A grid file in `folder` that uses a notebook of the fixtures."""
    path = folder / f"{name}.yml"
    path.write_text(text.replace("HERE", str(HERE)))
    return path


@pytest.mark.slow
def test_a_raising_a_hoarding_and_a_hanging_run_among_fifty(tmp_path: Path) -> None:
    code, output = run(tmp_path, HERE / "trouble.yml")
    assert code == 1, output
    assert len(nca.sweeps.table(tmp_path / "store")) == 47
    failed = {one["kind"]: one for one in nca.sweeps.failures(tmp_path / "store")}
    assert set(failed) == {"raised", "memory", "timeout"}
    assert failed["raised"]["error"] == "ArithmeticError: as it was told to"
    assert failed["raised"]["cell"] == 4  # the injected parameters count as a cell
    assert "ArithmeticError" in "".join(failed["raised"]["traceback"])
    assert failed["raised"]["parameters"] == {"kind": "raises", "seed": 0}
    assert 400e6 < failed["memory"]["peak_memory"] < 1.2e9
    assert "20 seconds" in failed["timeout"]["reason"]
    for one in failed.values():
        assert nbformat.read(Path(one["folder"], "notebook.ipynb"), as_version=4).cells
    child = int(Path(failed["timeout"]["folder"], "child").read_text())
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE
    assert all(reason in output for reason in ("as it was told to", "limit is 400 MB", "limit of 20 seconds"))
    times = nca.sweeps.timetable(tmp_path / "store")
    assert len(times) == 50
    assert (times[times.status == "done"].peak_memory_mb > 20).all()
    again, output = run(tmp_path, HERE / "trouble.yml")
    assert again == 1, output
    assert "0 done, 47 done before, 3 failed" in output


@pytest.mark.slow
def test_two_sweeps_at_once_run_each_run_once(tmp_path: Path) -> None:
    log = tmp_path / "started"
    sweeps = [start(tmp_path, HERE / "grid50.yml", STARTED=str(log)) for _ in range(2)]
    outputs = [sweep.communicate(timeout=300)[0] for sweep in sweeps]
    assert [sweep.returncode for sweep in sweeps] == [0, 0], outputs
    assert len(done(tmp_path / "store")) == 52
    assert nca.sweeps.verify(tmp_path / "store") == []
    started = log.read_text().splitlines()
    assert len(started) == len(set(started)) == 52
    assert os.listdir(tmp_path / "store" / ".unfinished") == []


def test_a_failure_blocks_what_builds_on_it_and_is_run_again_when_asked(tmp_path: Path) -> None:
    text = """
store: store
stages:
  first: {notebook: first.md, parameters: {model: [a, b]}}
  second: {notebook: HERE/second.md, parameters: {model: [a, b], power: 1}, needs: {first: first}}
"""
    # a notebook that stumbles over one model only, and only until a file is there
    notebook = (
        (HERE / "first.md")
        .read_text()
        .replace(
            "generator = random",
            'assert model == "a" or Path(out).parents[2].joinpath("ready").exists()\ngenerator = random',
        )
    )
    (tmp_path / "first.md").write_text(notebook)
    grid = _grid(tmp_path, "grid", text)
    code, output = run(tmp_path, grid)
    assert code == 1
    assert "2 done, 0 done before, 1 failed, 1 left" in output
    assert "blocked, since first/" in output
    (failure,) = nca.sweeps.failures(tmp_path / "store")
    assert failure["error"].startswith("AssertionError")
    (tmp_path / "ready").touch()
    code, output = run(tmp_path, grid)
    assert (code, "0 done, 2 done before, 1 failed, 1 left" in output) == (1, True)
    code, output = run(tmp_path, grid, "--retry-failed")
    assert (code, "2 done, 2 done before, 0 failed, 0 left" in output) == (0, True)
    assert list(nca.sweeps.failures(tmp_path / "store")) == []


def test_status_from_another_terminal_while_a_sweep_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "store: store\nstages: {trouble: {notebook: HERE/trouble.md, rows: [{kind: hangs}], seconds: 60}}"
    grid = _grid(tmp_path, "grid", text)
    sweep = start(tmp_path, grid)
    monkeypatch.chdir(tmp_path)
    try:
        until = time.monotonic() + 30
        while not nca.sweeps.status(grid).running and time.monotonic() < until:
            time.sleep(0.2)
        found = nca.sweeps.status(grid)
        assert (found.done, found.failed, len(found.running), found.left) == (0, 0, 1, 0)
    finally:
        family = kernels(sweep.pid)
        sweep.kill()
        sweep.communicate()
    psutil.wait_procs(family, timeout=10)
    assert not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in family), "a kernel outlived"
    found = nca.sweeps.status(grid)
    assert (found.running, found.left) == ([], 1)


def test_an_interrupt_ends_a_sweep_at_once_and_leaves_the_run_unfinished(tmp_path: Path) -> None:
    text = "store: store\nstages: {trouble: {notebook: HERE/trouble.md, rows: [{kind: hangs}], seconds: 60}}"
    grid = _grid(tmp_path, "grid", text)
    sweep = start(tmp_path, grid)
    until = time.monotonic() + 30
    while not list(tmp_path.glob("store/.unfinished/*/child")) and time.monotonic() < until:
        time.sleep(0.1)
    family = kernels(sweep.pid)
    sweep.send_signal(2)
    output, _ = sweep.communicate(timeout=60)  # papermill takes its time to notice that a kernel is gone
    assert (sweep.returncode, "goes on where it stopped" in output) == (130, True), output
    assert "Kernel died" not in output
    assert family
    assert not any(one.is_running() for one in family)
    assert not list(tmp_path.glob("store/trouble/*"))


def test_an_unwritable_store_is_a_named_error(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file where a folder should be")
    code, output = run(tmp_path, HERE / "grid.yml")
    assert code == 2
    assert "nca: the store store cannot be written" in output
    assert (tmp_path / "store").read_text() == "a file where a folder should be"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become someone else")
def test_a_store_without_permission_is_a_named_error(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir(mode=0o755)
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    child = os.fork()
    if not child:
        os.setuid(65534)
        try:
            store.prepare(tmp_path / "store")
        except RunError as error:
            os._exit(0 if "permissions" in str(error) else 2)
        finally:
            os._exit(3)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_disk_that_fills_at_any_step_of_a_record_damages_nothing(tmp_path: Path) -> None:
    store.prepare(tmp_path)
    for step in range(1, 100):
        folder, final = store.attempt(tmp_path, "0" * 64), tmp_path / "stage" / f"run{step}"
        (folder / "inner").mkdir()
        (folder / "inner" / "artefact").write_bytes(b"content")
        with pytest.MonkeyPatch.context() as patch:
            refused = _refuse(patch, step)
            try:
                with store.naming(tmp_path):
                    store.finish(folder, final, {"stage": "stage", "parameters": {}, "results": []})
            except RunError as error:
                assert "No space left on device" in str(error)  # noqa: PT017
        assert store.is_done(final) == any(one["folder"] == str(final) for one in store.records(tmp_path))
        assert store.verify(tmp_path) == []
        if not refused:
            assert store.is_done(final)
            assert step > 6
            return
    raise AssertionError("the steps never end")


def _refuse(patch: pytest.MonkeyPatch, step: int) -> list[str]:
    """Let the step-th flush, rename or change of mode meet a full disk; returns what met it."""
    count, refused = itertools.count(1), []

    def meeting(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            if next(count) == step:
                refused.append(name)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(arguments[0]))
            return real(*arguments)

        return call

    for name in ("fsync", "replace", "rename", "chmod"):
        patch.setattr(os, name, meeting(name, getattr(os, name)))
    return refused


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a small disk")
def test_a_really_full_disk_ends_the_sweep_with_a_named_error_and_it_goes_on_later(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], check=False).returncode:
        pytest.skip("no disk can be mounted here")
    try:
        grid = _grid(tmp_path, "grid", (HERE / "grid.yml").read_text().replace("notebook: ", "notebook: HERE/"))
        (disk / "ballast").write_bytes(b"x" * 960_000)
        code, output = run(disk, grid)
        assert code == 2, output
        assert "No space left on device" in output
        assert store.verify(disk / "store") == []
        assert list(store.failures(disk / "store")) == []
        (disk / "ballast").unlink()
        code, output = run(disk, grid)
        assert code == 0, output
        assert len(list(store.records(disk / "store"))) == 13
    finally:
        subprocess.run(["umount", disk], check=True)
