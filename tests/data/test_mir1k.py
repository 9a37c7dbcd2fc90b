"""MIR-1K's layout: karaoke clips by singer, left accompaniment and right voice, joined to songs."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from nca.data import digest, open_tracks
from nca.errors import DataError
from nca.spectra import analyse, build_store, profile, segments

RATE = 16000
NAMES = ("bug_2_01", "bug_2_02", "bug_10_01", "Kenshin_1_03", "annar_1_01", "annar_1_10", "annar_1_02", "khair_3_01")


def clip(root: Path, name: str, samples: int = 1600, suffix: str = ".flac") -> np.ndarray:
    """A clip of 16-bit noise `(samples, 2)`, by its name's own seed."""
    audio = np.random.default_rng(list(name.encode())).integers(-(2**15), 2**15, (samples, 2), np.int16)
    (root / "Wavfile").mkdir(parents=True, exist_ok=True)
    soundfile.write(root / "Wavfile" / f"{name}{suffix}", audio, RATE)
    return audio


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in NAMES:
        clip(tmp_path, name, suffix=".wav" if name.startswith("bug") else ".flac")
    (tmp_path / "Wavfile" / "README.txt").write_text("no clip")
    (tmp_path / "Wavfile" / "._bug_2_01.wav").write_bytes(b"what a Mac leaves")
    return tmp_path


def test_clips_are_joined_to_songs_and_split_by_singer(root: Path) -> None:
    train, test = open_tracks(root, "train"), open_tracks(root, "test")
    assert train.names == ("Kenshin_1", "bug_2", "bug_10")
    assert test.names == ("annar_1", "khair_3")
    assert [path.stem for path in test.paths[0]] == ["annar_1_01", "annar_1_02", "annar_1_10"]
    track = test[0]
    left, right = np.concatenate([clip(root, path.stem) for path in test.paths[0]]).T / np.float32(2**15)
    np.testing.assert_array_equal(track.stems["accompaniment"], left)
    np.testing.assert_array_equal(track.voice, right)
    np.testing.assert_array_equal(track.mixture, left + right)
    assert np.abs(track.mixture).max() > 1  # the sum, not the mean
    assert set(track.stems) == {"accompaniment", "vocals"}
    assert (track.name, track.subset, track.rate, track.seconds) == ("annar_1", "test", RATE, 0.3)
    assert all(each.dtype == np.float32 for each in (track.mixture, *track.stems.values()))
    assert train[1:].names == ("bug_2", "bug_10")
    assert train[1:][0].seconds == 0.2


def test_wav_and_flac_of_one_clip_give_one_track(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other")
    clip(other, "bug_2_01", suffix=".flac")
    np.testing.assert_array_equal(open_tracks(other)[0].voice, open_tracks(root)[1].voice[:1600])
    with pytest.raises(DataError, match=r"holds no clips to test on: the singers annar and khair are for testing"):
        open_tracks(other, "test")


def test_the_excerpt_is_where_both_sources_are_active(root: Path) -> None:
    loud = 0.2 * np.random.default_rng(0).standard_normal((6 * RATE, 2))
    loud[: 3 * RATE, 1] = 1e-3
    soundfile.write(root / "Wavfile" / "khair_3_01.flac", loud, RATE)
    track = open_tracks(root, "test")[1]
    np.testing.assert_array_equal(track.excerpt(2).voice, track.voice[3 * RATE : 5 * RATE])


def test_songs_of_short_clips_flow_into_the_store_and_into_segments(root: Path) -> None:
    geometry = profile("mir-1k")
    tracks = open_tracks(root, "train")
    store = build_store(tracks, geometry, root / "store", digest(tracks))
    assert store.geometry.bins == 744
    assert [frames for _, frames in store.songs] == [1 + len(track.mixture) // geometry.hop for track in tracks]
    np.testing.assert_array_equal(store.voice[-3], analyse(tracks[-1], geometry).voice[:, -3].abs())
    for number in range(1, 13):
        clip(root, f"khair_3_{number:02}", 4 * RATE)
    analysis = analyse(open_tracks(root, "test")[1].excerpt(30), geometry)
    assert len(segments(analysis)) == 30 * RATE // geometry.hop // 350 == 9
    assert torch.isfinite(analysis.sound(analysis.voice.abs())).all()


def test_the_digest_follows_the_clips_of_the_subset(root: Path) -> None:
    first, others = digest(open_tracks(root, "test")), digest(open_tracks(root, "train"))
    clip(root, "annar_1_02", 1601)
    assert digest(open_tracks(root, "test")) != first
    assert digest(open_tracks(root, "train")) == others


def silence(path: Path, right: float = 0.0, channels: int = 2, rate: int = RATE) -> None:
    soundfile.write(path, np.array([[0.1, right]] * 99)[:, :channels], rate)


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda path: silence(path, channels=1), r"annar_1_02\.flac has 1 channel\(s\), not two"),
        (lambda path: silence(path, rate=8000), r"annar_1_02\.flac has samplerate 8000, its first clip 16000"),
        (lambda path: path.write_text("no audio"), r"annar_1_02\.flac cannot be read as FLAC"),
        (lambda path: path.write_bytes(b""), r"annar_1_02\.flac cannot be read as FLAC"),
        (lambda path: clip(path.parent.parent, path.stem, suffix=".wav"), r"same clip: keep one"),
        (lambda path: path.rename(path.with_name("annar-1.flac")), r"annar-1\.flac is no clip of MIR-1K: rename"),
    ],
    ids=["mono", "rate", "text", "empty", "twice", "name"],
)
def test_a_spoilt_clip_is_named_when_the_set_is_opened(root: Path, spoil, sentence: str) -> None:
    spoil(root / "Wavfile" / "annar_1_02.flac")
    with pytest.raises(DataError, match=sentence):
        open_tracks(root, "test")


@pytest.mark.parametrize("suffix", [".flac", ".wav"])
@pytest.mark.parametrize("kept", [0.2, 0.7, 0.99])
def test_a_clip_cut_off_anywhere_is_named(root: Path, suffix: str, kept: float) -> None:
    clip(root, "khair_4_01", 40000, suffix)
    path = root / "Wavfile" / f"khair_4_01{suffix}"
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    with pytest.raises(DataError, match=rf"khair_4_01\{suffix} (cannot be read|is shorter than its header says)"):
        open_tracks(root, "test")[2]


def test_a_clip_without_a_voice_or_with_broken_floats_is_named_when_read(root: Path) -> None:
    silence(root / "Wavfile" / "khair_3_01.flac")
    with pytest.raises(DataError, match=r"khair_3_01\.flac has no voice on its right channel"):
        open_tracks(root, "test")[1]
    soundfile.write(root / "Wavfile" / "bug_10_01.wav", np.full((99, 2), np.nan), RATE, subtype="FLOAT")
    with pytest.raises(DataError, match=r"bug_10_01\.wav holds samples that are not finite"):
        open_tracks(root)[2]


@pytest.mark.skipif("MIR1K_PATH" not in os.environ, reason="set MIR1K_PATH to a folder with MIR-1K's Wavfile")
def test_mir_1k_itself() -> None:
    root = Path(os.environ["MIR1K_PATH"])
    singers = [{name.rsplit("_", 1)[0] for name in open_tracks(root, subset).names} for subset in ("train", "test")]
    assert {"annar", "khair"} == singers[1]
    assert not singers[0] & singers[1]
    track = open_tracks(root, "test")[0]
    assert track.rate == RATE
    assert len(segments(analyse(track.excerpt(30), profile("mir-1k")))) == 9


def test_other_singers_can_be_chosen_to_test_on(root: Path) -> None:
    (root / "test-singers.txt").write_text("bug\nKenshin\n")
    assert open_tracks(root, "test").names == ("Kenshin_1", "bug_2", "bug_10")
    assert open_tracks(root, "train").names == ("annar_1", "khair_3")
    (root / "test-singers.txt").write_text("nobody\n")
    with pytest.raises(DataError, match=r"Here sing Kenshin, annar, bug, khair; name some in .*test-singers\.txt"):
        open_tracks(root, "test")
