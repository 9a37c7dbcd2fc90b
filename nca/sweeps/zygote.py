"""A process that has imported what this package's notebooks need, and forks into a kernel whenever it is asked to.

It is started by its path, not as a module: nothing of this package is loaded before a kernel asks for it. Its standard
input is a socket on which each line asks for one kernel; the answer is the kernel's process number. It ends with that
socket, and its kernels, whose parent it is, end with it.
"""

import atexit
import contextlib
import gc
import importlib
import json
import os
import signal
import socket
import sys

# torch imports its compiler when its deterministic algorithms are turned on
IMPORTED = ("torch", "torch._inductor", "pandas", "scipy.signal", "matplotlib.axes", "ipykernel.ipkernel")


def serve() -> None:
    """Answer each line with a kernel, until there are no more."""
    del sys.path[0]  # this file's folder
    for name in IMPORTED:
        importlib.import_module(name)
    gc.freeze()  # no collection of the kernels copies what all of them share
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # a kernel that ends leaves nothing behind
    channel = socket.socket(fileno=0)
    for line in channel.makefile("r"):
        pid = os.fork()
        if not pid:
            channel.close()
            _become(**json.loads(line))
        channel.sendall(f"{pid}\n".encode())


def _become(arguments: list[str], environment: dict[str, str], cwd: str) -> None:
    """Be this kernel to its end."""
    parent = os.getppid()
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["ipykernel_launcher", *arguments, f"--IPKernelApp.parent_handle={parent}"]
    from ipykernel.kernelapp import launch_new_instance

    with contextlib.suppress(SystemExit):
        launch_new_instance()
    atexit._run_exitfuncs()
    os._exit(0)  # without the second that taking all modules apart would need


if __name__ == "__main__":
    serve()
