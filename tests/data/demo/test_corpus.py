"""The demo corpus: its files, its bytes, its singers, and the physics of its voice."""

import errno
import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from scipy.signal import welch

from nca.data.demo import build, make_corpus
from nca.data.demo.articulation import articulate
from nca.data.demo.phonemes import CONSONANTS, NUCLEI, VOWELS, Syllable, lyric
from nca.data.demo.score import Note, compose
from nca.data.demo.signals import RATE, filter_frames, hertz, pulses, ring
from nca.data.demo.song import plan_song, singer_of, split_of
from nca.data.demo.styles import STYLES
from nca.data.demo.vocals import make_vocals
from nca.data.demo.voice import Singer, draw_singer, sing
from nca.errors import DataError, ParameterError

SONGS, SECONDS, SEED = 3, 3.0, 5
NAMES = ("mixture", "vocals", "bass", "drums", "other")


def digests(root: Path) -> dict[str, str]:
    """SHA-256 of every WAV under the root, by its path below it."""
    files = sorted(root.rglob("*.wav"))
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def stamps(root: Path) -> dict[str, tuple[int, int]]:
    """Inode and time of change of everything under the root."""
    return {str(path): (path.stat().st_ino, path.stat().st_mtime_ns) for path in [root, *root.rglob("*")]}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_corpus(tmp_path_factory.mktemp("whole") / "demo", SONGS, SECONDS, SEED, workers=2)


@pytest.fixture
def copy(corpus: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(corpus, tmp_path / "copy"))


def songs_of(root: Path) -> list[dict[str, np.ndarray]]:
    """Every song as int16 arrays (samples, 2) by name."""
    folders = sorted(path.parent for path in root.rglob("mixture.wav"))
    return [{name: soundfile.read(folder / f"{name}.wav", dtype="int16")[0] for name in NAMES} for folder in folders]


def test_layout_is_musdbs_and_the_manifest_describes_it(corpus: Path) -> None:
    manifest = json.loads((corpus / "corpus.json").read_text())
    assert manifest["parameters"]["songs"] == len(manifest["tracks"]) == SONGS
    assert sorted(path.name for path in corpus.iterdir()) == ["corpus.json", "test", "train"]
    for entry in manifest["tracks"]:
        folder = corpus / entry["split"] / entry["name"]
        assert {path.stem for path in folder.glob("*.wav")} == set(NAMES)
        assert {"voice", "style", "tempo", "key", "levels_dbfs"} <= entry.keys()
        for name, facts in entry["files"].items():
            assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == facts["sha256"]
            info = soundfile.info(folder / name)
            assert (info.samplerate, info.channels, info.subtype) == (RATE, 2, "PCM_16")
            assert info.frames == round(SECONDS * RATE)
    assert len({entry["name"] for entry in manifest["tracks"]}) == SONGS


def test_mixture_is_the_integer_sum_unclipped_and_centred(corpus: Path) -> None:
    for song in songs_of(corpus):
        total = sum(song[name].astype(np.int64) for name in NAMES[1:])
        np.testing.assert_array_equal(song["mixture"], total)
        for signal in song.values():
            assert 0 < np.abs(signal.astype(np.int64)).max() < 32767
            assert np.abs(signal.mean(axis=0)).max() < 0.01 * signal.std()


def test_same_seed_same_bytes_whatever_the_workers(corpus: Path, tmp_path: Path) -> None:
    code = "import sys; from nca.data.demo import make_corpus; make_corpus(sys.argv[1], 3, 3.0, 5, workers=1)"
    subprocess.run([sys.executable, "-c", code, tmp_path / "again"], check=True, capture_output=True)
    assert digests(tmp_path / "again") == digests(corpus)
    assert len(digests(corpus)) == 5 * SONGS


def test_other_seed_other_songs(corpus: Path, tmp_path: Path) -> None:
    other = make_corpus(tmp_path / "other", 2, 1.0, SEED + 1, workers=1)
    assert not set(digests(other).values()) & set(digests(corpus).values())
    assert all(signal.any() for song in songs_of(other) for signal in song.values())


def test_a_song_does_not_depend_on_how_many_there_are() -> None:
    assert plan_song(1, 5.0, 0) == plan_song(1, 5.0, 0)
    assert plan_song(1, 5.0, 0).score.melody != plan_song(1, 5.0, 1).score.melody


def test_complete_corpus_is_left_untouched(copy: Path) -> None:
    before = stamps(copy)
    assert make_corpus(copy, SONGS, SECONDS, SEED) == copy
    assert stamps(copy) == before


def test_interrupted_corpus_goes_on(copy: Path, corpus: Path) -> None:
    manifest = json.loads((copy / "corpus.json").read_text())
    gone, short, kept = [copy / entry["split"] / entry["name"] for entry in manifest["tracks"]]
    shutil.rmtree(gone)
    os.truncate(short / "vocals.wav", 1000)
    (copy / "corpus.json").unlink()
    bench = copy / build.UNFINISHED
    (bench / gone.name).mkdir(parents=True)
    (bench / gone.name / "mixture.wav").write_bytes(b"RIFF")
    (bench / build.PLAN).write_text(json.dumps({"parameters": manifest["parameters"]}))
    before = stamps(kept)
    make_corpus(copy, SONGS, SECONDS, SEED, workers=1)
    assert digests(copy) == digests(corpus)
    assert stamps(kept) == before
    assert not bench.exists()


def test_missing_song_of_a_whole_corpus_is_made_again(copy: Path, corpus: Path) -> None:
    shutil.rmtree(next((copy / "test").iterdir()))
    make_corpus(copy, SONGS, SECONDS, SEED, workers=1)
    assert digests(copy) == digests(corpus)


@pytest.mark.slow
def test_killed_run_is_finished(corpus: Path, tmp_path: Path) -> None:
    root = tmp_path / "killed"
    code = "import sys; from nca.data.demo import make_corpus; make_corpus(sys.argv[1], 3, 3.0, 5, workers=1)"
    process = subprocess.Popen([sys.executable, "-c", code, root], stderr=subprocess.DEVNULL)
    while not list(root.glob("train/*")) and process.poll() is None:
        pass
    process.kill()
    process.wait()
    assert not (root / "corpus.json").exists()
    make_corpus(root, SONGS, SECONDS, SEED, workers=1)
    assert digests(root) == digests(corpus)


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"songs": 1}, "songs=1"),
        ({"songs": 2.5}, "songs=2.5"),
        ({"songs": True}, "songs=True"),
        ({"seconds": 0.5}, "seconds=0.5"),
        ({"seconds": float("nan")}, "seconds=nan"),
        ({"seconds": float("inf")}, "seconds=inf"),
        ({"seconds": "long"}, "seconds='long'"),
        ({"seed": -1}, "seed=-1"),
        ({"seed": 0.5}, "seed=0.5"),
        ({"workers": 0}, "workers=0"),
    ],
)
def test_parameters_out_of_range_are_named(tmp_path: Path, parameters: dict[str, object], named: str) -> None:
    with pytest.raises(ParameterError, match=named):
        make_corpus(tmp_path / "none", **{"songs": 2, "seconds": 2.0, "seed": 0, **parameters})
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("change", [{"songs": 4}, {"seconds": 2.0}, {"seed": 6}])
def test_other_parameters_ask_for_another_folder(corpus: Path, change: dict[str, int]) -> None:
    before = stamps(corpus)
    with pytest.raises(ParameterError, match=f"{next(iter(change))}; choose another folder"):
        make_corpus(corpus, **{"songs": SONGS, "seconds": SECONDS, "seed": SEED, **change})
    assert stamps(corpus) == before


def test_other_generator_asks_for_another_folder(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "source_digest", lambda: "0" * 64)
    with pytest.raises(ParameterError, match="generator; choose another folder"):
        make_corpus(corpus, SONGS, SECONDS, SEED)


def test_other_content_is_refused_and_kept(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(DataError, match=r"thesis\.txt.*empty folder"):
        make_corpus(tmp_path, 2, 1.0, 0)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    with pytest.raises(DataError, match="is a file"):
        make_corpus(tmp_path / "thesis.txt", 2, 1.0, 0)


def test_songs_of_unknown_origin_are_refused(copy: Path) -> None:
    (copy / "corpus.json").unlink()
    with pytest.raises(DataError, match="holds other content"):
        make_corpus(copy, SONGS, SECONDS, SEED)
    assert len(digests(copy)) == 5 * SONGS


@pytest.mark.parametrize("text", ["{half", "[1, 2]", "{}"])
def test_broken_manifest_is_named(copy: Path, text: str) -> None:
    (copy / "corpus.json").write_text(text)
    with pytest.raises(DataError, match=r"corpus\.json.*choose another"):
        make_corpus(copy, SONGS, SECONDS, SEED)


def test_a_second_run_at_once_is_refused(tmp_path: Path) -> None:
    (tmp_path / build.UNFINISHED).mkdir()
    with build.FileLock(tmp_path / build.UNFINISHED / "lock"), pytest.raises(DataError, match="another process"):
        make_corpus(tmp_path, 2, 1.0, 0)


def test_full_disk_is_named_and_leaves_nothing_that_reads_as_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(build.soundfile, "write", full)
    with pytest.raises(DataError, match="No space left on device"):
        make_corpus(tmp_path / "full", 2, 1.0, 0, workers=1)
    assert not (tmp_path / "full" / "corpus.json").exists()
    assert not list((tmp_path / "full").glob("t*/*"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes anywhere")
def test_read_only_folder_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    with pytest.raises(DataError, match="cannot be written"):
        make_corpus(tmp_path / "demo", 2, 1.0, 0)


def test_folder_below_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot be written"):
        make_corpus(tmp_path / "file" / "demo", 2, 1.0, 0)


def test_voices_of_test_and_train_are_disjoint() -> None:
    voices: dict[str, set[Singer]] = {"train": set(), "test": set()}
    for index in range(80):
        voices[split_of(index)].add(singer_of(0, index))
    assert not {singer.name for singer in voices["train"]} & {singer.name for singer in voices["test"]}
    assert (len(voices["train"]), len(voices["test"])) == (12, 4)
    everyone = voices["train"] | voices["test"]
    assert len({singer.formant_scale for singer in everyone}) == len({singer.name for singer in everyone}) == 16


def test_a_quarter_is_for_testing() -> None:
    for songs in range(2, 40):
        tests = sum(split_of(index) == "test" for index in range(songs))
        assert 1 <= tests <= songs - 1
        assert abs(tests - songs / 4) < 1


@pytest.mark.parametrize("style", STYLES)
def test_melody_fits_key_range_and_chords(style: str) -> None:
    score = compose(np.random.default_rng(2), style, 40.0, 50, 65)
    assert score.melody == sorted(score.melody, key=lambda note: note.start)
    for note, following in zip(score.melody, [*score.melody[1:], None], strict=True):
        assert 50 <= note.pitch <= 65
        assert (note.pitch - score.tonic) % 12 in score.scale
        assert following is None or note.start + note.length <= following.start + 1e-9
    long = [note for note in score.melody if note.length >= 4 * score.sixteenth - 1e-9]
    bar = score.chords[0].length
    assert all(note.pitch % 12 in score.chords[int(note.start / bar + 1e-6)].tones for note in long)


@pytest.mark.parametrize("index", [0, 1, 5])
def test_vocals_rest_and_sing(index: int) -> None:
    plan = plan_song(index, 12.0, 1)
    voice = make_vocals(plan.singer, plan.score, 12 * RATE, np.random.default_rng(0)).mean(axis=0)
    loudness = 10 * np.log10(np.mean(voice[: len(voice) // 1024 * 1024].reshape(-1, 1024) ** 2, axis=1) + 1e-9)
    assert np.mean(loudness > loudness.max() - 20) > 0.25
    assert np.mean(loudness < loudness.max() - 45) > 0.03
    sounding = {round(note.start, 3) for note in plan.score.melody}
    assert len(sounding) == len(plan.score.melody) > 5


def steady_singer(**changes: float) -> Singer:
    """A singer without tremor, breath or vibrato, for measurements."""
    drawn = draw_singer(np.random.default_rng([0, 9, 0]), 0, "Oracle")
    still = {"breath": 0.0, "jitter": 0.0, "shimmer": 0.0, "vibrato_depth": 0.0, "scoop": 0.0, "ringing": 0.0}
    return Singer(**{**vars(drawn), **still, **changes})


def sung(singer: Singer, pitch: float, vowel: str, seconds: float = 1.6) -> np.ndarray:
    """One vowel on one pitch."""
    samples = int(seconds * RATE)
    rng = np.random.default_rng(3)
    note = Note(0.2, seconds - 0.4, pitch, 0.85)
    return sing(singer, articulate(singer, [note], [Syllable("", vowel, "")], samples, rng), samples, rng)


def autocorrelation_pitch(signal: np.ndarray, low: float, high: float) -> float:
    """F0 in Hz as the best lag of the autocorrelation, refined by a parabola."""
    spectrum = np.fft.rfft(signal * np.hanning(len(signal)), 4 * len(signal))
    correlation = np.fft.irfft(np.abs(spectrum) ** 2)
    lags = np.arange(int(RATE / high), int(RATE / low))
    best = lags[np.argmax(correlation[lags])]
    left, middle, right = correlation[best - 1 : best + 2]
    return RATE / (best + 0.5 * (left - right) / (left - 2 * middle + right))


@pytest.mark.parametrize("number", range(8))
def test_sung_pitch_is_the_scores(number: int) -> None:
    singer = singer_of(1, number)
    pitch = singer.low + 6
    voice = sung(singer, pitch, "a")
    expected = float(hertz(pitch))
    windows = [voice[start : start + 4096] for start in range(int(0.5 * RATE), int(1.1 * RATE), 2048)]
    found = np.median([autocorrelation_pitch(part, expected / 1.6, expected * 1.6) for part in windows])
    assert abs(1200 * np.log2(found / expected)) < 45  # cents; vibrato, drift and jitter are the singer's own


def test_vowels_lie_within_8_percent_of_peterson_and_barney_s_means() -> None:
    men = {  # Table II of the 1952 paper
        "i": (270, 2290, 3010),
        "I": (390, 1990, 2550),
        "e": (530, 1840, 2480),
        "A": (660, 1720, 2410),
        "a": (730, 1090, 2440),
        "o": (570, 840, 2410),
        "u": (300, 870, 2240),
        "V": (640, 1190, 2390),
        "R": (490, 1350, 1690),
    }
    assert men.keys() == VOWELS.keys()
    for vowel, means in men.items():
        np.testing.assert_allclose(VOWELS[vowel][:3], means, rtol=0.08)


@pytest.mark.parametrize("vowel", ["a", "e", "i", "o", "A", "V"])
def test_formants_are_the_tables(vowel: str) -> None:
    singer = steady_singer(formant_scale=1.0)
    voice = sung(singer, 33.0, vowel, 2.4)  # 55 Hz: harmonics dense enough to draw the envelope
    frequency, power = welch(voice[RATE // 2 : -RATE // 2], RATE, nperseg=8192)
    for formant in VOWELS[vowel][:3]:
        near = (frequency > formant * 0.85) & (frequency < formant * 1.15)
        peak = frequency[near][np.argmax(power[near])]
        assert abs(peak - formant) < 60 + 0.03 * formant


def test_steady_note_has_nothing_between_its_harmonics() -> None:
    singer = steady_singer()
    samples = 2 * RATE
    base = 197.0
    train, _ = pulses(np.full(samples, base))
    power = np.abs(np.fft.rfft(train[RATE // 2 : RATE // 2 + RATE] * np.blackman(RATE))) ** 2  # 1 Hz a bin
    bins = np.arange(len(power))
    apart = np.abs(bins - base * np.rint(bins / base)) > 4
    assert 10 * np.log10(power[apart].sum() / power[~apart].sum()) < -90
    voice = sung(singer, 57.0, "a", 3.0)
    power = np.abs(np.fft.rfft(voice[RATE : 2 * RATE] * np.blackman(RATE))) ** 2
    assert 10 * np.log10(power[16000:].sum() / power.sum()) < -60


def test_pulses_equal_the_sum_of_cosines_while_the_pitch_moves() -> None:
    frequency = 300.0 * (1 + 0.1 * np.sin(np.arange(8000) / 900))
    train, _ = pulses(frequency, 0.3)
    phase = 0.3 + 2 * np.pi * np.cumsum(frequency) / RATE
    share = np.clip(15500.0 / frequency[:, None] - np.arange(80), 0, 1)
    direct = np.sum(share * np.cos(phase[:, None] * np.arange(1, 81)), axis=1)
    np.testing.assert_allclose(train, direct, atol=1e-3)


def test_ring_equals_decaying_sines() -> None:
    time = np.arange(3000) / RATE
    direct = 0.7 * 10 ** (-3 * time / 0.2) * np.sin(2 * np.pi * 440 * time + 0.4)
    made = ring(np.array([440.0, 99999.0]), np.array([0.2, 1.0]), np.array([0.7, 1.0]), 3000, 0.4)
    np.testing.assert_allclose(made, direct, atol=1e-3)


def test_filter_of_one_leaves_the_band_untouched() -> None:
    signal = np.sin(2 * np.pi * 1000 * np.arange(9000) / RATE)
    same = filter_frames([signal], lambda frames: [np.ones((frames.stop - frames.start, 1))], 9000)
    np.testing.assert_allclose(same[1000:-1000], signal[1000:-1000], atol=1e-3)


def test_songs_end_below_sixteen_kilohertz(corpus: Path) -> None:
    for song in songs_of(corpus):
        frequency, power = welch(song["mixture"].astype(float).mean(axis=1), RATE, nperseg=2048)
        assert 10 * np.log10(power[frequency > 17000].sum() / power.sum()) < -60


def test_lyrics_use_every_sound() -> None:
    words = lyric(np.random.default_rng(0), 3000)
    assert {word.onset for word in words} == {"", *CONSONANTS}
    assert {word.nucleus for word in words} >= set(NUCLEI)
    held = [(word, following) for word, following in pairwise(words) if following.held]
    assert len(held) > 100
    for word, following in held:
        assert not word.coda
        assert not following.onset
        assert word.nucleus == following.nucleus or word.nucleus + following.nucleus in NUCLEI
