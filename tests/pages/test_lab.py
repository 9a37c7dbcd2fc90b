"""JupyterLab as `make lab` starts it: the project in sight, kernels in its folder."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from browserkit import free_port, wait_for

ROOT = Path(__file__).parents[2]


def options(folder: Path) -> list[str]:
    """Those of the recipe in the Makefile, for another folder."""
    recipe = re.search(r"^lab:.*?\n\n", (ROOT / "Makefile").read_text(), re.MULTILINE | re.DOTALL)[0]
    return [one.replace("$(CURDIR)", str(folder)) for one in re.findall(r"--ServerApp\.\S+", recipe)]


def asked(address: str, content: dict[str, Any] | None = None) -> Any:
    """What the server answers: to a request with content it makes something."""
    data = json.dumps(content).encode() if content else None
    with urllib.request.urlopen(urllib.request.Request(address, data), timeout=60) as answer:
        return json.load(answer)


@pytest.mark.slow
def test_results_are_in_sight_and_kernels_start_in_the_projects_folder(tmp_path: Path) -> None:
    pytest.importorskip("jupyterlab", reason="needs JupyterLab")
    for name in ("notebooks", "my-model"):
        (tmp_path / name).mkdir()
    (tmp_path / "notebooks" / "page.ipynb").touch()
    port = free_port()
    rest = ["--no-browser", "--allow-root", f"--ServerApp.port={port}", "--IdentityProvider.token="]
    rest += ["--ServerApp.disable_check_xsrf=True", "--LabApp.news_url="]
    home = {"JUPYTER_CONFIG_DIR": str(tmp_path / "none"), "HOME": str(tmp_path)}
    command = [sys.executable, "-m", "jupyterlab", *options(tmp_path), *rest]
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(command, cwd=tmp_path, env=os.environ | home, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}/api"
    try:
        wait_for(address, server)
        assert {"notebooks", "my-model"} <= {one["name"] for one in asked(f"{address}/contents/")["content"]}
        kernel = {"name": "python3"}
        about = {"path": "notebooks/page.ipynb", "name": "page", "type": "notebook", "kernel": kernel}
        asked(f"{address}/sessions", about)
        until, folders = time.monotonic() + 60, list[str]()
        while not folders and time.monotonic() < until:
            for child in psutil.Process(server.pid).children(recursive=True):
                with suppress(psutil.Error):  # that it has ended meanwhile
                    if "ipykernel_launcher" in " ".join(child.cmdline()):
                        folders.append(child.cwd())
        assert folders == [str(tmp_path)]
    finally:
        server.terminate()
        server.wait(60)
