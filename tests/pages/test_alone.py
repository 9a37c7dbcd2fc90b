"""Downloaded pages run by themselves: in an empty folder, with the package as pip installs it."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import nbformat
import pytest
from papermill.parameterize import parameterize_notebook

from nca.errors import DataError
from nca.pages import alone
from nca.sweeps.grid import Stage, read_grid

ROOT = Path(__file__).parents[2]
GRID = read_grid(ROOT / "notebooks/demo.yml")
PAGES = {name: stage for name, stage in GRID.stages.items() if stage.page or stage.example}
EXECUTE = """
import sys, nbclient, nbformat
for path in sys.argv[1:]:
    notebook = nbformat.read(path, as_version=4)
    print(path, flush=True)
    nbclient.NotebookClient(notebook, timeout=600, kernel_name="python3").execute()
"""


def downloaded(stage: Stage) -> nbformat.NotebookNode:
    """The page as a reader downloads it, from one as papermill leaves it."""
    runs = {name: [f"store/demo/{each}/a-run" for each in need.stages] for name, need in stage.needs.items()}
    given = {name: found if stage.needs[name].many else found[0] for name, found in runs.items()}
    defaults = {name: parameter.default for name, parameter in stage.cell.parameters.items()}
    chosen = defaults | next(iter(stage.axes)) | given | {"out": "store/demo/page"}
    notebook = nbformat.from_dict(stage.notebook)
    notebook.metadata["papermill"] = {}
    return alone.stand_alone(parameterize_notebook(notebook, chosen))


@pytest.mark.parametrize("name", PAGES)
def test_no_download_names_what_a_sweep_left(name: str) -> None:
    cells = downloaded(PAGES[name]).cells
    assert cells[0].cell_type == "markdown"
    assert "to run by itself" in cells[0].source
    given = next((cell.source for cell in cells if cell.get("id") == "alone-parameters"), "")
    assert "store/demo" not in given
    for named in ("trained", "coupled", "data"):
        if f"{named} = " in given:
            assert f"{named} = alone." in given


def test_what_stands_in_for_runs_has_their_strategies() -> None:
    stands_in = read_grid(ROOT / alone.GRID).stages["couple"]
    assert next(iter(stands_in.axes))["strategies"] == next(iter(GRID.stages["couple"].axes))["strategies"]


def test_where_the_package_is_installed_from_a_cell_does_so() -> None:
    notebook = alone.stand_alone(downloaded(PAGES["question"]), "nca @ somewhere")
    assert notebook.cells[1].source == '%pip install -q "nca @ somewhere"'


def test_a_file_that_is_not_shipped_is_a_named_error() -> None:
    assert Path(alone.shipped("book/records/size.json")).samefile(ROOT / "book/records/size.json")
    with pytest.raises(DataError, match=r"There is no book/records/none\.json"):
        alone.shipped("book/records/none.json")


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A Python that has the package from a wheel, and what it needs from this environment."""
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("nca", "notebooks", "book/records"):
        shutil.copytree(ROOT / name, tmp_path / name)
    wheel = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", tmp_path, tmp_path]
    subprocess.run(wheel, check=True)
    venv.create(tmp_path / "env", with_pip=False, symlinks=True)
    python = tmp_path / "env/bin/python"
    (library,) = tmp_path.glob("env/lib/python*/site-packages")
    (library / "needed.pth").write_text(sysconfig.get_path("purelib"))
    (file,) = tmp_path.glob("nca-*.whl")
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps", "--ignore-installed", file]
    subprocess.run(pip, check=True)
    return python


@pytest.mark.slow
def test_every_download_executes_in_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    for name, stage in PAGES.items():
        nbformat.write(downloaded(stage), folder / f"{name}.ipynb")
    names = [f"{name}.ipynb" for name in PAGES]
    environment = os.environ | {"PYTHONPATH": "", "OMP_NUM_THREADS": "1"}
    ran = subprocess.run(
        [installed, "-c", EXECUTE, *names], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr[-3000:]


def test_a_notebook_without_parameters_runs_alone_as_it_is() -> None:
    cells = [nbformat.v4.new_markdown_cell("# A page"), nbformat.v4.new_code_cell("1 + 1")]
    given = alone.stand_alone(nbformat.v4.new_notebook(cells=cells))
    assert [cell.source for cell in given.cells[1:]] == ["# A page", "1 + 1"]
