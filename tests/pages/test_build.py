"""The whole path at a tiny size: corpus, sweep over every notebook, tables, pages with warnings as errors."""

import json
import re
import shutil
from pathlib import Path

import nbformat
import pytest
import safetensors.torch
import torch
from bs4 import BeautifulSoup

from nca.analysis.strategies import STRATEGIES
from nca.errors import RunError
from nca.pages.build import build_pages, make_book
from nca.pages.figures import shows
from nca.sweeps import check_executed, plan, sweep
from nca.sweeps.grid import read_grid
from nca.training import Spleeter

ROOT = Path(__file__).parents[2]
TINY = {"seed": 0, "epochs": 1, "iterations": 3, "frames": 60, "song": -1, "segment": 0}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, demo_songs: Path) -> Path:
    """A copy of what the book is made from, with a tiny corpus, and the book made of it."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("_config.yml", "_toc.yml"):
        shutil.copy(ROOT / name, folder)
    for name in ("book", "notebooks"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("*.ipynb", "__pycache__"))
    shutil.copytree(demo_songs, folder / "data" / "demo")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert make_book(4, 4.0, 1, TINY) == folder / "_build/html/index.html"
    return folder


def test_every_notebook_was_executed_and_every_page_built(project):
    pages = {path.stem for path in (project / "executed").glob("*.ipynb")}
    runs = {path.parent.parent.name for path in (project / "store" / "demo").glob("*/*/record.json")}
    assert runs == pages | {"train", "couple"}
    built = {path.stem for path in (project / "_build/html/executed").glob("*.html")}
    assert built == pages
    front = (project / "_build/html/index.html").read_text()
    assert "executed/front.html" in front


def test_every_equation_leads_to_its_code_and_back(project):
    """In the built pages: from each equation of the paper to what implements it, and from there to the equation."""
    api = BeautifulSoup((project / "_build/html/book/api.html").read_text(), "html.parser")
    pages = [BeautifulSoup(path.read_text(), "html.parser") for path in (project / "_build/html").rglob("*.html")]
    for number in range(1, 23):
        (equation,) = [page.find(id=f"equation-eq-{number}") for page in pages if page.find(id=f"equation-eq-{number}")]
        assert f"({number})" in equation.text
        in_code = equation.find_next(class_="in-code")
        assert in_code.find_previous(id=re.compile("^equation-")) is equation, number
        for link in in_code.find_all("a"):
            described = api.find(id=link["href"].partition("#")[2]).parent
            assert described.find("a", href=re.compile(f"#equation-eq-{number}$")), (number, link["href"])


@pytest.fixture
def drawn_spleeter(tmp_path, monkeypatch):
    """In place of the weights that `nca fetch spleeter` brings, random ones."""
    (tmp_path / "nca").mkdir()
    torch.manual_seed(0)
    safetensors.torch.save_file(Spleeter().state_dict(), tmp_path / "nca/spleeter.safetensors")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def test_every_other_grid_runs_too(project, drawn_spleeter, monkeypatch):
    monkeypatch.chdir(project)
    tiny = {**TINY, "data": "data/demo", "model": "DAE", "strategy": "student"}
    tiny |= {"strategies": ["student"], "trials": {"Adam": {}}, "places": [[-1, 0], [-1, 1], [0, 0]]}
    few = {"frames": 64, "length": 64, "start": 7, "step": 40, "bands": 3}
    own = {"size": {"rate": 5512, "songs": 1, "places": [[-1, 0]]}, "spleeter": few}  # of one grid alone
    executed = set()
    for grid in (project / "notebooks").glob("*.yml"):
        known = {name for stage in read_grid(grid).stages.values() for name in stage.cell.parameters}
        settings = TINY if grid.stem == "demo" else {name: tiny[name] for name in known & set(tiny)}
        settings = settings | own.get(grid.stem, {})
        assert sweep(grid, settings, progress=False).complete
        executed |= {stage.path.name for stage in plan(grid, settings).grid.stages.values()}
    assert executed == {path.name for path in (ROOT / "notebooks").rglob("*.md")}


def test_tables_hold_every_strategy_and_model_with_their_parameters(project):
    tables = json.loads((project / "results/tables.json").read_text())
    for table in ("table-1", "table-2", "table-3"):
        assert {"student", "compositional", "linear composition"} <= set(tables[table])
        assert set(tables[table]["student"]) == {"DAE", "MSS-DAE", "SF"}
        assert set(tables[table]["student"]["SF"]) == {"mean", "std", "count"}
    assert "model output" in tables["table-3"]
    assert tables["parameters"]["iterations"] == [3]
    assert set(tables["parameters"]["strategies"][0]) <= set(STRATEGIES)


def test_made_again_nothing_runs(project, monkeypatch):
    monkeypatch.chdir(project)
    made = [*(project / "store" / "demo").glob("*/*/record.json"), project / "book/_static/found.png"]
    before = [path.stat().st_mtime_ns for path in made]
    make_book(4, 4.0, 1, TINY)
    assert [path.stat().st_mtime_ns for path in made] == before


def test_the_picture_that_the_readme_shows_is_the_books_own(project, monkeypatch):
    monkeypatch.chdir(project)
    picture = project / "book/_static/found.png"
    whole = picture.read_bytes()
    picture.write_bytes(whole[: len(whole) // 2])
    make_book(4, 4.0, 1, TINY)
    assert shows(picture, whole)


def test_a_failed_cell_stops_the_build_with_its_name(project, tmp_path):
    for name in ("unexecuted", "raising"):
        page = nbformat.read(project / "executed" / "results.ipynb", 4)
        cell = next(cell for cell in page.cells if cell.cell_type == "code")
        cell.execution_count = None if name == "unexecuted" else 1
        if name == "raising":
            cell.outputs = [nbformat.v4.new_output("error", ename="ValueError", evalue="no such band", traceback=[])]
        nbformat.write(page, tmp_path / f"{name}.ipynb")
        with pytest.raises(RunError, match=name):
            check_executed(tmp_path)
        (tmp_path / f"{name}.ipynb").unlink()


def test_a_broken_page_stops_the_build(project):
    page = project / "book" / "cite.md"
    whole = page.read_text()
    page.write_text("# Cite\n\n{ref}`nowhere-at-all`\n")
    with pytest.raises(RunError, match="does not build"):
        build_pages(project)
    page.write_text(whole)


def test_outside_the_project_the_book_says_where_to_go(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RunError, match="go to the root of the project"):
        make_book(4, 4.0, 1, {})


def test_the_grids_of_the_project_hold_together(monkeypatch, demo_songs, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in ("book", "notebooks"):
        (tmp_path / name).symlink_to(ROOT / name)
    for grid in sorted((ROOT / "notebooks").glob("*.yml")):
        known = {name for stage in read_grid(grid).stages.values() for name in stage.cell.parameters}
        assert plan(grid, {"data": str(demo_songs)} if "data" in known else {}).runs
