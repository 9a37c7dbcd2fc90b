"""Kernels that are forked: each by itself, as a new process would be, and none outlives the sweep."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import psutil
import pytest

from nca.sweeps import forking
from nca.sweeps.kernels import KernelStopped, NotebookProcess

SEEN = """
import json, os, sys
json.dump({"pid": os.getpid(), "parent": os.getppid(), "session": os.getsid(0), "cwd": os.getcwd(),
           "own": os.environ["NCA_DEVICE_REPORT"], "shared": os.environ["NCA_SHARED"],
           "mark": "mark" in globals(), "modules": "nca" in sys.modules, "path": sys.path[:2],
           "threads": sys.modules["torch"].get_num_threads(), "backend": __import__("matplotlib").get_backend()},
          open(out, "w"))
mark = True
"""


def notebook(source: str) -> nbformat.NotebookNode:
    parameters = nbformat.v4.new_code_cell("out = ''", metadata={"tags": ["parameters"]})
    made = nbformat.v4.new_notebook(cells=[parameters, nbformat.v4.new_code_cell(source)])
    made.metadata["kernelspec"] = {"name": "python3", "language": "python", "display_name": "Python 3"}
    return made


def seen_by(folder: Path, name: str, source: str = SEEN, seconds: float | None = None, **more: str) -> dict:
    """What a forked kernel saw, run in a folder with its report's name of its own."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "NCA_SHARED": "one", "NCA_DEVICE_REPORT": name, **more}
    out = folder / f"{name}.json"
    process = NotebookProcess(
        notebook(source), folder / f"{name}.ipynb", {"out": str(out)}, folder, environment, forked=True
    )
    process.run(seconds, None)
    assert process.peak > 1e7
    return json.loads(out.read_text())


def test_each_kernel_is_a_process_of_its_own_and_all_have_one_parent(tmp_path: Path) -> None:
    first, second = (seen_by(tmp_path, name) for name in ("first", "second"))
    assert first["parent"] == second["parent"] != os.getpid()
    assert first["pid"] != second["pid"]
    for name, seen in (("first", first), ("second", second)):
        assert seen["session"] == seen["pid"]
        assert (seen["own"], seen["shared"], seen["cwd"]) == (name, "one", str(tmp_path))
        assert not seen["mark"]  # of the other's variables
        assert not seen["modules"]  # it reads the package as it is now
        assert str(Path(forking.__file__).parent) not in seen["path"]
        assert seen["threads"] == 1
        assert seen["backend"].endswith("inline")
    assert not psutil.pid_exists(first["pid"])


def test_another_environment_has_another_parent(tmp_path: Path) -> None:
    first, second = seen_by(tmp_path, "first"), seen_by(tmp_path, "second", NCA_SHARED="two")
    assert first["parent"] != second["parent"]
    assert second["shared"] == "two"


def test_where_the_parent_has_died_there_is_a_new_one(tmp_path: Path) -> None:
    parent = psutil.Process(seen_by(tmp_path, "first")["parent"])
    parent.kill()
    parent.wait(10)
    assert seen_by(tmp_path, "second")["parent"] != parent.pid


def test_a_parent_that_dies_when_it_is_asked_is_told_as_a_kernel_that_died() -> None:
    parent = forking.Zygote(os.environ)
    parent._process.kill()
    parent._process.wait()
    with pytest.raises(KernelStopped, match="forked from died") as stopped:
        parent.fork(arguments=[], environment={}, cwd="/")
    assert stopped.value.kind == "died"  # so that the run is tried again
    parent.end()


def test_a_kernel_that_dies_or_takes_too_long_is_told_as_any_other(tmp_path: Path) -> None:
    with pytest.raises(KernelStopped, match="the kernel died"):
        seen_by(tmp_path, "dies", "import os; os.kill(os.getpid(), 9)")
    with pytest.raises(KernelStopped, match="its limit of 2 seconds"):
        seen_by(tmp_path, "sleeps", "import time; time.sleep(60)", seconds=2)


@pytest.mark.slow
def test_no_kernel_outlives_the_process_that_asked_for_it(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from sweeps.test_forking import seen_by, SEEN;"
        "seen_by(Path(sys.argv[1]), 'kernel', SEEN + 'import time; time.sleep(600)')"
    )
    asking = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], cwd=Path(__file__).parents[1])
    there = tmp_path / "kernel.json"
    deadline = time.monotonic() + 120
    while not (there.exists() and there.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.1)
    seen = json.loads(there.read_text())
    family = [psutil.Process(seen[one]) for one in ("pid", "parent")]
    asking.kill()
    asking.wait(10)
    _, alive = psutil.wait_procs(family, timeout=20)
    assert not alive
