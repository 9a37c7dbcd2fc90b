"""Every command that README, pages, grids, docstrings and messages show is typed, word for word, and looked at."""

import argparse
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands.sandbox import project, typed
from commands.shown import PROGRAMS, ROOT, in_markdown, in_records, in_shell, shown
from commands.stories import ELSEWHERE, REFUSED, STORIES, Look, refused

import nca.data.demo
from nca.bench import couplings
from nca.cli import main, parser

TRIED = {command for story in STORIES.values() for command, _ in story} | {*REFUSED, *ELSEWHERE}
ADVICE = "add it to STORIES (typed at a tiny size), REFUSED or ELSEWHERE of tests/commands/stories.py"


def verbs(top: argparse.ArgumentParser, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every chain of subcommands: `sweep`, `bench`, `bench couplings`."""
    for action in top._actions:
        for name, below in action.choices.items() if isinstance(action, argparse._SubParsersAction) else ():
            yield (*before, name)
            yield from verbs(below, (*before, name))


def is_a_name(text: str) -> bool:
    """Whether prose names a command without its arguments: `nca sweep`, `dask scheduler`, `nca --help`."""
    program, *words = text.split()
    return (program == "nca" and (tuple(words) in NAMES or words == ["--help"])) or text == "dask scheduler"


NAMES = set(verbs(parser()))


def test_every_command_shown_is_tried() -> None:
    untried = {f"{one.place}: {one.text}" for one in shown() if not (one.text in TRIED or is_a_name(one.text))}
    assert not untried, f"{ADVICE}:\n" + "\n".join(sorted(untried))


def test_every_command_tried_is_shown() -> None:
    assert not TRIED - {one.text for one in shown()}, "no page shows these any more: take them out"


def test_what_counts_as_a_command() -> None:
    page = "See `nca\nsweep x.yml`, ``pip install a``. Type nca sweep y.yml. A `nca.sweep`, `make`.\n\n"
    block = "```sh\nmake a  # why\nnca b \\\n    --c 'd #e'\n```\n\n  make f\n"
    texts = [one.text for one in in_markdown(page + block, "here")]
    typed_ones = ["make a", "nca b --c 'd #e'", "nca sweep x.yml", "pip install a", "make f"]
    assert texts == [*typed_ones, "not between backticks: nca sweep  ..."]
    assert in_shell("# all of it\n\nexport A=b\n") == ["export A=b"]


@pytest.mark.parametrize("command", sorted(TRIED | {one.text for one in in_records()}))
def test_every_command_is_one_that_its_program_takes(command: str) -> None:
    program, *words = shlex.split(re.sub(r"^[A-Z_]+=\S+ | &$", "", command))
    if program.endswith("nca"):
        parser().parse_args(words, argparse.Namespace(line=words))
    elif program == "make":
        subprocess.run(["make", "-n", *words], cwd=ROOT, check=True, capture_output=True)
    elif program == "dask":
        from distributed.cli.dask_scheduler import main as scheduler

        assert words[0] == "scheduler"
        scheduler.make_context("scheduler", words[1:])
    elif program == "cd":
        assert len(words) == 1
    elif program == "export":
        assert all("=" in word for word in words)
    else:
        assert program.removeprefix(".venv/bin/") in PROGRAMS.split("|")


def test_a_corpus_of_the_size_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(nca.data.demo, "make_corpus", lambda *where, **size: asked.append((where, size)))
    assert main(shlex.split("nca corpus data/demo-64 --songs 64 --seconds 30")[1:]) == 0
    assert asked == [(("data/demo-64",), {"songs": 64, "seconds": 30.0, "seed": 0})]


def test_the_bench_as_printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(couplings.bench_couplings, "__defaults__", ((8,), (2,), 1, "cpu"))
    monkeypatch.setattr(couplings, "peak_memory", lambda bins, depth, device: 7.5)
    assert main(shlex.split("nca bench couplings")[1:]) == 0
    assert "over_products" in capsys.readouterr().out


def test_the_mutants_that_are_drawn() -> None:
    done = typed("python tests/mutants.py --count 9 --seed 1 --list", ROOT)
    lines = done.text.splitlines()
    assert (done.code, len(lines)) == (0, 9), done.text
    assert all(line.startswith(f"{number} ") and " -> " in line for number, line in enumerate(lines, 1))


@pytest.fixture
def sandbox(tmp_path: Path, demo_songs: Path) -> Path:
    """The project, tiny."""
    return project(tmp_path, demo_songs)


@pytest.mark.slow
@pytest.mark.parametrize("story", STORIES.values(), ids=list(STORIES))
def test_what_a_reader_types_does_what_its_page_says(story: list[tuple[str, Look]], sandbox: Path) -> None:
    for command, look in story:
        look(typed(command, sandbox))


@pytest.mark.slow
def test_what_this_machine_cannot_do_is_one_sentence_and_leaves_nothing(sandbox: Path) -> None:
    before = {path for path in sandbox.rglob("*") if path.is_file()}
    for command, words in REFUSED.items():
        refused(words)(typed(command, sandbox, MUSDB_PATH=str(sandbox / "my-songs")))
    after = {path for path in sandbox.rglob("*") if path.is_file()}
    assert all(".locks" in path.parts or path.name == ".digests.json" for path in after - before)
