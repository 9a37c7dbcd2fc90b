"""What the tests of sweeps share: the command in a process of its own, its kernels, and what a store holds."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

HERE = Path(__file__).parent
_COMMAND = "import sys; from nca.cli import main; sys.exit(main(sys.argv[1:]))"


def environment(**extra: str) -> dict[str, str]:
    """One thread a kernel, since the tests share a small machine."""
    return {**os.environ, "OMP_NUM_THREADS": "1", **extra}


def start(folder: Path, *arguments: str | Path, **extra: str) -> "subprocess.Popen[str]":
    """`nca sweep ARGUMENTS` in `folder`."""
    return subprocess.Popen(
        [sys.executable, "-c", _COMMAND, "sweep", *map(str, arguments)],
        cwd=folder,
        env=environment(**extra),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=_heed_interrupts,
    )


def _heed_interrupts() -> None:
    """A shell that runs tests in the background has them, and what they start, ignore interrupts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def end(sweep: "subprocess.Popen[str]") -> None:
    """Kill a sweep, if it still runs, and close what was open to it."""
    sweep.kill()
    sweep.wait()
    if sweep.stdout:
        sweep.stdout.close()


def run(folder: Path, *arguments: str | Path, timeout: float = 300, **extra: str) -> tuple[int, str]:
    """Exit code and output of `nca sweep ARGUMENTS` in `folder`."""
    process = start(folder, *arguments, **extra)
    try:
        output, _ = process.communicate(timeout=timeout)
    finally:
        process.kill()
    return process.returncode, output


def kernels(*parents: int) -> list[psutil.Process]:
    """The notebook kernels below some processes."""
    found = []
    for parent in parents:
        try:
            found += [
                one for one in psutil.Process(parent).children(recursive=True) if "ipykernel_launcher" in _line(one)
            ]
        except psutil.Error:
            continue
    return found


def _line(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def done(store: Path) -> dict[str, tuple[int, int]]:
    """The runs that are done, each with what changes when its record is written again."""
    found = {}
    for record in store.glob("[!.]*/*/record.json"):
        stat = record.stat()
        found[record.parent.name] = (stat.st_ino, stat.st_mtime_ns)
    return found


@contextmanager
def cluster(
    folder: Path, workers: int = 2, protocol: str = "tcp"
) -> Iterator[tuple[str, list["subprocess.Popen[bytes]"]]]:
    """A Dask scheduler and worker processes on the loopback interface; yields the address and the nannies."""
    file = str(folder / "scheduler.json")
    place = ["--host", f"{protocol}://127.0.0.1", "--port", "0"]
    scheduler = ["dask_scheduler", *place, "--no-dashboard", "--scheduler-file", file]
    worker = ["dask_worker", "--nthreads", "1", "--no-dashboard", "--local-directory", str(folder), "--scheduler-file"]
    processes = [_dask(folder, *scheduler), *(_dask(folder, *worker, file) for _ in range(workers))]
    try:
        from distributed import Client

        with Client(scheduler_file=file, set_as_default=False, timeout=60) as client:
            client.wait_for_workers(workers, timeout=60)
            address = client.scheduler.address
        yield address, processes[1:]
    finally:
        for process in reversed(processes):
            for child in psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []:
                child.kill()
            process.kill()
            process.wait()


def _dask(folder: Path, program: str, *arguments: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", f"distributed.cli.{program}", *arguments],
        cwd=folder,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
