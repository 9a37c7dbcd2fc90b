"""What changes a run's identity, and what does not."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from sweeps.harness import HERE

import nca
from nca.sweeps import imports, plan
from nca.sweeps.identity import question, uses_torch
from nca.sweeps.imports import closure


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the package that identity is taken from, free to be changed."""
    copy = tmp_path / "nca"
    shutil.copytree(Path(nca.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(imports, "_root", lambda name: copy / "__init__.py")
    return copy


@pytest.fixture
def book(tmp_path: Path, package: Path) -> Path:
    """Two stages and a page that use the package, and data."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "song.wav").write_bytes(b"samples")
    uses = "from nca import DAE, student\nfrom nca.errors import NCAError\nimport nca.pages.figures as figures\n"
    first = (HERE / "first.md").read_text().replace("import json\n", "import json\n" + uses, 1)
    (tmp_path / "first.md").write_text(first.replace('data: str = ""', f'data: str = "{tmp_path}/data"'))
    (tmp_path / "second.md").write_text((HERE / "second.md").read_text())
    page = (HERE / "page.md").read_text().replace("len(runs)", "import nca.pages.figures\nlen(runs)")
    (tmp_path / "page.md").write_text(page)
    (tmp_path / "grid.yml").write_text(
        """
store: store
stages:
  first: {notebook: first.md, data: data, parameters: {model: [a, b]}}
  second: {notebook: second.md, parameters: {model: [a, b], power: 2}, needs: {first: first}}
  page: {notebook: page.md, needs: {runs: {all: [first, second]}}, page: true}
"""
    )
    return tmp_path


def _identities(book: Path) -> dict[str, list[str]]:
    laid_out = plan(book / "grid.yml")
    return {name: [run.digest for run in laid_out.runs if run.stage == name] for name in laid_out.grid.stages}


def _append(name: str, text: str) -> Callable[[Path], None]:
    def change(book: Path) -> None:
        file = book / name
        file.write_text(file.read_text() + text)

    return change


def _replace(name: str, old: str, new: str) -> Callable[[Path], None]:
    def change(book: Path) -> None:
        text = (book / name).read_text()
        assert old in text
        (book / name).write_text(text.replace(old, new, 1))

    return change


@pytest.mark.parametrize(
    "change",
    [
        _append("nca/models.py", "#"),
        _append("nca/couplings/student.py", "#"),
        _replace("first.md", "random() for", "random()  for"),
        _replace("first.md", "scale: float = 1.0", "scale: float = 1.5"),
        _replace("data/song.wav", "samples", "Samples"),
    ],
    ids=["module", "module of a subpackage", "code", "parameter", "data"],
)
def test_one_byte_changes_a_run_and_what_builds_on_it(book: Path, change: Callable[[Path], None]) -> None:
    before = _identities(book)
    change(book)
    after = _identities(book)
    for stage in ("first", "second", "page"):
        assert not set(before[stage]) & set(after[stage])


def test_an_upstream_run_changes_only_what_builds_on_it(book: Path) -> None:
    before = _identities(book)
    _replace("second.md", "mean**n", "mean** n")(book)
    after = _identities(book)
    assert after["first"] == before["first"]
    assert not set(after["second"]) & set(before["second"])
    assert after["page"] != before["page"]


@pytest.mark.parametrize(
    "change",
    [
        _replace("first.md", "It draws numbers", "It draws pseudo-random numbers"),
        _append("nca/pages/figures.py", "#"),
        _append("nca/cli.py", "#"),
        _append("nca/errors.py", "#"),
        _append("nca/__init__.py", "#"),
        _append("nca/sweeps/store.py", "#"),
        lambda book: [file.write_text(file.read_text() + "#") for file in (book / "nca/pages/explorer").rglob("*.py")],
    ],
    ids=["prose", "plots", "command line", "errors", "the package's door", "sweeps", "explorer"],
)
def test_prose_plots_and_the_explorer_change_no_run(book: Path, change: Callable[[Path], object]) -> None:
    before = _identities(book)
    change(book)
    after = _identities(book)
    assert (after["first"], after["second"]) == (before["first"], before["second"])


@pytest.mark.parametrize(
    "change", [_replace("page.md", "A page", "The page"), _append("nca/pages/figures.py", "#")], ids=["prose", "plots"]
)
def test_prose_and_plots_change_a_page_and_nothing_else(book: Path, change: Callable[[Path], None]) -> None:
    before = _identities(book)
    change(book)
    after = _identities(book)
    assert after["page"] != before["page"]
    assert (after["first"], after["second"]) == (before["first"], before["second"])


@pytest.mark.parametrize(
    ("code", "reached", "missed"),
    [
        ("from nca import DAE", {"nca.models"}, {"nca.training.loop", "nca.metrics"}),
        ("import nca\nnca.tod_ratio(1)", {"nca.metrics"}, {"nca.training.loop", "nca.pages.figures"}),
        ("import nca.metrics as m\nm.snr", {"nca.metrics"}, {"nca.training.loop"}),
        ("from nca import couplings\ncouplings.student(1)", {"nca.couplings.student"}, {"nca.metrics"}),
        ("import nca.couplings\nnca.couplings.student(1)", {"nca.couplings.student"}, {"nca.metrics"}),
        ("import nca\nprint(nca)", {"nca", "nca.metrics", "nca.models", "nca.training.loop"}, {"nca.pages.figures"}),
        ("def f():\n    from nca import snr", {"nca.metrics"}, set()),
        ("import json, torch", set(), {"nca"}),
    ],
)
def test_names_are_followed_to_the_modules_that_define_them(code: str, reached: set[str], missed: set[str]) -> None:
    found = set(closure(code))
    assert reached <= found
    assert not missed & found


def test_identity_covers_every_package_module_that_python_itself_loads() -> None:
    """The oracle: what importing the names really loads, beyond packages' doors and what makes no numbers."""
    import subprocess
    import sys

    code = "from nca.couplings.student import student\nfrom nca.models import build"
    script = code + "\nimport sys; print(*[m for m in sys.modules if m.startswith('nca')])"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    found = closure(code)
    assert set(found) <= set(loaded)
    assert {"nca.couplings.student", "nca.models"} <= set(found)
    for name in set(loaded) - set(found):
        # what is loaded beyond is a door, makes no numbers, or came in through a door beside what was asked for
        assert not any(f"from {name} import" in path.read_text() for path in found.values()) or name.startswith(
            imports.WITHOUT_NUMBERS
        ), name


def test_where_a_run_computes_is_no_part_of_what_it_asks() -> None:
    asked = {"model": "DAE", "device": "cpu", "spectra": "store/a", "checkpoints": ""}
    assert question("train", asked) == question("train", asked | {"device": "cuda", "spectra": "b", "checkpoints": "c"})
    others = [("couple", asked), ("train", asked | {"model": "SF"}), ("train", asked | {"seed": 1})]
    assert question("train", asked) not in {question(*other) for other in others}


def test_whether_a_stage_reaches_torch(book: Path) -> None:
    stages = plan(book / "grid.yml").grid.stages
    assert uses_torch(stages["first"], ["nca"])  # through the package's modules
    assert not uses_torch(stages["second"], ["nca"])
    second = book / "second.md"
    second.write_text(second.read_text().replace("import json\n", "%matplotlib inline\nimport json\nimport torch\n", 1))
    assert uses_torch(plan(book / "grid.yml").grid.stages["second"], ["nca"])  # by itself, below a line of IPython's
