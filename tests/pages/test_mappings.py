"""Local mappings to be heard and touched: each part of the voice, and mapping anew by controls."""

import numpy as np
import pytest
import torch
from torch import Tensor

import nca
from nca.data import Recording, Track
from nca.errors import ParameterError
from nca.pages.mappings import by_mean
from nca.spectra import Geometry, RecordingSpectra

GEOMETRY = Geometry(rate=8000, fft=64, window=32, hop=8)
FRAMES = 20


def recording(seed: int = 0) -> RecordingSpectra:
    noise = np.random.default_rng(seed).normal(scale=0.1, size=(FRAMES - 1) * GEOMETRY.hop)
    return nca.analyse(Recording("noise", GEOMETRY.rate, noise.astype(np.float32)), GEOMETRY)


def a_mask(mixture: Tensor) -> Tensor:
    before = torch.nn.functional.pad(mixture, (1, 0))[:, :-1]
    return torch.sigmoid(mixture.roll(1, 0) - 2 * before)


def linear(mixture: Tensor) -> Tensor:
    """0.5 x_t + 0.25 x_(t-1) + 0.125 x_(t+2), so that its mean matrices make all of its output."""
    padded = torch.nn.functional.pad(mixture, (2, 2))
    return 0.5 * mixture + 0.25 * padded[:, 1:-3] + 0.125 * padded[:, 4:]


def test_mean_matrices_of_a_linear_network_make_its_voice() -> None:
    spectra = recording()
    mixture = spectra.mixture.abs()
    mapping = nca.local_mapping(linear, mixture, lags=(-2, 0, 1))
    torch.testing.assert_close(by_mean(mapping, mixture), linear(mixture), atol=1e-5, rtol=1e-5)
    heard = nca.mapped_voices(mapping, spectra)
    assert list(heard) == ["mixture", "the network's voice", "voice by the mean matrix"]
    torch.testing.assert_close(heard["voice by the mean matrix"], heard["the network's voice"], atol=1e-5, rtol=0)


def test_the_derivatives_part_is_what_the_jacobian_adds_to_the_mask() -> None:
    spectra, scale = recording(), 0.5
    mixture = spectra.mixture.abs() / scale
    mapping = nca.local_mapping(a_mask, mixture, mask=True)
    heard = nca.mapped_voices(mapping, spectra, scale)
    _, moved = torch.func.jvp(a_mask, (mixture,), (mixture,))  # dm/dx x
    phase = torch.polar(torch.ones_like(mixture), spectra.mixture.angle())
    added = GEOMETRY.istft(mixture * moved * scale * phase, spectra.samples)
    torch.testing.assert_close(heard["the derivative's part alone"], added, atol=1e-5, rtol=1e-4)
    own = GEOMETRY.istft(a_mask(mixture) * spectra.mixture, spectra.samples)
    torch.testing.assert_close(heard["voice by the mask"], own, atol=1e-5, rtol=1e-4)


def test_the_true_voice_is_heard_where_it_is_known() -> None:
    noise = np.random.default_rng(1).normal(size=(2, 200)).astype(np.float32)
    spectra = nca.analyse(Track("a song", "", GEOMETRY.rate, noise.sum(0), {"vocals": noise[0]}), GEOMETRY)
    mapping = nca.local_mapping(linear, spectra.mixture.abs())
    heard = nca.mapped_voices(mapping, spectra)["true voice"]
    torch.testing.assert_close(heard, torch.as_tensor(noise[0]), atol=1e-4, rtol=0)


def test_spectra_of_other_frames_are_refused() -> None:
    spectra = recording()
    mapping = nca.local_mapping(linear, spectra.part(0, 12).mixture.abs())
    with pytest.raises(ParameterError, match="give the spectra that it was taken at"):
        nca.mapped_voices(mapping, spectra)
    some = nca.local_mapping(linear, spectra.mixture.abs(), rows=4)
    with pytest.raises(ParameterError, match="rows=None"):
        nca.mapped_voices(some, spectra)


def test_controls_map_any_network_at_any_song_anew() -> None:
    songs = {name: recording(seed) for seed, name in enumerate(("one", "two"))}
    first = nca.mapped_views(nca.local_mapping(a_mask, songs["one"].mixture.abs(), mask=True), songs["one"])
    box = nca.explore(first, **nca.remap(a_mask, songs, mask=True, context=10))
    widget, inputs, (button, bar, _) = box.children[0], box.children[1].children, box.children[2].children
    song, second, frames, lags = inputs
    song.value, second.value, frames.value, lags.value = "two", 0.002, 3, 1
    button.click()
    assert bar.value == 1
    added = widget.views[1:]
    assert [view["lag"] for view in added] == [-1, 0, 1]
    assert {view["strategy"] for view in added} == {"3 frames from second 0.0"}
    part = songs["two"].part(2, 10)
    expected = nca.local_mapping(a_mask, part.mixture.abs(), mask=True, lags=(-1, 0, 1), frames=(3, 4, 5))
    assert added[2]["peak"] == pytest.approx(expected.blocks.matrix[2].abs().max().item(), rel=1e-5)
    assert [label for label, _ in added[0]["audio"]] == [
        "mixture",
        "voice by the mask",
        "voice by the mean matrix",
        "the derivative's part alone",
    ]


def test_no_song_is_refused() -> None:
    with pytest.raises(ParameterError, match="at least one"):
        nca.remap(linear, {})
