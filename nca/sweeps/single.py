"""One notebook, run once: for a song, a data set or a setting of one's own."""

import io
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
from papermill.exceptions import PapermillExecutionError

from nca import errors
from nca.support.devices import check_device
from nca.sweeps.kernels import NotebookProcess
from nca.sweeps.meaning import check_songs, check_values, uses_package
from nca.sweeps.notebooks import name_finally, read_notebook
from nca.sweeps.parameters import check, parameters_cell
from nca.sweeps.store import NOTEBOOK, OPEN
from nca.sweeps.values import one_value


def run_notebook(path: Path | str, out: Path | str, parameters: Mapping[str, Any]) -> Path:
    """Execute a text notebook and return the folder `out`, which then holds the notebook and all that it left.

    What the notebook prints appears on standard error while it runs, bars of progress only on a terminal.

    Args:
        path: of the notebook.
        out: a folder that does not exist yet; it appears, complete, when the notebook has ended.
        parameters: by name, values or texts as on the command line, judged against the notebook's parameters cell.

    Raises:
        NCAError: what the notebook raised, if it is a named error; a RunError for any other, with the cell's traceback
            kept nowhere but in its message.
        ParameterError: for a parameter that the notebook does not have, a value of the wrong type or that no run can
            use, or a `device` that this machine does not have.
        RunError: where `out` exists or cannot be written.
    """
    path, out = Path(path), Path(out)
    if out.exists():
        raise errors.RunError(f"{out} exists already; choose another folder or remove it.")
    notebook = read_notebook(path)
    chosen = _judged(notebook, path.name, parameters)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent, ignore_cleanup_errors=True) as made:
            _execute(notebook, path.name, Path(made), chosen)
            name_finally(Path(made, NOTEBOOK), [made, str(Path(made))], str(out))
            os.chmod(made, OPEN)
            os.rename(made, out)
            os.mkdir(made)  # for the context to remove
    except OSError as error:
        reason = error.strerror or error
        raise errors.RunError(f"{out} cannot be written ({reason}); free space or choose another folder.") from error
    return out


def _judged(notebook: nbformat.NotebookNode, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The values of parameters, each of the parameter's type and one that a run can use."""
    known, where = parameters_cell(notebook, name).parameters, f"notebook {name}"
    values = {
        one: one_value(known[one].kind, value) if one in known and isinstance(value, str) else value
        for one, value in given.items()
    }
    check(known, values, where)
    if uses_package(notebook):
        check_values(known, values, where)
        check_songs([{one: parameter.default for one, parameter in known.items()} | values], where)
    if "device" in values:
        check_device(str(values["device"]))
    return values


def _execute(notebook: nbformat.NotebookNode, name: str, folder: Path, parameters: Mapping[str, Any]) -> None:
    arguments = {**parameters, "out": str(folder)}
    process = NotebookProcess(notebook, folder / NOTEBOOK, arguments, Path.cwd(), os.environ, shown=_Shown())
    try:
        process.run(None, None)
    except PapermillExecutionError as failed:
        named = getattr(errors, failed.ename, errors.RunError)
        where = "" if hasattr(errors, failed.ename) else f"{name} stopped in cell {failed.exec_count}: {failed.ename}: "
        raise named(f"{where}{failed.evalue}") from None
    except BaseException:
        process.kill()
        raise


class _Shown(io.StringIO):
    """Standard error, for what a notebook prints: in a file without bars of progress, which begin a line again."""

    def write(self, text: str) -> int:
        if sys.stderr.isatty() or not text.startswith("\r"):
            sys.stderr.write(text)
            sys.stderr.flush()
        return len(text)
