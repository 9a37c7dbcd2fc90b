"""One notebook in one kernel: started without ports, watched for time and memory, and stopped for certain."""

import contextlib
import logging
import os
import shutil
import signal
import tempfile
import threading
import time
import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

import nbformat
import psutil  # type: ignore[import-untyped]

from nca.support.processes import memory_of_process

_GLANCE = 0.5  # seconds between looks at the kernel's memory and the clock
_START = 600  # seconds that a kernel has to start: on a machine that is busy a minute, papermill's own, can be too few
_GRACE = 20.0  # seconds that papermill has to notice that its kernel is dead


_live: "weakref.WeakSet[NotebookProcess]" = weakref.WeakSet()


class KernelStopped(Exception):
    """The kernel was stopped from here, or died: `kind` is `timeout`, `memory` or `died`."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind


def stop_all() -> None:
    """Kill every kernel that this process has started: the sweep ends here and now, and leaves them unfinished."""
    for name in ("papermill", "traitlets"):  # they would report that each kernel died
        logging.getLogger(name).setLevel(logging.CRITICAL)
    for process in list(_live):
        process.interrupt()


class NotebookProcess:
    """papermill on one notebook, in a thread that is watched from the caller's; what it prints goes to `shown` as well.

    A forked kernel starts with torch and its like imported, and shares what that takes with all others.

    Attributes:
        peak: The largest memory in bytes that the kernel and its children were seen to hold.
    """

    def __init__(
        self,
        notebook: nbformat.NotebookNode,
        output: Path,
        parameters: Mapping[str, Any],
        cwd: Path,
        environment: Mapping[str, str],
        first_lines: str = "",
        shown: TextIO | None = None,
        forked: bool = False,
    ) -> None:
        self.peak, self._forked = 0, forked
        self._arguments, self._shown = (notebook, output, dict(parameters)), shown
        self._start = {"cwd": str(cwd), "env": dict(environment)}
        if first_lines:
            self._start["extra_arguments"] = [f"--IPKernelApp.exec_lines={first_lines}"]
        self._pid: int | None = None
        self._family: list[psutil.Process] = []
        self._interrupted = False
        self._error: BaseException | None = None

    def run(self, seconds: float | None, memory: int | None) -> None:
        """Execute to the end.

        Raises:
            KernelStopped: The limit of time or memory (bytes) was passed, or the kernel died by itself.
            Exception: Whatever papermill raises.
        """
        _live.add(self)
        thread = threading.Thread(target=self._work, daemon=True, name="papermill")
        deadline = time.monotonic() + (seconds or float("inf"))
        thread.start()
        while thread.is_alive():
            thread.join(_GLANCE)
            self._look()
            if thread.is_alive() and (stop := self._excess(deadline, seconds, memory)):
                self.kill()
                # a client can go on waiting for a dead kernel; its thread is then left behind
                thread.join(_GRACE)
                raise stop
        if self._interrupted:
            raise KeyboardInterrupt
        if self._error is not None:
            raise self._error

    def interrupt(self) -> None:
        """End :meth:`run` with KeyboardInterrupt."""
        self._interrupted = True
        self.kill()

    def kill(self) -> None:
        """Kill the kernel with its process group and whatever else it was seen to start."""
        self._look()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if self._family and self._family[0].is_running():
                os.killpg(self._family[0].pid, signal.SIGKILL)
        for process in self._family:  # psutil kills no stranger that has inherited the number of a process gone by
            with contextlib.suppress(psutil.Error):
                process.kill()

    def _excess(self, deadline: float, seconds: float | None, memory: int | None) -> BaseException | None:
        if self._interrupted:
            return KeyboardInterrupt()
        if time.monotonic() > deadline:
            return KernelStopped("timeout", f"stopped after its limit of {seconds:g} seconds")
        if memory is not None and self.peak > memory:
            return KernelStopped("memory", f"stopped at {self.peak / 1e6:.0f} MB, its limit is {memory / 1e6:.0f} MB")
        return None

    def _look(self) -> None:
        if self._pid is not None and (family := _family(self._pid)):
            self._family = family
            self.peak = max(self.peak, sum(map(_memory, family)))

    def _work(self) -> None:
        try:
            with self._kernel() as manager:
                self._execute(manager)
                self._look()
        except BaseException as error:
            self._error = error

    def _execute(self, manager: Any) -> None:
        import papermill
        from jupyter_core.utils import run_sync

        notebook, output, parameters = self._arguments
        try:
            papermill.execute_notebook(
                notebook,
                str(output),
                parameters,
                progress_bar=False,
                km=manager,
                start_timeout=_START,
                autosave_cell_every=0,
                stdout_file=self._shown,
                stderr_file=self._shown,
            )
        except papermill.PapermillExecutionError:
            raise
        except Exception as error:
            # a kernel can die while it starts, in a cell and between cells: the exceptions differ, the fact does not
            if run_sync(manager.is_alive)():
                raise
            reason = "the kernel died: killed from outside, out of memory, or a crash"
            raise KernelStopped("died", reason) from error

    @contextlib.contextmanager
    def _kernel(self) -> Iterator[Any]:
        from jupyter_client.manager import AsyncKernelManager
        from jupyter_core.utils import run_sync

        sockets = tempfile.mkdtemp(prefix="nca-", dir=_short_folder())
        manager = AsyncKernelManager(
            kernel_name="python3", transport="ipc", ip=f"{sockets}/k", connection_file=f"{sockets}/kernel.json"
        )
        if self._forked and (spec := manager.kernel_spec):
            spec.metadata["kernel_provisioner"] = {"provisioner_name": "nca-fork"}
        try:
            run_sync(manager.start_kernel)(**self._start)
            self._pid = getattr(manager.provisioner, "pid", None)
            yield manager
        finally:
            if manager.has_kernel:
                run_sync(manager.shutdown_kernel)(now=not run_sync(manager.is_alive)())
            self.kill()
            shutil.rmtree(sockets, ignore_errors=True)


def _short_folder() -> str:
    """A folder for sockets: their paths must stay below about 100 characters."""
    folder = tempfile.gettempdir()
    return folder if len(folder) < 60 else "/tmp"


def _family(pid: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.Error:
        return []


def _memory(process: psutil.Process) -> int:
    """Memory in bytes: what Linux remembers as the process's peak, elsewhere what it holds now."""
    try:
        return memory_of_process("VmHWM", process.pid)
    except (OSError, ValueError):
        pass
    try:
        return process.memory_info().rss
    except psutil.Error:
        return 0
