"""One recording, whatever it lies in; `tests/pages/test_look.py` has what is refused."""

from pathlib import Path

import numpy as np
import soundfile

import nca
from nca.data import Recording, Track, real_song


def test_channels_are_averaged_and_a_part_is_cut_out(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).normal(scale=0.1, size=(8000, 2)).astype(np.float32)
    soundfile.write(tmp_path / "song.wav", samples, 4000, subtype="FLOAT")
    whole = nca.open_recording(tmp_path / "song.wav")
    assert isinstance(whole, Recording)
    assert (whole.name, whole.rate, whole.seconds) == ("song", 4000, 2.0)
    np.testing.assert_allclose(whole.mixture, samples.mean(1), atol=1e-7)
    part = nca.open_recording(str(tmp_path / "song.wav"), start=0.5, seconds=1.0)
    np.testing.assert_array_equal(part.mixture, whole.mixture[2000:6000])
    rest = nca.open_recording(tmp_path / "song.wav", start=1.5, seconds=9.0)
    np.testing.assert_array_equal(rest.mixture, whole.mixture[6000:])


def test_a_stems_file_has_its_true_voice() -> None:
    real = real_song()  # brings ffmpeg, which stempeg's import needs
    import stempeg

    found = nca.open_recording(stempeg.example_stem_path(), start=1.0, seconds=2.0)
    assert isinstance(found, Track)
    np.testing.assert_array_equal(found.voice, real.voice[real.rate : 3 * real.rate])
    np.testing.assert_array_equal(found.mixture, real.mixture[real.rate : 3 * real.rate])


def test_a_recordings_spectra_have_no_voice_and_are_cut_alike(tmp_path: Path) -> None:
    geometry, wave = nca.profile("demo"), np.random.default_rng(0).normal(size=11025).astype(np.float32)
    spectra = nca.analyse(Recording("noise", 11025, wave), geometry)
    assert not hasattr(spectra, "voice")
    np.testing.assert_allclose(spectra.sound(spectra.mixture.abs()).numpy(), wave, atol=1e-4)
    part = spectra.part(10, 20)
    np.testing.assert_array_equal(part.mixture.numpy(), spectra.mixture[:, 10:30].numpy())
    assert part.samples == 19 * geometry.hop
