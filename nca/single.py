"""One notebook, run once: for a song, a data set or a setting of one's own."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
from papermill.exceptions import PapermillExecutionError

from nca import errors
from nca.sweeps.kernels import NotebookProcess
from nca.sweeps.parameters import check, parameters_cell
from nca.sweeps.textnotebooks import read_notebook


def run_notebook(path: Path | str, out: Path | str, parameters: Mapping[str, Any]) -> Path:
    """Execute a text notebook and return the folder `out`, which then holds the notebook and all that it left.

    Args:
        path: of the notebook.
        out: a folder that does not exist yet; it appears when the notebook has ended, whole.
        parameters: by name, judged against the notebook's parameters cell before it runs.

    Raises:
        NCAError: what the notebook raised, if it is a named error; a RunError for any other, with the cell's traceback
            kept nowhere but in its message.
        ParameterError: for a parameter that the notebook does not have, or a value of the wrong type.
        RunError: where `out` exists.
    """
    path, out = Path(path), Path(out)
    if out.exists():
        raise errors.RunError(f"{out} exists already; choose another folder or remove it.")
    notebook = read_notebook(path)
    check(parameters_cell(notebook, path.name).parameters, parameters, f"notebook {path.name}")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent, ignore_cleanup_errors=True) as made:
        _execute(notebook, path.name, Path(made), parameters)
        os.rename(made, out)
        os.mkdir(made)  # for the context to remove
    return out


def _execute(notebook: nbformat.NotebookNode, name: str, folder: Path, parameters: Mapping[str, Any]) -> None:
    arguments = {**parameters, "out": str(folder)}
    try:
        NotebookProcess(notebook, folder / "notebook.ipynb", arguments, Path.cwd(), os.environ).run(None, None)
    except PapermillExecutionError as failed:
        named = getattr(errors, failed.ename, errors.RunError)
        where = "" if hasattr(errors, failed.ename) else f"{name} stopped in cell {failed.exec_count}: {failed.ename}: "
        raise named(f"{where}{failed.evalue}") from None
