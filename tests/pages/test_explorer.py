"""The explorer's Python side: what travels to the page, and what is refused."""

import io
import json
import math
import zlib
from base64 import b64decode
from pathlib import Path

import ipywidgets
import numpy as np
import pytest
import soundfile
import torch
from bs4 import BeautifulSoup
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from samples import spectra, trained_like

from nca.analysis.local import local_mapping
from nca.couplings import Couplings, student
from nca.errors import DataError, ParameterError
from nca.metrics import tod_ratio
from nca.pages import figures
from nca.pages.explorer import Explorer, View, encode, explore, rerun
from nca.pages.explorer.quantise import quantise
from nca.pages.explorer.views import as_views


def decoded(code: dict) -> np.ndarray:
    """The numbers as explorer.js reads them, written anew from the description of the code."""
    stored = np.frombuffer(zlib.decompress(code["code"]), np.uint8).reshape(code["bins"], code["bins"]).astype(int)
    level, negative = stored % 128, stored >= 128
    magnitude = np.where(level == 0, 0, code["peak"] * 10 ** (-code["range"] * (127 - level) / 126 / 20))
    return np.where(negative, -magnitude, magnitude)


def some_matrix(bins: int = 64, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return 0.02 * random.standard_normal((bins, bins)) + np.diag(random.uniform(0, 1, bins))


def test_quantised_entries_are_within_four_per_cent() -> None:
    matrix = some_matrix()
    code = quantise(matrix)
    kept = np.abs(matrix) > code["peak"] * 10 ** (-code["range"] / 20)
    np.testing.assert_allclose(decoded(code)[kept], matrix[kept], rtol=0.04)
    assert kept.mean() > 0.59


@given(st.integers(0, 2**32 - 1), st.floats(1e-3, 1e3), st.sampled_from([1.0, 0.1, 0.0]))
def test_tod_ratio_survives_quantising(seed: int, scale: float, diagonal: float) -> None:
    random = np.random.default_rng(seed)
    matrix = scale * (0.02 * random.standard_normal((200, 200)) + diagonal * np.diag(random.uniform(0, 1, 200)))
    exact = tod_ratio(torch.as_tensor(matrix)).item()
    assert tod_ratio(torch.as_tensor(decoded(quantise(matrix)))).item() == pytest.approx(exact, rel=0.01)


@given(arrays(np.float64, (3, 3), elements=st.floats(-(2.0**100), 2.0**100, allow_subnormal=False)))
def test_any_finite_matrix_has_a_code(matrix: np.ndarray) -> None:
    found = decoded(quantise(matrix))
    assert np.isfinite(found).all()
    assert np.abs(found).max() == pytest.approx(np.abs(matrix).max(), rel=1e-6)
    assert (np.sign(found) * np.sign(matrix) >= 0).all()


def test_a_matrix_of_zeros_stays_zero() -> None:
    assert not decoded(quantise(np.zeros((4, 4)))).any()


def test_everything_that_holds_matrices_is_accepted() -> None:
    matrix = torch.eye(5)
    assert [v.segment for v in as_views(torch.stack([matrix, matrix]))] == [0, 1]
    found = as_views({"DAE": Couplings("student", matrix), "SF": matrix.numpy()})
    assert [(v.model, v.strategy) for v in found] == [("DAE", "student"), ("SF", "")]
    assert as_views([View(matrix, song="a")])[0].song == "a"
    assert as_views(matrix.requires_grad_(True))[0].numbers().shape == (5, 5)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ([], "nothing to explore"),
        (np.ones(4), "square"),
        (np.ones((3, 4)), "square"),
        (np.full((2, 2), np.nan), "finite"),
        ([np.eye(3), np.eye(4)], "one size"),
        ("couplings.safetensors", "a str; read a file of them with nca.load_matrices"),
        (Path("couplings.safetensors"), "load_matrices"),
        ({"DAE": "couplings.safetensors"}, "load_matrices"),
        ({"DAE": 3}, "3 is no matrix, but a int"),
        (np.eye(3).astype(complex), "real numbers, not of complex128"),
        (np.array([["a"]]), "real numbers"),
    ],
)
def test_what_cannot_be_shown_is_refused_in_one_sentence(bad: object, words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        explore(bad)


def test_a_shared_sound_travels_once() -> None:
    mixture, voice = encode(np.zeros(2000), 11025), encode(np.ones(2000) * 0.1, 11025)
    widget = explore(
        [View(np.eye(3), model=m, audio={"mixture": mixture, "voice": v}) for m, v in (("A", mixture), ("B", voice))]
    )
    assert sorted(widget.sounds.values()) == sorted({mixture, voice})
    assert [widget.sounds[key] for _, key in widget.views[1]["audio"]] == [mixture, voice]


def test_encoded_sound_sounds_the_same_and_is_small() -> None:
    seconds, rate = 5, 11025
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(seconds * rate) / rate)
    sound = encode(torch.as_tensor(tone), rate)
    heard, heard_rate = soundfile.read(io.BytesIO(sound))
    assert (heard_rate, len(sound) < 40_000) == (rate, True)
    spectrum = np.abs(np.fft.rfft(heard))
    assert np.argmax(spectrum) / len(heard) * rate == pytest.approx(440, abs=1)
    assert math.sqrt(2 * np.mean(heard[rate:-rate] ** 2)) == pytest.approx(0.5, rel=0.02)


@pytest.mark.parametrize(
    ("samples", "rate"), [(np.zeros((2, 9)), 11025), (np.array([]), 11025), ([np.inf], 11025), (np.zeros(99), 12345)]
)
def test_sound_that_cannot_be_encoded_is_refused(samples: object, rate: int) -> None:
    with pytest.raises(ParameterError):
        encode(samples, rate)


def test_the_bandwidth_given_is_the_one_shown() -> None:
    assert explore(np.eye(8), bandwidth=21.5).bandwidth == 21.5
    assert explore(np.eye(8)).bandwidth == pytest.approx(44100 / 4096)


def test_the_still_shows_the_first_matrix_each_row_to_its_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = []
    drawn = figures.png
    monkeypatch.setattr(figures, "png", lambda figure: shown.append(figure) or drawn(figure))
    matrix = some_matrix(8)
    explore([matrix, np.eye(8)], bandwidth=500.0).still()
    image = shown[0].axes[0].images[0]
    np.testing.assert_allclose(image.get_array(), matrix / np.abs(matrix).max(axis=1, keepdims=True))
    assert image.get_extent() == [0, 4, 0, 4]


def test_the_still_is_a_picture() -> None:
    data, _ = explore(np.eye(8))._repr_mimebundle_()
    assert data["image/png"].startswith("iVBOR")
    assert "application/vnd.jupyter.widget-view+json" in data


def test_controls_recompute_and_report() -> None:
    seen = []

    def recompute(parameters: dict, progress) -> np.ndarray:
        progress(0.5)
        seen.append(dict(parameters))
        if parameters["scale"] == 0:
            raise ParameterError("The scale must not be 0.")
        return np.eye(4) * parameters["scale"]

    box = explore(np.eye(4), recompute=recompute, controls={"scale": (0, 5, 1), "gate": ["printed", "published"]})
    widget, inputs, (button, bar, message) = box.children[0], box.children[1].children, box.children[2].children
    assert isinstance(widget, Explorer)
    inputs[0].value = 3
    button.click()
    assert seen == [{"scale": 3, "gate": "printed"}]
    assert bar.value == 0.5
    np.testing.assert_allclose(decoded(widget.views[1]), np.eye(4) * 3)
    inputs[0].value = 0
    button.click()
    assert message.value == "The scale must not be 0."
    assert not button.disabled
    assert len(widget.views) == 2


def test_controls_without_a_function_are_refused() -> None:
    with pytest.raises(ParameterError, match="recompute"):
        explore(np.eye(4), controls={"scale": 1})
    assert isinstance(explore(np.eye(4), recompute=lambda p, q: np.eye(4)), ipywidgets.VBox)


def test_controls_run_the_nca_again_and_show_its_iterations():
    model, mixture = trained_like("DAE"), spectra()
    box = explore(np.eye(12), **rerun(model, mixture))
    widget, inputs, (button, bar, message) = box.children[0], box.children[1].children, box.children[2].children
    shares = []
    bar.observe(lambda change: shares.append(change["new"]), "value")
    strategy, iterations, rate, seed = inputs
    strategy.value, iterations.value, rate.value, seed.value = "student (zero start)", 50, 1.2e-3, 3
    button.click()
    assert shares == pytest.approx([number / 50 for number in range(1, 51)])
    assert message.value.startswith("iteration 50: error 0.")
    expected = student(model, mixture, iterations=50, learning_rate=1.2e-3, initial="zeros").matrix
    kept = np.abs(decoded(widget.views[1])) > 0
    np.testing.assert_allclose(decoded(widget.views[1])[kept], expected.numpy()[kept], rtol=0.04)
    assert kept.mean() > 0.5


def a_mask(mixture: torch.Tensor) -> torch.Tensor:
    """A mask that listens to the frame before, `(bins, frames)`."""
    before = torch.nn.functional.pad(mixture, (1, 0))[:, :-1]
    return torch.sigmoid(mixture.roll(1, 0) - 0.5 * before)


def test_a_local_mapping_is_shown_by_its_lags_with_and_without_the_mask() -> None:
    mapping = local_mapping(a_mask, spectra(), mask=True, lags=(-1, 0, 1))
    state = explore({"a mask": mapping}).views
    assert [view["lag"] for view in state] == [-1, 0, 1]
    assert [bool(view["mask"]) for view in state] == [False, True, False]  # diag(m) is in the same frame alone
    assert state[0]["note"] == "0.00% of a row's energy"
    mask = np.frombuffer(state[1]["mask"], np.float32)
    np.testing.assert_allclose(mask, mapping.mask.numpy(), rtol=1e-6)
    response, complete = decoded(state[1]), decoded(state[1]) + np.diag(mask)
    peak = mapping.response.matrix[1].abs().max().item()
    np.testing.assert_allclose(response, mapping.response.matrix[1].numpy(), rtol=0.04, atol=0.002 * peak)
    np.testing.assert_allclose(complete, mapping.blocks.matrix[1].numpy(), rtol=0.04, atol=0.002 * peak)


def test_a_local_mapping_of_some_bands_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"has 5 of 12 bands.*rows=None"):
        explore(local_mapping(a_mask, spectra(), mask=True, rows=5))


def test_an_explorer_saves_itself_with_what_was_computed(tmp_path: Path) -> None:
    model, mixture = trained_like("DAE"), spectra()
    box = explore(np.eye(12), **rerun(model, mixture))
    box.children[1].children[1].value = 50
    box.children[2].children[0].click()
    page = BeautifulSoup(box.save(tmp_path / "new" / "couplings.html", "My <couplings>").read_text(), "html.parser")
    assert page.title.text == "My <couplings>"
    views = json.loads(page.find("script", class_="nca-state").string)["views"]
    codes = [view | {"code": b64decode(view["code"]["base64"])} for view in views]
    np.testing.assert_allclose(decoded(codes[0]), np.eye(12), rtol=1e-6)
    np.testing.assert_array_equal(decoded(codes[1]), decoded(box.children[0].views[1]))
    assert not page.find_all(["link", "iframe", "object"])
    assert all(each.get("src", "data:").startswith("data:") for each in page.find_all(["script", "img", "audio"]))


def test_an_explorer_that_cannot_be_saved_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        explore(np.eye(3)).save(tmp_path / "file" / "couplings.html")
