"""papermill by itself, as the page on sweeps shows it, and with paths that its own handlers would take for theirs."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from sweeps.harness import HERE, environment

from nca.sweeps import check_executed

ROOT = HERE.parents[1]


def shown() -> list[str]:
    """The command lines of the section on papermill, in its order."""
    section = (ROOT / "book" / "sweeps.md").read_text().partition("## papermill alone")[2].partition("\n## ")[0]
    return [line for block in re.findall(r"```shell\n(.*?)```", section, re.DOTALL) for line in block.splitlines()]


def typed(folder: Path, *lines: str) -> str:
    """What a shell prints when these lines are typed in `folder`."""
    path = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    told = subprocess.run(
        ["bash", "-ec", "\n".join(lines)], cwd=folder, env=environment(**path), capture_output=True, text=True
    )
    assert told.returncode == 0, told.stderr
    return told.stdout + told.stderr


@pytest.mark.slow
def test_the_pages_commands_run_word_for_word(tmp_path: Path, demo_songs: Path) -> None:
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks", ignore=shutil.ignore_patterns("*.ipynb"))
    shutil.copytree(demo_songs, tmp_path / "my-songs")
    (tmp_path / "settings.yml").write_text("strategies: [student]\niterations: 5\n")
    told = typed(tmp_path, *shown())
    assert "Unknown type" not in told
    assert {path.stem for path in tmp_path.glob("*.ipynb")} == {"trained", "coupled", "again"}
    assert check_executed(tmp_path) == 3
    first, again = ((tmp_path / name / "results.json").read_text() for name in ("my-couplings", "more-couplings"))
    assert first == again
    assert (tmp_path / "my-model" / "model.safetensors").is_file()


def test_a_path_may_begin_with_md(tmp_path: Path) -> None:
    (tmp_path / "mdx").mkdir()
    shutil.copy(HERE / "first.md", tmp_path / "mdx" / "first.md")
    typed(tmp_path, "papermill mdx/first.md md-executed.ipynb -p out found")
    typed(tmp_path, "papermill md-executed.ipynb mdx/again.ipynb -p out found-again")
    assert check_executed(tmp_path) == 2
