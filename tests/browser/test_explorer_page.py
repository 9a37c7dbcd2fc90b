"""The explorer in a static page, as readers without Python meet it."""

import functools
import http.server
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from browserkit import PHONE, Watched, choose, expected, point, region, todr

from nca.metrics import tod_ratio

pytestmark = pytest.mark.browser


@pytest.fixture
def explorer(small_book: Path, visit: Callable[..., Watched]) -> Iterator[Any]:
    watched = visit(small_book / "executed" / "explorer.html")
    widget = watched.page.locator(".nca-explorer")
    widget.wait_for()
    yield widget
    watched.calm()


def test_tod_ratio_of_whole_and_zoomed_matrix_agrees_with_python(explorer: Any) -> None:
    for view in expected():
        for name in ("song", "segment", "model", "strategy"):
            choose(explorer, name, str(getattr(view, name)))
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
    for _ in range(20):  # the page may still be scrolling to the explorer, and then the wheel is the page's
        mouse.move(*point(explorer, 0.4, 0.5))
        mouse.move(*point(explorer, 0.5, 0.5))
        mouse.wheel(0, -200)
        explorer.page.wait_for_timeout(500)
        if region(explorer)[2] < 300:
            break
    row, col, size = region(explorer)
    assert size < 300
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


def test_the_lowest_bands_as_the_figure_enlarges_them(explorer: Any) -> None:
    explorer.get_by_role("button", name="Fig. 3").click()
    assert region(explorer) == (0, 0, round(1100 / (44100 / 4096)))


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


def test_a_local_server_serves_it_as_well(small_book: Path, visit: Callable[..., Watched]) -> None:
    handler = functools.partial(QuietHandler, directory=str(small_book))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        home = f"http://127.0.0.1:{server.server_address[1]}"
        watched = visit(f"{home}/executed/explorer.html")
        watched.page.locator(".nca-explorer").wait_for()
        found = visit(f"{home}/search.html?q=front")
        found.page.locator("#search-results .context").first.wait_for()  # extracts, which the server is asked for
        server.shutdown()
    watched.calm()
    found.calm()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass
