"""Songs as they come: which files make a song, in which formats, and what is said of what does not."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from nca.cli import main
from nca.data import list_tracks, open_tracks
from nca.errors import DataError
from nca.spectra import Geometry, build_store

RATE = 16000


def tones(seed: int, channels: int = 1, samples: int = RATE) -> np.ndarray:
    """Chords of random tones `(samples, channels)`, at values that 16 bits hold exactly."""
    rng = np.random.default_rng(seed)
    time, frequency = np.arange(samples) / RATE, rng.uniform(100, 2000, (channels, 20))
    waves = np.sin(2 * np.pi * frequency[..., None] * time + rng.uniform(0, 6, (channels, 20, 1)))
    return np.rint(800 * waves.sum(axis=1)).T / 2**15


VOICE, BACKING = tones(0), tones(1)
SOURCES = {"vocals": VOICE, "accompaniment": BACKING, "mixture": VOICE + BACKING}


def write(folder: Path, rate: int = RATE, **files: np.ndarray) -> Path:
    """A song of the files, named as `Vocals_flac` for Vocals.flac."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, audio in files.items():
        soundfile.write(folder / name.replace("_", "."), audio, rate)
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for subset in ("train", "test"):
        write(tmp_path / subset / "song", vocals_wav=VOICE, mixture_wav=VOICE + BACKING)
    return tmp_path


@pytest.mark.parametrize("given", [("vocals", "mixture"), ("vocals", "accompaniment"), tuple(SOURCES)])
@pytest.mark.parametrize(("form", "least"), [("wav", 1 - 1e-9), ("FLAC", 1 - 1e-9), ("ogg", 0.9), ("mp3", 0.9)])
def test_two_files_make_a_song_in_any_format(tmp_path: Path, given: tuple[str, ...], form: str, least: float) -> None:
    write(tmp_path / "train" / "song", **{f"{name.title()}_{form}": SOURCES[name] for name in given})
    track = open_tracks(tmp_path)[0]
    assert (track.name, track.rate, set(track.stems)) == ("song", RATE, {"vocals", "accompaniment"})
    for name, audio in {"mixture": track.mixture, **track.stems}.items():
        assert np.corrcoef(audio, SOURCES[name][:, 0])[0, 1] > least
        assert np.std(audio) == pytest.approx(np.std(SOURCES[name]), rel=0.1)


@pytest.mark.parametrize("rate", [8000, 22050, 48000])
@pytest.mark.parametrize("channels", [1, 2])
def test_any_rate_and_mono_or_stereo(tmp_path: Path, rate: int, channels: int) -> None:
    voice, backing = tones(2, channels), tones(3, channels)
    write(tmp_path / "train" / "song", rate, vocals_flac=voice, accompaniment_wav=backing)
    track = open_tracks(tmp_path)[0]
    assert track.rate == rate
    np.testing.assert_allclose(track.mixture, (voice + backing).mean(axis=1), atol=1e-6)


def test_full_stems_in_flac_are_those_in_wav(tmp_path: Path) -> None:
    names = ("mixture", "drums", "bass", "other", "vocals")
    for form in ("wav", "flac"):
        write(tmp_path / form / "train" / "song", **{f"{name}_{form}": tones(i, 2) for i, name in enumerate(names)})
    one, other = (open_tracks(tmp_path / form)[0] for form in ("wav", "flac"))
    assert list(one.stems) == list(other.stems) == list(names[1:])
    for name in names[1:]:
        np.testing.assert_array_equal(one.stems[name], other.stems[name])


def test_a_folder_without_audio_is_passed_over(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "train" / "artwork").mkdir()
    (root / "train" / "artwork" / "cover.png").write_bytes(b"picture")
    assert open_tracks(root).names == ("song",)
    assert "artwork holds no audio: passed over" in capsys.readouterr().err


def test_the_listing_goes_on_after_what_is_wrong(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "train" / "artwork").mkdir()
    write(root / "train" / "alone", vocals_wav=VOICE)
    write(root / "train" / "stems", mixture_wav=VOICE, vocals_wav=VOICE, drums_wav=VOICE)
    write(root / "train" / "twice", vocals_wav=VOICE, vocals_flac=VOICE, mixture_wav=VOICE)
    write(root / "train" / "other", lead_wav=VOICE)
    assert main(["tracks", str(root)]) == 2
    shown = capsys.readouterr()
    lines = shown.out.splitlines()
    for line, start, sentence in [
        (0, "train", "artwork holds no audio: passed over"),
        (1, "train  alone: ", "mixture.wav is missing: a song needs mixture, drums, bass, other, vocals; or"),
        (2, "train  other: ", "is missing"),
        (3, "train       1.0 s  16000 Hz  song", "song"),
        (4, "train  stems: ", "bass.wav is missing"),
        (5, "train  twice: ", "are the same source: keep one"),
        (6, "test        1.0 s  16000 Hz  song", "song"),
    ]:
        assert lines[line].startswith(start)
        assert sentence in lines[line]
    assert len(lines) == 7
    assert "4 of these lines cannot be used" in shown.err


def test_the_listing_of_one_subset_and_of_one_that_is_missing(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tracks", str(root)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2
    shutil.rmtree(root / "test")
    assert main(["tracks", str(root), "--subset", "train"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1
    assert main(["tracks", str(root)]) == 2
    assert "test does not exist" in capsys.readouterr().out


def test_a_file_of_another_format_than_its_name_says(root: Path) -> None:
    path = root / "train" / "song" / "mixture.wav"
    soundfile.write(path.with_suffix(".mp3"), VOICE, RATE)
    path.with_suffix(".mp3").rename(path)
    with pytest.raises(DataError, match=r"mixture\.wav is MP3 inside, not WAV: rename it"):
        open_tracks(root)


@pytest.mark.parametrize("form", ["mp3", "ogg", "flac"])
def test_lossy_files_that_are_cut_off_are_named(tmp_path: Path, form: str) -> None:
    folder = write(
        tmp_path / "train" / "song", **{f"{name}_{form}": tones(5, 1, 5 * RATE) for name in ("vocals", "mixture")}
    )
    path = folder / f"vocals.{form}"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match=rf"vocals\.{form} (has frames|holds no|cannot be read|is shorter)"):
        open_tracks(tmp_path)[0]


def test_a_mixture_of_something_else_and_a_low_rate_are_remarked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stems = {"drums_wav": tones(1), "bass_wav": tones(2), "other_wav": tones(3), "vocals_wav": tones(4)}
    total = np.sum(list(stems.values()), axis=0)
    write(tmp_path / "train" / "backwards", 8000, mixture_wav=total[::-1], **stems)
    write(tmp_path / "train" / "mastered", mixture_wav=0.5 * np.tanh(3 * total), **stems)
    assert main(["tracks", str(tmp_path), "--subset", "train"]) == 0
    backwards, mastered = capsys.readouterr().out.splitlines()
    assert "(the mixture is not the sum of its stems)" in backwards
    assert "(a low rate: all bands above 4000 Hz are empty)" in backwards
    assert mastered.endswith("mastered")


@pytest.mark.parametrize(("form", "effects"), [("wav", 3), ("flac", 3), ("ogg", 5)])
def test_low_frequency_effects_are_left_out(tmp_path: Path, form: str, effects: int, capsys) -> None:
    surround = 0.1 * np.tile(VOICE, (1, 6))
    surround[:, effects] = 0.9 * np.sin(np.arange(RATE) / 50)
    write(tmp_path / "train" / "song", **{f"vocals_{form}": surround, f"accompaniment_{form}": surround})
    voice = open_tracks(tmp_path)[0].voice
    assert np.abs(voice).max() < 0.1
    assert main(["tracks", str(tmp_path), "--subset", "train"]) == 0
    assert "(six channels or more: that of low-frequency effects is left out)" in capsys.readouterr().out


def test_no_voice_anywhere_names_the_data(root: Path, tmp_path: Path) -> None:
    write(root / "train" / "song", vocals_wav=0 * VOICE)
    with pytest.raises(DataError, match=f"No song of {root} has a voice: add songs"):
        build_store(open_tracks(root), Geometry(RATE, 64, 32, 6), tmp_path / "store")


def corrupt(content: bytes, rng: np.random.Generator) -> bytes:
    """The content cut off, with bits flipped, with a broken head, or with noise put in."""
    place, data = int(rng.integers(len(content))), bytearray(content)
    match int(rng.integers(4)):
        case 0:
            return bytes(data[:place])
        case 1:
            for flipped in rng.integers(0, len(data), 8):
                data[flipped] ^= 1 << int(rng.integers(8))
        case 2:
            for broken in rng.integers(0, min(64, len(data)), 3):
                data[broken] = int(rng.integers(256))
        case 3:
            data[place:place] = rng.bytes(50)
    return bytes(data)


@pytest.mark.parametrize("form", ["wav", "float", "flac", "ogg", "mp3"])
def test_a_corrupted_file_is_read_or_named(tmp_path: Path, form: str) -> None:
    name, kind = ("wav", "FLOAT") if form == "float" else (form, None)
    folder = write(tmp_path / "train" / "song", **{f"mixture_{name}": VOICE + BACKING})
    path = folder / f"vocals.{name}"
    soundfile.write(path, VOICE, RATE, subtype=kind)
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    for _ in range(40):
        path.write_bytes(corrupt(whole, rng))
        ((line, usable),) = list_tracks(tmp_path, ["train"])
        assert usable or f"vocals.{name}" in line


def test_samples_far_above_full_scale_are_named(root: Path) -> None:
    path = root / "train" / "song" / "vocals.wav"
    soundfile.write(path, 1e30 * VOICE, RATE, subtype="FLOAT")
    with pytest.raises(DataError, match=r"vocals\.wav holds samples of \S+ where full scale is 1"):
        open_tracks(root)[0]
