"""A page by itself: what a downloaded notebook takes, where only the package is there, in place of a sweep's runs."""

import ast
from importlib import metadata
from pathlib import Path
from typing import Any

import nbformat

from nca.data.demo import make_corpus
from nca.errors import DataError, RunError
from nca.sweeps import plan, sweep

GRID = "notebooks/alone.yml"
ROOT = Path(__file__).parents[2]  # of the project, where the package is imported from its checkout
STAGES = {
    "train": "the three networks that come with the package take the place of its trainings",
    "couple": "their couplings on one real song, after 60 iterations, that of its couplings",
}
SMALL = {"song": -1, "segment": 0, "iterations": 60}


def shipped(path: str) -> str:
    """A record or grid of the project, such as `book/records/size.json`: here, in a checkout, or as pip installed it.

    Raises:
        DataError: where there is none.
    """
    installed = [file.locate() for file in metadata.files("nca") or [] if str(file).endswith(f"share/nca/{path}")]
    for place in (Path(path), ROOT / path, *map(Path, installed)):
        if place.is_file():
            return str(place)
    raise DataError(f"There is no {path}, neither here nor beside the package; install nca from its own folder.")


def runs(stage: str) -> list[str]:
    """The folders of the runs that stand in for those of a stage of the demo book, made below `store/alone`.

    Raises:
        RunError: where one of them fails.
    """
    grid = shipped(GRID)
    summary = sweep(grid, stages=[stage])
    if not summary.complete:
        raise RunError(summary.reasons[0])
    laid_out = plan(grid, stages=[stage])
    return [str(laid_out.folder(run)) for run in laid_out.runs if run.stage == stage]


def songs() -> str:
    """The folder of a small demo corpus, made below `data`: three songs to train on and one to test on."""
    return str(make_corpus("data/alone", songs=4, seconds=8, seed=0))


def stand_alone(notebook: nbformat.NotebookNode, package: str = "") -> nbformat.NotebookNode:
    """An executed page as a notebook to run in an empty folder: no outputs, and parameters that find what they need.

    Args:
        notebook: as papermill left it.
        package: what pip installs the package from; a cell does so where it is given.
    """
    alone, given, cells = nbformat.from_dict(notebook), {}, []
    for cell in alone.cells:
        if "injected-parameters" in cell.metadata.get("tags", []):
            given = _assignments(cell.source)
            continue
        cell.metadata = {name: value for name, value in cell.metadata.items() if name in ("tags", "mystnb")}
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        cells.append(cell)
    where = next((i for i, cell in enumerate(cells, 1) if "parameters" in cell.metadata.get("tags", [])), 0)
    lines = [_line(name, value) for name, value in given.items() if name != "out"]
    if lines:
        source = "\n".join(["from nca.pages import alone", "", *lines])
        cells.insert(where, nbformat.v4.new_code_cell(source, id="alone-parameters"))
    install = [nbformat.v4.new_code_cell(f'%pip install -q "{package}"', id="alone-install")] if package else []
    alone.cells = [nbformat.v4.new_markdown_cell(_says(given), id="alone"), *install, *cells]
    alone.metadata = {"kernelspec": notebook.metadata.get("kernelspec", {})}
    return alone


def _assignments(source: str) -> dict[str, Any]:
    statements = [each for each in ast.parse(source).body if isinstance(each, ast.Assign)]
    return {ast.unparse(each.targets[0]): ast.literal_eval(each.value) for each in statements}


def _stage(value: Any) -> str | None:
    """The stage whose run, or runs, a parameter names."""
    first = value[0] if isinstance(value, list) and value else value
    parts = Path(first).parts if isinstance(first, str) else ()
    return parts[-2] if len(parts) > 2 and parts[0] == "store" and parts[-2] in STAGES else None


def _is_file(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(("book/", "notebooks/"))


def _line(name: str, value: Any) -> str:
    if stage := _stage(value):
        return f"{name} = alone.runs({stage!r})" + ("" if isinstance(value, list) else "[0]")
    if _is_file(value):
        return f"{name} = alone.shipped({value!r})"
    if name == "data":
        return "data = alone.songs()"
    if name == "store":
        return "store = 'store/alone'"
    return f"{name} = {SMALL.get(name, value)!r}"


def _says(given: dict[str, Any]) -> str:
    """What the first cell tells a reader."""
    says = list(dict.fromkeys(STAGES[stage] for stage in map(_stage, given.values()) if stage))
    says += ["a small corpus, synthesised here, that of its songs"] if "data" in given else []
    records = " Its recorded figures are read from the package." if any(map(_is_file, given.values())) else ""
    text = "**A page of *Neural Couplings*, to run by itself.** It needs the package `nca` with its extra `book` alone."
    if not says:
        return text + records
    instead = f" The book draws it from the runs of a sweep; here {', '.join(says)}. So its numbers are not the book's."
    return text + instead + records
