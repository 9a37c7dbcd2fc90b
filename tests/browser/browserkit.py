"""What the browser's tests share: the notebook they show, and how they read the explorer."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
BOOK = Path(os.environ.get("NCA_BOOK", ROOT / "_build" / "html")).resolve()
DESKTOP, PHONE = {"width": 1400, "height": 1000}, {"width": 390, "height": 844}
ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--autoplay-policy=no-user-gesture-required",
]
ARGS += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}

SETUP = """
import numpy as np
from nca.pages.explorer import View, encode, explore

def made(seed, diagonal, bins=513):
    random, f = np.random.default_rng(seed), np.arange(bins)
    matrix = 0.02 * random.standard_normal((bins, bins)) + np.diag(diagonal * np.exp(-f / 200))
    matrix[f[: bins // 2] * 2, f[: bins // 2]] += 0.2 * diagonal
    return matrix

def tone(hertz):
    return encode(0.3 * np.sin(2 * np.pi * hertz * np.arange(2 * 11025) / 11025), 11025)

shared = {"mixture": tone(220), "true voice": tone(440)}
views = [
    View(made(10 * i + j, d / (j + 1)), model, strategy, "a song", 0,
         shared | {"the model's voice": tone(300 + i), "voice through the couplings": tone(500 + 10 * i + j)})
    for i, (model, d) in enumerate([("DAE", 1.0), ("MSS-DAE", 0.5), ("SF", 0.02)])
    for j, strategy in enumerate(["student", "compositional"])
]
views += [
    View(made(50 + segment, 0.3 + segment / 10), "SF", "compositional", "another song", segment, shared)
    for segment in (2, 4)
]
"""


class Watched:
    """A page that remembers what went wrong in it, and what it asked the network for."""

    def __init__(self, page: Any) -> None:
        self.page, self.wrong, self.outside = page, [], []
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("console", lambda message: self.wrong.append(message.text) if message.type == "error" else None)
        page.on("request", lambda request: self._asked(request.url))

    def _asked(self, url: str) -> None:
        if not url.startswith(("file:", "data:", "blob:", "http://127.0.0.1", "http://localhost")):
            self.outside.append(url)

    def calm(self) -> None:
        assert self.wrong == [], self.wrong
        assert self.outside == [], self.outside


def run(*command: str, cwd: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, *command], cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def expected() -> list[Any]:
    names: dict[str, Any] = {}
    exec(SETUP, names)  # the very cells that the page was made from
    return names["views"]


def todr(widget: Any) -> list[float]:
    shown = widget.locator("[data-todr]").all()
    return [float(row.get_attribute("data-todr")) for row in shown]


def region(widget: Any) -> tuple[int, int, int]:
    row, col, size = (int(widget.get_attribute(f"data-{name}")) for name in ("row", "col", "size"))
    return row, col, size


def choose(widget: Any, name: str, value: str, nth: int = 0) -> None:
    widget.locator(f"select[name={name}]").nth(nth).select_option(value)


def point(widget: Any, across: float, up: float) -> tuple[float, float]:
    """Screen position at shares of the map's side, from 0 Hz."""
    canvas = widget.locator(".nca-map").first
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    width, height = box["width"] - 46 - 8, box["height"] - 6 - 36
    return box["x"] + 46 + across * width, box["y"] + 6 + (1 - up) * height


@contextmanager
def jupyterlab(folder: Path, home: Path, *options: str) -> Iterator[str]:
    """Address of a JupyterLab server on `folder`, with nothing of the user's own settings."""
    port = free_port()
    options = (
        "--no-browser",
        "--allow-root",
        f"--ServerApp.port={port}",
        f"--ServerApp.root_dir={folder}",
        "--IdentityProvider.token=",
        "--LabApp.news_url=",
        *options,
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT), "HOME": str(home), "JUPYTER_CONFIG_DIR": str(home)}
    with (home.parent / "log").open("w") as log:
        command = [sys.executable, "-m", "jupyterlab", *options]
        server = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        wait_for(f"http://127.0.0.1:{port}/api", server)
        yield f"http://127.0.0.1:{port}/lab"
    finally:
        server.terminate()
        server.wait(30)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(address: str, server: subprocess.Popen, seconds: float = 90) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        assert server.poll() is None, "the server has ended"
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            time.sleep(0.3)
    raise AssertionError(f"no answer from {address}")
