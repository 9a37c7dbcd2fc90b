"""Scores against known voices, and the sounds of a segment against the song's own."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from nca.couplings import identity
from nca.listening import voices
from nca.models import build
from nca.separation import score_songs, separation_scores, voice_of
from nca.spectra import Geometry, analyse, segments
from nca.tracks import Track
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
