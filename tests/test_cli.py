"""The command line as a user meets it: one sentence and exit code 2 for what is wrong, nothing half-written."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

import nca
from nca.cli import main

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
STEMS = ("mixture", "drums", "bass", "other", "vocals")


def song(folder: Path, seconds: float = 1.0, **broken: np.ndarray) -> None:
    """A song in MUSDB18's WAV layout; `broken` replaces stems."""
    folder.mkdir(parents=True)
    noise = np.random.default_rng(0).normal(scale=0.1, size=(int(44100 * seconds), 2))
    for stem in STEMS:
        soundfile.write(folder / f"{stem}.wav", broken.get(stem, noise), 44100)


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one sentence that a command says when it ends with exit code 2."""
    assert main(arguments) == 2
    printed = capsys.readouterr()
    (sentence,) = [line for line in printed.err.splitlines() if line.startswith("nca: ")]
    assert "Traceback" not in printed.err
    return sentence


def test_wrong_roots_and_broken_songs(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("MUSDB_PATH", raising=False)
    assert "MUSDB_PATH" in said(capsys, "tracks")
    assert str(tmp_path / "none") in said(capsys, "tracks", str(tmp_path / "none"))
    (tmp_path / "test").mkdir()
    assert "song" in said(capsys, "tracks", str(tmp_path))
    song(tmp_path / "test" / "short")
    (tmp_path / "test" / "short" / "bass.wav").unlink()
    assert "bass.wav" in said(capsys, "tracks", str(tmp_path))


@pytest.mark.parametrize(
    ("stem", "content"),
    [("vocals", np.zeros((0, 2))), ("drums", np.zeros((100, 2)))],
    ids=["empty", "unequal"],
)
def test_a_broken_stem_is_named(tmp_path, capsys, stem, content):
    song(tmp_path / "test" / "song", **{stem: content})
    assert f"{stem}.wav" in said(capsys, "tracks", str(tmp_path))


def test_a_truncated_and_a_non_finite_file_are_named(tmp_path, capsys):
    song(tmp_path / "test" / "song")
    path = tmp_path / "test" / "song" / "other.wav"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert "other.wav" in said(capsys, "tracks", str(tmp_path))
    soundfile.write(path, np.full((44100, 2), np.nan), 44100, subtype="FLOAT")
    assert "other.wav" in said(capsys, "tracks", str(tmp_path))


def test_unknown_parameters_of_a_notebook(tmp_path, capsys):
    out = tmp_path / "run"
    train, couple = str(NOTEBOOKS / "train.md"), str(NOTEBOOKS / "couple.md")
    assert "'modle'; did you mean 'model'" in said(capsys, "run", train, "--out", str(out), "--set", "modle=SF")
    assert "'seed'" in said(capsys, "run", train, "--out", str(out), "--set", "seed=first")
    assert "exists already" in said(capsys, "run", couple, "--out", str(tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ("profile=big", "no profile 'big'; choose one of paper, demo"),
        ("model=UNet", "no model 'UNet'; choose one of DAE, MSS-DAE, SF"),
        ("data=nowhere", "nowhere is no folder"),
    ],
)
def test_what_a_notebook_raises_by_name_is_said_and_nothing_is_left(tmp_path, capsys, demo_songs, setting, named):
    settings = ["--set", f"data={demo_songs}", "--set", f"spectra={tmp_path / 'spectra'}", "--set", setting]
    sentence = said(capsys, "run", str(NOTEBOOKS / "train.md"), "--out", str(tmp_path / "run"), *settings)
    assert named in sentence
    assert not (tmp_path / "run").exists()
    assert [path.name for path in tmp_path.iterdir() if path.name != "spectra"] == []


@pytest.mark.slow
def test_an_own_song_from_training_to_couplings(tmp_path, capsys, demo_songs):
    train = ["--set", "epochs=1", "--set", f"data={demo_songs}", "--set", f"spectra={tmp_path / 'spectra'}"]
    assert main(["run", str(NOTEBOOKS / "train.md"), "--out", str(tmp_path / "model"), *train]) == 0
    couple = ["--set", f"data={demo_songs}", "--set", f"trained={tmp_path / 'model'}"]
    arguments = ["run", str(NOTEBOOKS / "couple.md"), "--out", str(tmp_path / "couplings"), *couple]
    assert main([*arguments, "--set", "iterations=2", "--set", "frames=60"]) == 0
    assert {"notebook.ipynb", "results.json", "couplings.safetensors"} <= {
        p.name for p in (tmp_path / "couplings").iterdir()
    }
    again = [*arguments[:3], str(tmp_path / "more"), *couple]
    assert "fewer than the 5000" in said(capsys, *again, "--set", "frames=5000")
    assert "no strategy 'teacher'" in said(capsys, *again, "--set", "frames=60", "--set", "strategies=[teacher]")


def test_the_command_starts_without_torch():
    code = "import sys, nca.cli; nca.cli.parser(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_every_public_name_is_there():
    assert all(getattr(nca, name) is not None for name in nca.__all__)
    assert {"DAE", "MSSDAE", "SkipFiltering", "student", "compositional", "linear_composition"} <= set(dir(nca))
    assert {"identity", "mean_mapping", "tod_ratio", "snr", "explore"} <= set(dir(nca))
    with pytest.raises(AttributeError, match="no attribute 'teacher'"):
        nca.teacher  # noqa: B018
