"""The command line as a user meets it: one sentence and exit code 2 for what is wrong, nothing half-written."""

import os
import shutil
import stat
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import soundfile

import nca
from nca.cli import main
from nca.sweeps.single import _Shown

HERE = Path(__file__).parent
NOTEBOOKS = HERE.parent / "notebooks"
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


def listed(capsys: pytest.CaptureFixture[str], root: Path) -> str:
    """What `nca tracks` lists of a data set with songs that cannot be used."""
    assert main(["tracks", str(root)]) == 2
    printed = capsys.readouterr()
    assert "nca: " in printed.err
    assert "Traceback" not in printed.err
    return printed.out


def test_wrong_roots_and_broken_songs(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("MUSDB_PATH", raising=False)
    assert "MUSDB_PATH" in said(capsys, "tracks")
    assert str(tmp_path / "none") in said(capsys, "tracks", str(tmp_path / "none"))
    (tmp_path / "test").mkdir()
    assert "song" in listed(capsys, tmp_path)
    song(tmp_path / "test" / "short")
    (tmp_path / "test" / "short" / "bass.wav").unlink()
    assert "bass.wav" in listed(capsys, tmp_path)


@pytest.mark.parametrize(
    ("stem", "content"),
    [("vocals", np.zeros((0, 2))), ("drums", np.zeros((100, 2)))],
    ids=["empty", "unequal"],
)
def test_a_broken_stem_is_named(tmp_path, capsys, stem, content):
    song(tmp_path / "test" / "song", **{stem: content})
    assert f"{stem}.wav" in listed(capsys, tmp_path)


def test_a_truncated_and_a_non_finite_file_are_named(tmp_path, capsys):
    song(tmp_path / "test" / "song")
    path = tmp_path / "test" / "song" / "other.wav"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert "other.wav" in listed(capsys, tmp_path)
    soundfile.write(path, np.full((44100, 2), np.nan), 44100, subtype="FLOAT")
    assert "other.wav" in listed(capsys, tmp_path)


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


def test_no_songs_to_test_on_are_said_before_a_training(tmp_path, capsys, demo_songs):
    shutil.copytree(demo_songs / "train", tmp_path / "data" / "train")
    settings = ["--set", f"data={tmp_path / 'data'}", "--set", f"spectra={tmp_path / 'spectra'}"]
    sentence = said(capsys, "run", str(NOTEBOOKS / "train.md"), "--out", str(tmp_path / "run"), *settings)
    assert "test does not exist" in sentence
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


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
    with pytest.raises(AttributeError, match="No nca attribute teacher"):
        nca.teacher  # noqa: B018


def test_what_a_run_prints_is_shown_and_its_notebook_names_the_folder_it_ends_in(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    before = os.umask(0o022)
    try:
        assert main(["run", str(HERE / "sweeps" / "first.md"), "--out", "mine", "--set", "seed=3"]) == 0
    finally:
        os.umask(before)
    shown = capsys.readouterr()
    assert shown.out == "mine\n"
    executed = Path("mine/notebook.ipynb").read_text()
    assert 'out = \\"mine\\"' in executed
    assert ".mine-" not in executed
    assert stat.S_IMODE(Path("mine").stat().st_mode) == 0o755
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_bars_of_progress_are_for_terminals(monkeypatch, capsys):
    shown = _Shown()
    for text in ("\rhalf", "kept in a/b\n", "\rwhole"):
        shown.write(text)
    assert capsys.readouterr().err == "kept in a/b\n"
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    shown.write("\rwhole")
    assert capsys.readouterr().err == "\rwhole"


def test_a_folder_that_cannot_be_written_is_named(capsys):
    first = str(HERE / "sweeps" / "first.md")
    assert "/proc/nowhere/mine cannot be written" in said(capsys, "run", first, "--out", "/proc/nowhere/mine")


@pytest.mark.parametrize(
    ("notebook", "setting", "named"),
    [
        ("train.md", "model=SFF", "no model 'SFF'; choose one of DAE, MSS-DAE, SF"),
        ("couple.md", 'strategies=["student", "compositonal"]', "no strategy 'compositonal'; choose one of student, "),
        ("judged/fewer.md", "strategy=Student", "no strategy 'Student'; choose one of student, "),
        ("train.md", "profile=demoo", "no profile 'demoo'; choose one of paper, demo"),
        ("train.md", "precision=half", "no precision 'half'"),
        ("train.md", "epochs=-3", "'epochs' is -3, and the least is 0"),
        ("couple.md", "segment=-1", "'segment' is -1, and the least is 0"),
        ("couple.md", "song=-2", "'song' is -2, and the least is -1"),
        ("couple.md", "song=9", "asks for test song 9, and {} has 1, from 0 to 0"),
        ("couple.md", "songs=[0, 2]", "asks for test song 2"),
    ],
)
def test_a_value_that_no_run_can_use_is_refused_by_run_and_dry_run(
    tmp_path, capsys, monkeypatch, demo_songs, notebook, setting, named
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("nca.sweeps.kernels.NotebookProcess.run", lambda *_: pytest.fail("a kernel was started"))
    stage = f"{{notebook: {NOTEBOOKS / notebook}, data: data, parameters: {{data: {demo_songs}}}}}"
    (tmp_path / "grid.yml").write_text(f"store: store\nstages: {{one: {stage}}}\n")
    run = ["run", str(NOTEBOOKS / notebook), "--out", "out", "--set", f"data={demo_songs}"]
    for asked in (run, ["sweep", "grid.yml", "--dry-run"], ["sweep", "grid.yml"]):
        assert named.format(demo_songs) in said(capsys, *asked, "--set", setting)
    assert [path.name for path in tmp_path.iterdir()] == ["grid.yml"]


def test_a_parameter_that_no_page_has_is_refused_before_the_corpus_is_made(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notebooks").symlink_to(NOTEBOOKS)
    assert "the parameter 'epoch'; did you mean 'epochs'" in said(capsys, "book", "--set", "epoch=1")
    assert not (tmp_path / "data").exists()


def test_the_version_is_said(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out == f"nca {version('nca')}\n"
