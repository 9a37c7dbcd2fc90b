"""The transform against a direct sum, its inverse, the scale against NumPy, and segments frame by frame."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from nca.errors import DataError, ParameterError
from nca.spectra import (
    Geometry,
    SongSpectra,
    analyse,
    band_deviation,
    magnitudes,
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


@pytest.mark.parametrize(("taper", "a", "b"), [("hamming", 0.54, 0.46), ("hann", 0.5, 0.5)])
def test_stft_is_the_windowed_fourier_sum(taper, a, b):
    samples = torch.randn(200, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    window = a - b * np.cos(2 * np.pi * np.arange(32) / 32)
    padded = np.pad(samples.numpy(), 32)
    found = replace(SMALL, taper=taper).stft(samples)
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


def test_bins_that_are_not_kept_are_silent():
    geometry = replace(SMALL, taper="hann", kept=9)
    samples = torch.randn(2, 300, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    kept, complete = geometry.stft(samples), replace(geometry, kept=None).stft(samples)
    assert geometry.bins == 9
    assert torch.equal(kept, complete[:, :9])
    complete[:, 9:] = 0
    torch.testing.assert_close(geometry.istft(kept, 300), replace(geometry, kept=None).istft(complete, 300))
    assert geometry.scaled(1000).bins == 9
    assert replace(SMALL, kept=100).bins == SMALL.bins


def test_a_sine_lands_in_its_bin_at_any_rate():
    demo = profile("demo")
    time = np.arange(44100) / 44100
    tone = np.sin(2 * np.pi * 100 * demo.bandwidth * time)
    found = magnitudes(tone, 44100, demo)
    assert found.dtype == torch.float32
    assert found.sum(-1).argmax().item() == 100


def test_each_row_is_resampled_alone_and_windows_lie_where_their_samples_do():
    rows = np.random.default_rng(0).normal(size=(3, 400))
    both = SMALL.resample(rows, 3000)
    assert both.dtype == SMALL.resample(rows, SMALL.rate).dtype == torch.float32
    assert torch.equal(both, torch.stack([SMALL.resample(row, 3000) for row in rows]))
    assert SMALL._window(torch.empty(1, device="meta")).device.type == "meta"


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
    assert band_deviation(frames[:1]).tolist() == [[1.0]] * 6
    far = (1e5 + frames).astype(np.float32)  # whose squares single precision cannot tell apart
    np.testing.assert_allclose(band_deviation(far)[:3, 0], far.astype(np.float64).std(axis=0)[:3], rtol=1e-6)


def test_a_segment_can_be_one_frame_but_not_none():
    analysis = analyse(song(1), SMALL)
    frames = analysis.mixture.shape[-1]
    single = segments(analysis, 1)
    assert len(single) == frames
    assert torch.equal(torch.cat([each.voice for each in single], -1), analysis.voice.abs())
    assert len(segments(analysis, frames)) == 1
    with pytest.raises(ParameterError, match="at least one frame, not 0"):
        segments(analysis, 0)
    long = analyse(song(1, 6 * 350), SMALL)
    assert [each.mixture.shape[-1] for each in segments(long)] == [350]  # T of Sec. 4.2 unless told otherwise


def test_frames_that_divide_exactly_are_all_in_a_segment():
    spectrum = torch.rand(SMALL.bins, 120, dtype=torch.complex64)
    cut = segments(SongSpectra("song", SMALL, spectrum, 119 * SMALL.hop, spectrum), 40)
    assert [(s.index, s.start) for s in cut] == [(0, 0), (1, 40), (2, 80)]
    assert torch.equal(torch.cat([s.mixture for s in cut], -1), spectrum.abs())
    assert [len(segments(SongSpectra("song", SMALL, spectrum, 1, spectrum), frames)) for frames in (1, 120)] == [120, 1]


def test_segments_are_adjacent_whole_and_exact():
    analysis = analyse(song(1), SMALL)
    cut = segments(analysis, 40)
    assert [s.start for s in cut] == [0, 40, 80]
    assert torch.equal(torch.cat([s.mixture for s in cut], -1), analysis.mixture.abs()[:, :120])
    assert [s.index for s in cut] == [0, 1, 2]
    alone = analysis.cut(cut[1])
    assert torch.equal(alone.mixture, analysis.mixture[:, 40:80])
    assert torch.equal(alone.voice, analysis.voice[:, 40:80])
    assert alone.samples == 39 * SMALL.hop
    with pytest.raises(DataError, match="song 1 has 151 frames, fewer than the 350"):
        segments(analysis)
    with pytest.raises(ParameterError, match="at least one frame"):
        segments(analysis, 0)


def test_the_mixtures_own_magnitudes_sound_as_the_mixture():
    analysis = analyse(song(1), SMALL)
    sound = analysis.sound(analysis.mixture.abs())
    np.testing.assert_allclose(sound, song(1).mixture, atol=1e-5)
    assert (analysis.sound(-analysis.mixture.abs()) == 0).all()
