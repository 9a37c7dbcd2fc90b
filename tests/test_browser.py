"""The book and the explorer as readers meet them, in headless Chromium.

NCA_BOOK names a built book (default `_build/html`), NCA_SHOTS a folder that keeps screenshots.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
import torch
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from nca.metrics import tod_ratio

sync_api = pytest.importorskip("playwright.sync_api", reason="needs the playwright package")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
ROOT = Path(__file__).parents[1]
BOOK = Path(os.environ.get("NCA_BOOK", ROOT / "_build" / "html")).resolve()
ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--autoplay-policy=no-user-gesture-required",
]
ARGS += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
DESKTOP, PHONE = {"width": 1400, "height": 1000}, {"width": 390, "height": 844}
pytestmark = [pytest.mark.browser, pytest.mark.skipif(not CHROMIUM, reason="needs Chromium")]

SETUP = """
import numpy as np
from nca.explorer import View, encode, explore

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
        assert self.wrong == []
        assert self.outside == []


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser: Any) -> Iterator[Callable[..., Watched]]:
    contexts = []

    def opened(address: str | Path, **options: Any) -> Watched:
        context = browser.new_context(**({"viewport": DESKTOP} | options))
        contexts.append(context)
        watched = Watched(context.new_page())
        watched.page.goto(address.as_uri() if isinstance(address, Path) else address, wait_until="load")
        return watched

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture
def shoot(tmp_path: Path) -> Callable[[Any, str], None]:
    folder = Path(os.environ.get("NCA_SHOTS", tmp_path))
    return lambda target, name: target.screenshot(path=folder / f"{name}.png")


def run(*command: str, cwd: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, *command], cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


@pytest.fixture(scope="session")
def small_book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A book of two pages, built with this one's configuration: an explorer as papermill leaves it, and plain prose."""
    home = tmp_path_factory.mktemp("book")
    shutil.copytree(ROOT / "book", home / "book")
    shutil.copy2(ROOT / "_config.yml", home)
    if (ROOT / "node_modules").is_dir():
        (home / "node_modules").symlink_to(ROOT / "node_modules")
    cells = [new_markdown_cell("# Explorer"), new_code_cell(SETUP), new_code_cell("explore(views)")]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(new_notebook(cells=cells, metadata=kernel), home / "explorer.ipynb")
    (home / "executed").mkdir()
    run("-m", "papermill", "explorer.ipynb", "executed/explorer.ipynb", "--no-progress-bar", cwd=home)
    (home / "front.md").write_text("# Front\n\n$$ y = C x $$ (eq-15)\n\nSee {eq}`eq-15`.\n")
    (home / "_toc.yml").write_text("format: jb-book\nroot: front\nchapters:\n  - file: executed/explorer\n")
    run("-c", "from jupyter_book.cli.main import main; main()", "build", ".", "-W", "--keep-going", cwd=home)
    if not (home / "_build/html/_static/offline/embed-amd.js").exists():
        pytest.skip("the widgets' assets could not be fetched with npm")
    return home / "_build" / "html"


# ---- the explorer, in a static page -------------------------------------------------------------------------------


def expected() -> list[Any]:
    names: dict[str, Any] = {}
    exec(SETUP, names)  # the very cells that the page was made from
    return names["views"]


@pytest.fixture
def explorer(small_book: Path, visit: Callable[..., Watched]) -> Iterator[Any]:
    watched = visit(small_book / "executed" / "explorer.html")
    widget = watched.page.locator(".nca-explorer")
    widget.wait_for()
    yield widget
    watched.calm()


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


def test_tod_ratio_of_whole_and_zoomed_matrix_agrees_with_python(explorer: Any) -> None:
    for view in expected():
        choose(explorer, "model", view.model)
        choose(explorer, "strategy", view.strategy)
        matrix = torch.as_tensor(view.matrix)
        assert todr(explorer) == pytest.approx([tod_ratio(matrix).item()], rel=0.01)
    explorer.get_by_role("button", name="zoom in").click(click_count=2)
    row, col, size = region(explorer)
    assert size < 200
    part = matrix[row : row + size, col : col + size].abs()
    diagonal = part.diagonal(row - col).sum()  # the matrix's own diagonal, where the region meets it
    assert todr(explorer) == pytest.approx([(size**0.5 * diagonal / (part.sum() - diagonal)).item()], rel=0.01)


def test_hover_shows_the_band_and_its_value(explorer: Any) -> None:
    explorer.locator("input[name=rows]").uncheck()
    row, col = 200, 100  # an entry of the harmonic line
    explorer.page.mouse.move(*point(explorer, (col + 0.5) / 513, (row + 0.5) / 513))
    shown = explorer.locator(".nca-readout").inner_text()
    value = float(shown.rsplit(": ", 1)[1])
    assert value == pytest.approx(expected()[0].matrix[row, col], rel=0.05)
    assert "output 2.15 kHz from input 1.08 kHz" in shown
    assert explorer.locator("figcaption", has_text="What feeds 2.15 kHz").count() == 1
    assert explorer.locator("figcaption", has_text="Where 1.08 kHz goes").count() == 1


def test_wheel_zooms_at_the_pointer_and_drag_pans(explorer: Any) -> None:
    mouse = explorer.page.mouse
    mouse.move(*point(explorer, 0.5, 0.5))
    mouse.wheel(0, -200)
    explorer.page.wait_for_function("document.querySelector('.nca-explorer').dataset.size < 300")
    row, col, size = region(explorer)
    assert abs(row + size / 2 - 256) < 4
    assert abs(col + size / 2 - 256) < 4
    mouse.down()
    mouse.move(*point(explorer, 0.75, 0.5), steps=8)
    mouse.up()
    moved = region(explorer)
    assert moved[0] == row
    assert col - moved[1] == pytest.approx(size / 4, abs=3)


def test_keyboard_moves_zooms_and_shows_everything(explorer: Any) -> None:
    canvas = explorer.locator(".nca-map").first
    canvas.focus()
    before = explorer.locator(".nca-readout").inner_text()
    canvas.press("ArrowUp")
    assert explorer.locator(".nca-readout").inner_text() != before
    canvas.press("+")
    canvas.press("+")
    _, before_pan, size = region(explorer)
    assert size < 200
    canvas.press("Shift+ArrowRight")
    assert region(explorer)[1] > before_pan
    canvas.press("0")
    assert region(explorer) == (0, 0, 513)


def test_two_matrices_side_by_side_and_their_difference(explorer: Any, shoot: Callable[[Any, str], None]) -> None:
    choose(explorer, "compare", "beside")
    choose(explorer, "model", "SF", nth=1)
    assert explorer.locator(".nca-map:visible").count() == 2
    views = expected()
    pair = [views[0], next(v for v in views if v.model == "SF" and v.strategy == "compositional")]
    assert todr(explorer) == pytest.approx([tod_ratio(torch.as_tensor(v.matrix)).item() for v in pair], rel=0.01)
    shoot(explorer, "explorer-beside")
    choose(explorer, "compare", "difference")
    explorer.locator("input[name=rows]").uncheck()
    explorer.page.mouse.move(*point(explorer, 40.5 / 513, 40.5 / 513))
    value = float(explorer.locator(".nca-readout").inner_text().rsplit(": ", 1)[1])
    assert value == pytest.approx(pair[0].matrix[40, 40] - pair[1].matrix[40, 40], rel=0.06)
    shoot(explorer, "explorer-difference")


def test_sounds_decode_and_play(explorer: Any) -> None:
    labels = ["mixture", "true voice", "the model's voice", "voice through the couplings"]
    assert [each.inner_text() for each in explorer.locator(".nca-sound").all()] == labels
    for sound in explorer.locator("audio").all():
        sound.evaluate("audio => audio.play()")  # resolves when it plays, fails where it cannot be decoded
        length = sound.evaluate("audio => audio.duration")
        assert length == pytest.approx(2, abs=0.15)
    playing = explorer.locator("audio").last
    explorer.page.wait_for_timeout(400)
    assert playing.evaluate("audio => audio.currentTime") > 0


def test_touch_shows_a_band_and_pinch_zooms(small_book: Path, visit: Callable[..., Watched]) -> None:
    watched = visit(small_book / "executed" / "explorer.html", viewport=PHONE, has_touch=True, is_mobile=True)
    widget = watched.page.locator(".nca-explorer")
    widget.wait_for()
    x, y = point(widget, 0.25, 0.75)
    watched.page.touchscreen.tap(x, y)
    assert "from input 1.3" in widget.locator(".nca-readout").inner_text()
    touch = watched.page.context.new_cdp_session(watched.page)
    for kind, apart in (("touchStart", 20), ("touchMove", 40), ("touchMove", 60), ("touchMove", 80)):
        fingers = [{"x": x - apart, "y": y, "id": 1}, {"x": x + apart, "y": y, "id": 2}]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": fingers})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    assert region(widget)[2] < 300
    watched.calm()


def test_without_javascript_a_picture_stands_in(small_book: Path, visit: Callable[..., Watched]) -> None:
    watched = visit(small_book / "executed" / "explorer.html", java_script_enabled=False)
    picture = watched.page.locator(".cell_output img")
    assert picture.evaluate("image => image.naturalWidth") > 300
    assert len(picture.get_attribute("alt")) > 20


def test_explorer_page_is_light(small_book: Path) -> None:
    assert (small_book / "executed" / "explorer.html").stat().st_size < 8e6


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("light", {}),
        ("dark", {"color_scheme": "dark"}),
        ("phone", {"viewport": PHONE, "device_scale_factor": 2}),
    ],
)
def test_explorer_fits_its_page(
    small_book: Path,
    visit: Callable[..., Watched],
    shoot: Callable[[Any, str], None],
    name: str,
    options: dict[str, Any],
) -> None:
    watched = visit(small_book / "executed" / "explorer.html", **options)
    widget = watched.page.locator(".nca-explorer")
    widget.wait_for()
    assert watched.page.evaluate("document.documentElement.scrollWidth") <= watched.page.viewport_size["width"]
    sharp = widget.locator(".nca-map").first.evaluate(
        "c => c.width / c.getBoundingClientRect().width / devicePixelRatio"
    )
    assert sharp == pytest.approx(1, abs=0.01)
    shoot(widget, f"explorer-{name}")
    watched.calm()
