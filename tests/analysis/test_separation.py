"""Scores against known voices, and the sounds of a segment against the song's own."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from nca.analysis.separation import best_bandpass, score_songs, separation_scores, voice_of
from nca.couplings import identity
from nca.data import Track
from nca.metrics import si_sdr
from nca.models import build
from nca.pages.audio import voices
from nca.spectra import Geometry, SongSpectra, analyse, segments
from nca.support.files import write_json
from nca.training import Trained

SMALL = Geometry(rate=2000, fft=64, window=32, hop=8)


def track(voice_gain: float = 1.0) -> Track:
    """A voice below 500 Hz over an accompaniment above it: a static gain separates them nearly perfectly."""
    time = np.arange(4000) / 2000
    voice = (voice_gain * np.sin(2 * np.pi * 187.5 * time)).astype(np.float32)
    other = np.sin(2 * np.pi * 750 * time).astype(np.float32)
    stems = {"vocals": voice, "other": other, "bass": 0 * other, "drums": 0 * other}
    return Track("two tones", "test", 2000, voice + other, stems)


def trained(gain: torch.Tensor) -> Trained:
    model = build("DAE", SMALL.bins)
    for layer in model.layers:
        layer.weight.data = torch.eye(SMALL.bins)
    return Trained(model.requires_grad_(False), torch.full((33, 1), 2.0), gain, SMALL, 0, [1.0], [1e-3])


def test_scores_of_known_estimators():
    low = (torch.arange(33) < 14).float().unsqueeze(-1)
    scores = separation_scores(trained(low), analyse(track(), SMALL))
    assert scores["si_sdr_static_gain"] > 25
    assert scores["si_sdr_mixture"] == pytest.approx(0, abs=0.1)
    assert scores["si_sdr_model"] == pytest.approx(scores["si_sdr_mixture"], abs=1e-3)  # the model hands its input on


def test_the_scale_goes_off_and_on():
    analysis = analyse(track(), SMALL)
    seen = []
    sound = voice_of(lambda m: seen.append(m) or m, torch.full((33, 1), 4.0), analysis)
    torch.testing.assert_close(seen[0], analysis.mixture.abs() / 4)
    np.testing.assert_allclose(sound, track().mixture, atol=1e-5)


def test_a_song_without_a_voice_is_skipped_by_name():
    silent = replace(track(0.0), name="instrumental")
    rows = score_songs(trained(torch.ones(33, 1)), [track(), silent])
    assert "skipped" not in rows[0]
    assert (rows[1]["song"], "si_sdr_model" in rows[1]) == ("instrumental", False)
    assert "silent" in rows[1]["skipped"]


def test_a_network_that_makes_silence_has_a_row_that_json_takes(tmp_path):
    silent = trained(torch.zeros(33, 1))
    for parameter in silent.model.parameters():
        parameter.zero_()
    (row,) = score_songs(silent, [track()])
    write_json(tmp_path / "results.json", [row])
    assert row["si_sdr_model"] is row["si_sdr_static_gain"] is None
    assert row["si_sdr_mixture"] == pytest.approx(0, abs=0.1)


def test_a_song_is_scored_on_its_active_seconds_alone():
    """The voice sings in the first of two seconds; the accompaniment sounds throughout."""
    song = track()
    voice = np.where(np.arange(4000) < 2000, song.stems["vocals"], 0).astype(np.float32)
    uneven = replace(song, mixture=voice + song.stems["other"], stems=song.stems | {"vocals": voice})
    network = trained(torch.ones(33, 1))
    (row,) = score_songs(network, [uneven], seconds=1.0)
    whole = separation_scores(network, analyse(uneven, SMALL))
    excerpt = separation_scores(network, analyse(uneven.excerpt(1.0), SMALL))
    assert row["si_sdr_mixture"] == excerpt["si_sdr_mixture"]
    assert row["si_sdr_mixture"] > whole["si_sdr_mixture"] + 2


def test_the_sounds_of_a_segment_are_those_of_the_song():
    analysis = analyse(track(), SMALL)
    chosen = segments(analysis, 100)[1]
    heard = voices(trained(torch.ones(33, 1)), identity(33), chosen, analysis)
    inner = slice(64, -64)
    start = chosen.start * SMALL.hop
    expected = track().mixture[start : start + len(heard["mixture"])]
    for name in ("mixture", "voice through the couplings", "the network's voice"):
        np.testing.assert_allclose(heard[name][inner], expected[inner], atol=1e-3)
    np.testing.assert_allclose(heard["true voice"][inner], track().voice[start : start + 99 * 8][inner], atol=1e-3)


def test_the_best_bandpass_is_the_one_that_the_voice_needs():
    """A voice between 300 and 500 Hz under noise above 700 Hz and below 150 Hz."""
    time = torch.arange(8000) / 2000
    voice = torch.sin(2 * math.pi * 330 * time) + torch.sin(2 * math.pi * 470 * time)
    rest = 3 * torch.sin(2 * math.pi * 100 * time) + 3 * torch.sin(2 * math.pi * 800 * time)
    mixture = SMALL.stft(voice + rest)
    song = SongSpectra("tones", SMALL, mixture=mixture, voice=SMALL.stft(voice), samples=len(voice))
    low, high, score = best_bandpass(song, voice, [0, 200, 400, 600, 1000])
    assert (low, high) == (200, 600)
    everything = si_sdr(voice, song.sound(mixture.abs())).item()
    assert score > 10 > 0 > everything
    assert best_bandpass(song, voice, [0, 1000])[2] == pytest.approx(everything)
