"""A copy of the project in which every command can be typed word for word: its notebooks and grids are tiny."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import yaml
from commands.shown import FENCE, ROOT

from nca.sweeps.values import read_yaml

BIN = Path(sys.executable).parent
SMALL = {"epochs": 1, "iterations": 2, "frames": 40, "starts": 1, "scored": 1, "seed": 0, "seeds": 1, "instances": 1}
PIP = {  # into a folder of the sandbox, without the network
    "PIP_NO_INDEX": "1",
    "PIP_NO_DEPS": "1",
    "PIP_NO_BUILD_ISOLATION": "0",  # which is how pip spells "no isolation" in a variable
    "PIP_TARGET": "site",
    "PIP_UPGRADE": "1",
}
KEPT = ("runs",)  # the pages that a tiny demo grid has; `make book` runs all of them


@dataclass(frozen=True)
class Said:
    """How a command ended, what it printed, and the folder that it was typed in."""

    code: int
    text: str
    here: Path


def project(root: Path, songs: Path) -> Path:
    """The sandbox, in an empty folder: tiny notebooks and grids, tiny songs under every name that pages give some."""
    for name in ("Makefile", "_config.yml", "pyproject.toml", "README.md", "LICENSE", "CONTRIBUTING.md"):
        shutil.copy(ROOT / name, root / name)
    for name in ("book", "nca", "tests"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "notebooks", root / "notebooks", ignore=shutil.ignore_patterns("*.ipynb", ".*"))
    for notebook in (root / "notebooks").rglob("*.md"):
        notebook.write_text(small_notebook(notebook.read_text(encoding="utf-8")), encoding="utf-8")
    for grid in (root / "notebooks").rglob("*.yml"):
        grid.write_text(small_grid(grid.read_text(encoding="utf-8")), encoding="utf-8")
    (root / "_toc.yml").write_text(_contents((ROOT / "_toc.yml").read_text()))
    (root / "mine.yml").write_text(small_grid(printed_grid("book/sweeps.md")))
    for copy, notebook in (("train.md", "train"), ("couple.md", "couple"), ("x.md", "train")):
        shutil.copy(root / f"notebooks/{notebook}.md", root / copy)
    _songs(root, songs)
    _environment(root)
    return root


def small_notebook(text: str) -> str:
    """A text notebook whose parameters are tiny where nobody sets them."""
    for name, value in SMALL.items():
        text = re.sub(rf"^({name}(?:: int)?) = \d+\b", rf"\g<1> = {value}", text, flags=re.MULTILINE)
    return text


def small_grid(text: str) -> str:
    """A grid with one value on each of its axes, one row a stage, and few of its pages."""
    grid = read_yaml(text)
    stages = {name: stage for name, stage in grid["stages"].items() if not stage.get("page") or name in KEPT}
    grid["stages"] = {name: _small(stage) for name, stage in stages.items()}
    grid["parameters"] = _small(grid.get("parameters", {}))
    grid.pop("recorded", None)
    return yaml.safe_dump(grid, sort_keys=False)


def _small(found: Any, name: str = "") -> Any:
    if name == "needs":
        return found
    if name == "trials":
        return {"value": {each: trial | {"iterations": 2} for each, trial in list(found["value"].items())[:2]}}
    if name == "seed" and isinstance(found, list):
        return SMALL["seed"]  # the one that every stage has
    if isinstance(found, list):
        return found if name == "data" else [_small(found[0])] if name == "rows" else _small(found[0])
    if not isinstance(found, dict):
        return SMALL.get(name, found)
    if "range" in found:
        first = found["range"]
        return {"range": [first[0], first[0] + 1] if isinstance(first, list) else 1}
    if "draw" in found:
        return {**found, "draw": [0, 1]}
    if "value" in found and isinstance(found["value"], list):
        return {"value": found["value"][:1]}
    return {key: _small(value, key) for key, value in found.items()}


def _contents(text: str) -> str:
    """The book's contents, without the pages that a tiny demo grid does not have."""
    made = {f"executed/{name}" for name in (*KEPT, "train", "couple")}
    text = text.replace("      - file: book/cite\n", "").replace("root: executed/front", "root: book/cite")
    lines = [line for line in text.splitlines() if "executed/" not in line or line.split()[-1] in made]
    return "\n".join(lines).replace("  - caption: What the networks learn\n    numbered: true\n    chapters:\n", "")


def _songs(root: Path, made: Path) -> None:
    for folder in ("demo", "demo-64"):
        shutil.copytree(made, root / "data" / folder)
    (song,) = (root / "data/demo-64/test").glob("*/")
    shutil.copytree(song, song.with_name("another"))  # the grid over sizes measures two
    for folder, start in (("my-songs", 0), ("songs", 1000)):  # other samples, since runs on the same are the same runs
        for path in [*made.glob("*/*/vocals.wav"), *made.glob("*/*/mixture.wav")]:
            audio, rate = soundfile.read(path)
            (root / folder / path.relative_to(made)).parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(root / folder / path.relative_to(made), audio[start:], rate)
    shutil.copy(next(made.glob("test/*/mixture.wav")), root / "song.wav")
    audio, rate = soundfile.read(root / "song.wav")
    soundfile.write(root / "song.mp3", audio, rate)
    soundfile.write(root / "song.flac", np.resize(audio, (62 * rate, 2)), rate)
    (root / "FOLDER/Wavfile").mkdir(parents=True)
    random = np.random.default_rng(0)
    for singer in ("amy", "annar"):  # MIR-1K's names: annar is for testing
        for clip in range(3):
            noise = random.normal(scale=0.1, size=(16000, 2))
            soundfile.write(root / f"FOLDER/Wavfile/{singer}_1_{clip:02}.wav", noise, 16000)


def _environment(root: Path) -> None:
    """A `.venv` that is this test's own, and what make takes for the stamps of a finished one."""
    (root / "requirements.lock").touch()
    (root / ".venv").mkdir()
    (root / ".venv/bin").symlink_to(BIN)
    for stamp in (".requirements", ".ready"):
        (root / ".venv" / stamp).touch()


def printed_grid(page: str) -> str:
    """The grid that a page prints."""
    (grid,) = [block["body"] for block in FENCE.finditer((ROOT / page).read_text()) if block["info"].strip() == "yaml"]
    return grid


def typed(command: str, here: Path, seconds: float = 1200, **extra: str) -> Said:
    """Type a command into a shell and wait for its end."""
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        **PIP,
        "XDG_CACHE_HOME": str(here / "cache"),
        **extra,
    }
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=here,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds,
    )
    return Said(done.returncode, done.stdout, here)
