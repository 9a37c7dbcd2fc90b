"""The transform against a direct sum, its inverse, the scale against NumPy, and the store against kills and cuts."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from nca.errors import DataError, ParameterError
from nca.spectra import (
    Geometry,
    analyse,
    band_deviation,
    build_store,
    magnitudes,
    open_store,
    profile,
    segments,
)

SMALL = Geometry(rate=2000, fft=64, window=32, hop=6)


@dataclass(frozen=True)
class Song:
    name: str
    rate: int
    mixture: np.ndarray
    voice: np.ndarray


def song(seed: int, samples: int = 900, rate: int = 2000) -> Song:
    noise = np.random.default_rng(seed).normal(size=(2, samples)).astype(np.float32)
    return Song(f"song {seed}", rate, noise[0], noise[1])


def test_the_paper_profile_is_section_4_1():
    paper, demo = profile("paper"), profile("demo")
    assert (paper.rate, paper.fft, paper.bins) == (44100, 4096, 2049)
    assert round(1000 * paper.window / paper.rate) == 46
    assert paper.fft == 2 * paper.window
    assert round(1000 * paper.hop / paper.rate, 1) == 8.7
    assert paper.frame_rate * 3.05 == pytest.approx(350, rel=0.01)
    assert (demo.bins, demo.bandwidth, demo.frame_rate) == (513, paper.bandwidth, paper.frame_rate)
    assert paper.scaled(11025) == demo
    assert paper.scaled(16000) == profile("mir-1k")
    assert profile("mir-1k").bins == 744
    assert profile("mir-1k").bandwidth == pytest.approx(paper.bandwidth, rel=1e-4)
    assert profile("mir-1k").frame_rate == pytest.approx(paper.frame_rate, rel=0.005)
    with pytest.raises(ParameterError, match="no profile 'big'; choose one of paper, demo, mir-1k"):
        profile("big")


def test_stft_is_the_windowed_fourier_sum():
    samples = torch.randn(200, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    window = 0.54 - 0.46 * np.cos(2 * np.pi * np.arange(32) / 32)
    padded = np.pad(samples.numpy(), 32)
    found = SMALL.stft(samples)
    assert found.shape == (33, 200 // 6 + 1)
    for t in (0, 5, 33):
        cut = padded[t * 6 + 16 : t * 6 + 48] * window  # 32 samples centred on sample t * hop
        for k in (0, 3, 32):
            direct = sum(value * np.exp(-2j * np.pi * k * (n + 16) / 64) for n, value in enumerate(cut))
            assert found[k, t].item() == pytest.approx(direct, abs=1e-9)


@pytest.mark.parametrize("name", ["paper", "demo", "mir-1k"])
def test_analysis_and_synthesis_round_trip(name):
    geometry = profile(name)
    samples = torch.rand(2, 30001, generator=torch.Generator().manual_seed(1)) * 2 - 1
    again = geometry.istft(geometry.stft(samples), 30001)
    assert (again - samples).abs().max() < 1e-6


def test_a_sine_lands_in_its_bin_at_any_rate():
    demo = profile("demo")
    time = np.arange(44100) / 44100
    tone = np.sin(2 * np.pi * 100 * demo.bandwidth * time)
    assert magnitudes(tone, 44100, demo).sum(-1).argmax().item() == 100


def test_samples_that_are_not_finite_are_a_named_error():
    with pytest.raises(DataError, match="not finite"):
        SMALL.stft(torch.tensor([0.0, float("nan")] * 50))


def test_scale_is_the_standard_deviation_in_one_pass(monkeypatch):
    monkeypatch.setattr("nca.spectra.scale.CHUNK", 7)
    frames = np.random.default_rng(0).gamma(2.0, 100.0, size=(50, 6)).astype(np.float32)
    frames[:, 3] = 5.0
    scale = band_deviation(frames)
    expected = frames.astype(np.float64).std(axis=0)
    expected[3] = 1.0
    np.testing.assert_allclose(scale[:, 0], expected, rtol=1e-6)
    np.testing.assert_allclose((torch.from_numpy(frames).T / scale).std(-1, unbiased=False)[:3], 1, rtol=1e-5)
    with pytest.raises(DataError, match="no training frames"):
        band_deviation(frames[:0])


def test_the_store_holds_every_frame_of_every_song(tmp_path):
    songs = [song(1), song(2, 500)]
    store = build_store(songs, SMALL, tmp_path / "store")
    expected = [magnitudes(s.mixture, s.rate, SMALL).T for s in songs]
    np.testing.assert_array_equal(store.mixture, np.concatenate(expected))
    assert store.songs == (("song 1", len(expected[0])), ("song 2", len(expected[1])))
    assert store.geometry == SMALL
    np.testing.assert_array_equal(store.voice[-1], magnitudes(songs[1].voice, 2000, SMALL).T[-1])


def test_an_interrupted_store_goes_on_and_ends_in_the_same_bytes(tmp_path):
    songs = [song(1), song(2), song(3)]
    whole = build_store(songs, SMALL, tmp_path / "whole")

    class Fails(list):
        def __getitem__(self, index):
            return [super().__getitem__(0), None] if isinstance(index, slice) else super().__getitem__(index)

    with pytest.raises(AttributeError):
        build_store(Fails(songs), SMALL, tmp_path / "cut")
    with pytest.raises(DataError, match="unfinished"):
        open_store(tmp_path / "cut")
    with open(tmp_path / "cut" / "mixture.f32", "ab") as file:
        file.write(b"half a song")
    resumed = build_store(songs, SMALL, tmp_path / "cut")
    np.testing.assert_array_equal(resumed.mixture, whole.mixture)
    np.testing.assert_array_equal(resumed.voice, whole.voice)


def test_broken_stores_are_named_errors(tmp_path):
    with pytest.raises(DataError, match="missing or unfinished"):
        open_store(tmp_path / "nothing")
    build_store([song(1)], SMALL, tmp_path)
    with pytest.raises(DataError, match="of another geometry"):
        build_store([song(1)], Geometry(2000, 128, 32, 6), tmp_path)
    with pytest.raises(DataError, match="other songs"):
        build_store([song(2)], SMALL, tmp_path, data="another digest")
    path = tmp_path / "voice.f32"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match=r"voice\.f32 is shorter"):
        open_store(tmp_path)
    (tmp_path / "index.json").write_text("{")
    with pytest.raises(DataError, match=r"index\.json"):
        open_store(tmp_path)


def test_segments_are_adjacent_whole_and_exact():
    analysis = analyse(song(1), SMALL)
    cut = segments(analysis, 40)
    assert [s.start for s in cut] == [0, 40, 80]
    assert torch.equal(torch.cat([s.mixture for s in cut], -1), analysis.mixture.abs()[:, :120])
    assert [s.index for s in cut] == [0, 1, 2]
    with pytest.raises(DataError, match="song 1 has 151 frames, fewer than the 350"):
        segments(analysis)
    with pytest.raises(ParameterError, match="at least one frame"):
        segments(analysis, 0)


def test_the_mixtures_own_magnitudes_sound_as_the_mixture():
    analysis = analyse(song(1), SMALL)
    sound = analysis.sound(analysis.mixture.abs())
    np.testing.assert_allclose(sound, song(1).mixture, atol=1e-5)
    assert (analysis.sound(-analysis.mixture.abs()) == 0).all()
