"""Pages of one file, as those open them to whom they are sent: a saved explorer, and a song looked at."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from browserkit import PHONE, Watched, choose, todr
from samples import trained_like
from torch import Tensor

import nca
from nca.cli import main
from nca.data import Recording
from nca.spectra import Geometry
from nca.training import Trained

pytestmark = pytest.mark.browser

GEOMETRY = Geometry(rate=8000, fft=64, window=32, hop=8)


def a_mask(mixture: Tensor) -> Tensor:
    """A mask that listens to the band below and to the frame before."""
    before = torch.nn.functional.pad(mixture, (1, 0))[:, :-1]
    return torch.sigmoid(mixture.roll(1, 0) - 2 * before)


@pytest.fixture(scope="module")
def mapping() -> tuple[nca.LocalMapping, Any]:
    wave = np.random.default_rng(0).normal(scale=0.1, size=8000).astype(np.float32)
    spectra = nca.analyse(Recording("noise", GEOMETRY.rate, wave), GEOMETRY).part(0, 400)
    return nca.local_mapping(a_mask, spectra.mixture.abs(), mask=True, frames=[200, 201], lags=(-1, 0, 1)), spectra


@pytest.fixture
def saved(mapping: Any, tmp_path: Path, visit: Callable[..., Watched]) -> Any:
    """The saved explorer of a local mapping, opened from its file."""
    path = nca.explore(nca.mapped_views(*mapping, model="a mask"), bandwidth=125).save(tmp_path / "mapping.html")
    watched = visit(path, offline=True)
    widget = watched.page.locator(".nca-explorer")
    widget.wait_for()
    yield widget
    watched.calm()


@pytest.fixture(scope="module")
def looked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a song through skip filtering, both small."""
    folder = tmp_path_factory.mktemp("look")
    model, gain = trained_like("SF", GEOMETRY.bins).float(), torch.ones(GEOMETRY.bins, 1)
    Trained(model, 0.5 * gain, gain, GEOMETRY, 0, [1.0], [0.1]).save(folder / "network")
    soundfile.write(folder / "A <song> & more.wav", np.random.default_rng(0).normal(scale=0.1, size=8000), 8000)
    arguments = ["--model", str(folder / "network"), "--out", str(folder / "page.html")]
    assert main(["look", str(folder / "A <song> & more.wav"), *arguments]) == 0
    return folder / "page.html"


def test_a_slider_moves_through_the_lags(saved: Any, mapping: Any) -> None:
    blocks, slider = mapping[0].blocks, saved.locator("input[name=lag]").first
    assert "input from the same frame" in saved.locator("figcaption").first.inner_text()
    for lag, words in ((1, "1 frame before"), (-1, "1 frame after")):
        slider.fill(str(blocks.lags.index(lag)))
        assert f"input from {words}, {blocks.share(lag):.2%}" in saved.locator("figcaption").first.inner_text()
        expected = nca.tod_ratio(blocks.couplings(lag).matrix).item()
        shown = todr(saved)[0]
        assert shown == pytest.approx(expected, rel=0.02) or not (expected == expected or shown == shown)
    slider.focus()
    saved.page.keyboard.press("ArrowRight")
    assert "the same frame" in saved.locator("figcaption").first.inner_text()


def test_a_switch_leaves_the_masks_own_term_out(saved: Any, mapping: Any) -> None:
    complete, response = (
        nca.tod_ratio(part.couplings().matrix).item() for part in (mapping[0].blocks, mapping[0].response)
    )
    assert todr(saved)[0] == pytest.approx(complete, rel=0.02)
    saved.get_by_label("without the mask's own term").check()
    assert todr(saved)[0] == pytest.approx(response, rel=0.02)
    assert "without the mask's own term" in saved.locator("figcaption").first.inner_text()
    choose(saved, "compare", "beside")
    assert saved.locator("input[name=lag]:visible").count() == 2


def test_its_voices_are_heard_and_go_on_through_the_lags(saved: Any) -> None:
    labels = ["mixture", "voice by the mask", "voice by the mean matrix", "the derivative's part alone"]
    assert [each.inner_text() for each in saved.locator(".nca-sound").all()] == labels
    for sound in saved.locator("audio").all():
        sound.evaluate("audio => audio.play()")
    player = saved.locator("audio").last.element_handle()
    saved.locator("input[name=lag]").first.fill("2")
    assert player.evaluate("audio => audio.isConnected")


def test_a_song_looked_at_opens_offline_and_plays(looked: Path, visit: Callable[..., Watched], shoot: Any) -> None:
    watched = visit(looked, offline=True)
    page = watched.page
    page.locator(".nca-map").first.wait_for()
    assert page.locator("h1").inner_text() == "A <song> & more"
    for sound in page.locator(".sounds audio").all():
        sound.evaluate("audio => audio.play()")
        assert sound.evaluate("audio => audio.duration") == pytest.approx(1, abs=0.2)
    assert page.locator(".wide img").evaluate("image => image.naturalWidth") > 300
    rows = page.locator("tbody tr").all()
    widget = page.locator(".nca-explorer")
    for row in rows:
        name = row.locator("th").inner_text().rsplit(", ", 1)[0]
        choose(widget, "strategy", name)
        assert todr(widget)[0] == pytest.approx(float(row.locator("td").first.inner_text()), rel=0.03)
    shoot(page, "look")
    watched.calm()


@pytest.mark.parametrize("options", [{"color_scheme": "dark"}, {"viewport": PHONE}], ids=["dark", "phone"])
def test_a_song_looked_at_fits_its_reader(looked: Path, visit: Callable[..., Watched], options: dict[str, Any]) -> None:
    watched = visit(looked, **options)
    page = watched.page
    page.locator(".nca-map").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate("document.documentElement.dataset.theme") == options.get("color_scheme", "light")
    watched.calm()


def test_without_javascript_there_are_players_and_a_picture(looked: Path, visit: Callable[..., Watched]) -> None:
    page = visit(looked, java_script_enabled=False).page
    assert page.locator(".sounds audio").count() == 3
    assert page.locator("noscript img").evaluate("image => image.naturalWidth") > 300
