"""The book's configuration and its extensions, without a browser."""

import importlib.util
import inspect
import os
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from zipfile import ZipFile

import pytest
import yaml
from extensions import extension

ROOT = Path(__file__).parents[2]
pytest.importorskip("sphinx", reason="needs Jupyter Book")


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("TOD-R, Eq. (22).", {22}),
        ("after Eqs. 1 and 3, Sec. 4.1", {1, 3}),
        ("Eqs. (4)-(6)", {4, 5, 6}),
        ("Eqs. (2), (8) and (9): a mask", {2, 8, 9}),
        ("Table 3 of 50 songs, Sec. 4.2", set()),
    ],
)
def test_equations_that_prose_names(text: str, numbers: set[int]) -> None:
    assert set(extension("paper").named_equations(text)) == numbers


def documented(module: ModuleType) -> Iterator[str]:
    """The docstrings that autodoc puts into the API reference for a module, without the module's own."""
    listed = getattr(module, "__all__", None) or [
        name for name, each in vars(module).items() if getattr(each, "__module__", "") == module.__name__
    ]
    for member in (getattr(module, name) for name in listed if not name.startswith("_")):
        yield inspect.getdoc(member) or ""
        if inspect.isclass(member):
            yield from (inspect.getdoc(method) or "" for name, method in vars(member).items() if name[0] != "_")


def test_every_equation_of_the_paper_is_shown_once_and_named_by_what_implements_it() -> None:
    paper = extension("paper")
    pages = [path.read_text() for folder in ("book", "notebooks") for path in (ROOT / folder).glob("*.md")]
    shown = sorted(int(first or second) for page in pages for first, second in paper.LABEL.findall(page))
    assert shown == list(range(1, 23))
    listed = re.findall(r"automodule:: (nca[\w.]*)", (ROOT / "book" / "api.md").read_text())
    texts = [text for name in listed for text in documented(importlib.import_module(name))]
    assert {number for text in texts for number in paper.named_equations(text)} >= set(shown)


def test_only_icons_that_pages_name_are_kept(tmp_path: Path) -> None:
    (tmp_path / "_static" / "scripts").mkdir(parents=True)
    icons = tmp_path / "_static" / "scripts" / "fontawesome.js"
    icons.write_text(
        'x={bars:[448,512,["navicon"],"f0c9","M0 96"],"arrow-up":[384,512,[],"f062",["M1","M2"]],sun:[5,5,[],"f1","M"]}'
    )
    (tmp_path / "page.html").write_text('<i class="fa-solid fa-arrow-up"></i>')
    app = type("App", (), {"outdir": tmp_path})
    extension("icons").keep_used_icons(app, None)
    assert icons.read_text() == 'x={"arrow-up":[384,512,[],"f062",["M1","M2"]],}'


def test_only_thebes_own_scripts_are_left_out() -> None:
    """A widget's state, megabytes of base64 in a script, may hold any five letters."""
    state = SimpleNamespace(attributes={"type": "application/vnd.jupyter.widget-state+json", "body": "aThEbEz"})
    starter = SimpleNamespace(attributes={"body": "const THEBE_JS_URL = ''"})
    context = {"script_files": [state, starter], "css_files": []}
    extension("offline").leave_out_thebe(None, "page", "page.html", context, None)
    assert context["script_files"] == [state]


def test_assets_that_cannot_be_fetched_leave_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offline, tried = extension("offline"), []

    def fails(command: list[str], **kwargs: object) -> subprocess.CompletedProcess:
        tried.append(command)
        return subprocess.CompletedProcess(command, 1, "", "ERROR: no such wheel\n")

    monkeypatch.setattr(offline.subprocess, "run", fails)
    with pytest.raises(OSError, match="no such wheel"):
        offline.fetch(tmp_path)
    assert len(tried) == 1
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_without_pip_the_build_says_so_and_keeps_the_networks_mathjax(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    for name, value in {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path), "PIP_CONFIG_FILE": os.devnull}.items():
        monkeypatch.setenv(name, value)
    config = SimpleNamespace(html_static_path=[])
    extension("offline").use_local_assets(SimpleNamespace(srcdir=tmp_path), config)
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert "network" in said[0]
    assert vars(config) == {"html_static_path": [], "nb_ipywidgets_js": {"widgets.js": {}}}


def test_a_wheel_other_than_the_pinned_one_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ZipFile(tmp_path / "django_static_mathjax-3.2.2.1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("mathjax/static/mathjax/es5/tex-chtml.js", "another script")
    for name, value in {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path), "PIP_CONFIG_FILE": os.devnull}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(OSError, match="DO NOT MATCH THE HASHES"):
        extension("offline").fetch(tmp_path / "offline")
    assert not list(tmp_path.rglob("*.js"))


def test_contents_and_cited_works_exist() -> None:
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text())
    pages = [contents["root"]] + [chapter["file"] for part in contents["parts"] for chapter in part["chapters"]]
    for page in pages:
        source = page.replace("executed/", "notebooks/") if page.startswith("executed/") else page
        assert (ROOT / f"{source}.md").exists(), page
    keys = set(re.findall(r"^@\w+\{(\w+),", (ROOT / "book" / "references.bib").read_text(), re.MULTILINE))
    texts = [path.read_text() for folder in ("book", "notebooks") for path in (ROOT / folder).glob("*.md")]
    cited = {key for text in texts for found in re.findall(r"\{cite:[pt]\}`([^`]+)`", text) for key in found.split(",")}
    assert cited <= keys


def test_api_reference_lists_every_public_module_once_and_by_room() -> None:
    listed = re.findall(r"automodule:: (nca[\w.]*)", (ROOT / "book" / "api.md").read_text())
    assert len(listed) == len(set(listed))
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]["layers"]
    rooms = list(reversed(contract))
    places = [rooms.index(name.split(".")[1]) for name in listed]
    assert places == sorted(places)
    assert set(rooms) - {name.split(".")[1] for name in listed} == {"cli"}
    files = [path for room in ("analysis", "pages") for path in (ROOT / "nca" / room).glob("*.py")]
    assert {f"nca.{path.parent.name}.{path.stem}" for path in files if path.stem != "__init__"} <= set(listed)


def test_the_explorer_stays_small_and_without_a_framework() -> None:
    for path in (ROOT / "nca" / "pages" / "explorer" / "frontend").glob("*.js"):
        code = path.read_text()
        assert len(code.splitlines()) < 350, path.name
        assert not re.search(r"^\s*import |import\(|https?://", code, re.MULTILINE), path.name


def test_a_term_is_found_as_a_word_of_its_own_the_longest_first() -> None:
    found = extension("terms").pattern(["TOD-R", "mask", "couplings", "neural couplings", "band"])
    text = "Neural couplings of masks: TOD-R, not tod-r, unmasked, band-limited; bands."
    assert [each[0] for each in found.finditer(text)] == ["Neural couplings", "masks", "TOD-R", "bands"]
