"""Kernels forked from one process that has done their imports, which take longer than many a page."""

import atexit
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
from jupyter_client.provisioning import LocalProvisioner

from nca.support.devices import REPORT
from nca.sweeps.kernels import KernelStopped

_ZYGOTE = Path(__file__).with_name("zygote.py")
_INLINE = {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}  # what a kernel sets, before Matplotlib reads it
_zygotes: dict[frozenset[tuple[str, str]], "Zygote"] = {}
_lock = threading.Lock()


class Zygote:
    """The process behind `zygote.py`, with an environment that its kernels share."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._channel, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, str(_ZYGOTE)], stdin=theirs.fileno(), env=environment, start_new_session=True
            )
        self._answers = self._channel.makefile("r")

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    def fork(self, **kernel: Any) -> int:
        """The number of a new process.

        Raises:
            KernelStopped: It has died, and no kernel was started.
        """
        try:
            self._channel.sendall(f"{json.dumps(kernel)}\n".encode())
            return int(self._answers.readline())
        except (OSError, ValueError) as error:
            reason = "the process that kernels are forked from died: killed from outside, or out of memory"
            raise KernelStopped("died", reason) from error

    def end(self) -> None:
        """End it, and its kernels with it."""
        self._answers.close()
        self._channel.close()
        self._process.wait()


class Fork:
    """A forked kernel in the form of a `subprocess.Popen`; of its end no more is known than that."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int) -> None:
        self.pid = pid
        try:
            self._process = psutil.Process(pid)
        except psutil.NoSuchProcess:
            self._process = None

    def poll(self) -> int | None:
        """None while it runs."""
        return None if self._process and self._process.is_running() else 0

    def wait(self) -> int:
        """Return when it has ended."""
        if self._process:
            self._process.wait()
        return 0

    def send_signal(self, number: int) -> None:
        """Send it a signal, where it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)


class ForkProvisioner(LocalProvisioner):
    """Launches IPython's kernel of this interpreter by forking, in the place of a new process."""

    process: Any = None

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """Launch the kernel of an `ipykernel_launcher` command in a folder `cwd`, with an environment `env`."""
        arguments = cmd[cmd.index("ipykernel_launcher") + 1 :]
        environment, cwd = _INLINE | kwargs["env"], kwargs["cwd"]
        with _lock:
            pid = _zygote(environment).fork(arguments=arguments, environment=environment, cwd=cwd)
        self.process, self.pid, self.pgid, self.cwd = Fork(pid), pid, pid, cwd
        return self.connection_info


def _zygote(environment: Mapping[str, str]) -> Zygote:
    """The living one of an environment, in which only the name of a run's report is a kernel's own."""
    shared = {name: value for name, value in environment.items() if name != REPORT}
    key = frozenset(shared.items())
    if key in _zygotes and not _zygotes[key].alive:
        _zygotes.pop(key).end()
    if key not in _zygotes:
        _zygotes[key] = Zygote(shared)
    return _zygotes[key]


@atexit.register
def _end_all() -> None:
    while _zygotes:
        _zygotes.popitem()[1].end()
