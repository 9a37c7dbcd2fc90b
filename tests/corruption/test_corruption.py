"""Damaged inputs give a correct result or a named error: no traceback, no hang, nothing damaged beside.

A case is a kind of file and a seed. Some run in `make test`, more with the slow tests, and as many as one likes of each
kind where the environment says so, as CONTRIBUTING shows. A seed that finds something is added to `FOUND`.
"""

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest
from corruption.kinds import KINDS

from nca.errors import NCAError
from nca.support.digests import file_digest

FAST, SLOW, SECONDS = 5, 20, 60
FOUND = {
    "results": (3, 8, 11),
    "grids": (3, 7),
    "indices": (6, 7),
    "checkpoints": (5,),
    "names": (34,),
    "records": (46, 50, 66),
    "notebooks": (24, 25),
}


def cases() -> Iterator[object]:
    """Every kind with its seeds; those of audio in stems take longer each."""
    many = int(os.environ.get("NCA_CORRUPTIONS", SLOW))
    for kind in KINDS:
        fast = {*range(FAST if kind != "stems" else 1), *FOUND.get(kind, ())}
        for seed in sorted({*range(many), *fast}):
            marks = () if seed in fast else pytest.mark.slow
            yield pytest.param(kind, seed, id=f"{kind}-{seed}", marks=marks)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder without damage of each kind, made when it is asked for."""

    class Made(dict):
        def __missing__(self, kind: str) -> Path:
            self[kind] = tmp_path_factory.mktemp(kind)
            KINDS[kind].make(self[kind])
            return self[kind]

    return Made()


@contextmanager
def limit(seconds: int) -> Iterator[None]:
    """Raise in what takes longer."""

    def late(*_: object) -> None:
        raise TimeoutError(f"no answer after {seconds} s")

    signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def contents(folder: Path) -> dict[Path, str]:
    return {path.relative_to(folder): file_digest(path) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("kind", list(KINDS))
def test_without_damage_everything_is_read(kind: str, whole: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(whole[kind], tmp_path / "copy")
    assert KINDS[kind].use(tmp_path / "copy") in (0, None) or KINDS[kind].exact or kind == "descriptions"


@pytest.mark.parametrize(("kind", "seed"), cases())
def test_damage_is_named_or_does_no_harm(kind: str, seed: int, whole: dict[str, Path], tmp_path: Path) -> None:
    case, here = KINDS[kind], tmp_path / "here"
    shutil.copytree(whole[kind], here)
    case.spoil(here, Random(f"{kind}-{seed}"))
    before = contents(here)
    with limit(SECONDS):
        try:
            found = case.use(here)
        except NCAError as error:
            found, said = None, str(error)
            assert said
            assert len(said) < 2000
        else:
            assert not isinstance(found, int) or found in (0, 2)
            if case.exact:
                shutil.copytree(whole[kind], tmp_path / "there")
                assert found == case.use(tmp_path / "there")
    after = contents(here)
    assert case.writes or {path: after.get(path) for path in before} == before
