"""A sweep that submits itself: one command, and the jobs do the rest without it."""

import json
import os
import time
from pathlib import Path

import pytest
from sweeps.harness import HERE, done, run

import nca.sweeps

OPTIONS = "--time=1:00:00 --mem='16 G'"


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a queue whose sbatch and squeue stand first on the path."""
    for name in ("sbatch", "squeue"):
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin" / name).symlink_to(HERE / "fake_slurm.py")
    (tmp_path / "queue").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_SLURM", str(tmp_path / "queue"))
    return tmp_path / "queue"


def ended(queue: Path) -> list[str]:
    """The exit codes of all jobs, once the last has ended."""
    until = time.monotonic() + 240
    while len(list(queue.glob("*.done"))) < len(list(queue.glob("*.json"))):
        assert time.monotonic() < until, [path.name for path in queue.iterdir()]
        time.sleep(0.2)
    return [path.read_text() for path in sorted(queue.glob("*.done"))]


@pytest.mark.slow
def test_one_command_submits_a_sweep_that_runs_without_it(tmp_path: Path, queue: Path) -> None:
    asked = [HERE / "grid.yml", "--set", "seed=0", "--sbatch", OPTIONS, "--jobs", "2", "--workers", "1"]
    code, output = run(tmp_path, *asked)
    assert code == 0, output
    assert output.splitlines()[:3] == ["first: job 100", "second: job 101", "page: job 102"]
    code, output = run(tmp_path, *asked)
    assert (code, "jobs of this sweep are in the queue already: 100_[1-2]" in output) == (2, True), output
    assert ended(queue) == ["0 0", "0 0", "0"]
    jobs = [json.loads(path.read_text()) for path in sorted(queue.glob("*.json"))]
    assert all({"--time=1:00:00", "--mem=16 G"} <= set(job) for job in jobs)
    assert [[word for word in job if word.startswith("--dependency")] for job in jobs] == [
        [],
        ["--dependency=afterany:100"],
        ["--dependency=afterany:100:101"],
    ]
    assert len(done(tmp_path / "store")) == 5
    assert nca.sweeps.verify(tmp_path / "store") == []
    assert (tmp_path / "executed" / "page.ipynb").is_file()
    code, output = run(tmp_path, *asked)
    assert (code, output.strip()) == (0, "nothing is left to run")


def test_where_there_is_no_slurm_a_sentence_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    code, output = run(tmp_path, HERE / "grid.yml", "--sbatch", "")
    assert (code, "nca: there is no squeue here" in output) == (2, True), output


def test_what_slurm_refuses_is_said_in_its_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, line in (("squeue", "true"), ("sbatch", "echo 'sbatch: error: invalid partition' >&2; exit 1")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{line}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    code, output = run(tmp_path, HERE / "grid.yml", "--sbatch=--partition=none")
    assert (code, "nca: sbatch refused: sbatch: error: invalid partition" in output) == (2, True), output
