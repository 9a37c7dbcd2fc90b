"""Notebooks as text for papermill, and whether an executed one is complete.

Text notebooks are `*.md` files in MyST format, read through jupytext. The module is papermill's entry point (group
`papermill.io`), so that `papermill x.md out.ipynb` and `papermill --help-notebook x.md` work from papermill's own
command line. papermill chooses a handler by the *beginning* of a path, and a text notebook is known by its end; so
importing this module teaches papermill's handler of local paths to read them.
"""

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import nbformat

from nca.errors import RunError

_KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}


def read_notebook(path: str | Path) -> nbformat.NotebookNode:
    """The notebook in a MyST text file (`.md`) or a Jupyter file (`.ipynb`), with its kernel named.

    Raises:
        RunError: The file is missing, unreadable or not a notebook.
    """
    path = Path(path)
    try:
        notebook = _parse(path.read_text(encoding="utf-8"), path.suffix)
    except (OSError, UnicodeDecodeError) as error:
        raise RunError(f"notebook {path} cannot be read ({error}); check the path") from None
    except Exception as error:
        reason = str(error).strip().partition("\n")[0]
        raise RunError(f"{path} is not a notebook that jupytext can read: {reason}") from None
    if not any(cell.cell_type == "code" for cell in notebook.cells):
        raise RunError(f"notebook {path} has no code cells; a text notebook marks them with {{code-cell}}")
    return notebook


def _parse(text: str, suffix: str) -> nbformat.NotebookNode:
    import jupytext

    notebook = jupytext.reads(text, fmt="md:myst") if suffix == ".md" else nbformat.reads(text, as_version=4)
    notebook.metadata["kernelspec"] = _KERNEL | notebook.metadata.get("kernelspec", {})
    notebook.metadata.setdefault("language_info", {"name": "python"})
    for cell in notebook.cells:
        cell.metadata.setdefault("tags", [])
    nbformat.validate(notebook)
    return notebook


def first_incomplete(notebook: nbformat.NotebookNode) -> dict[str, Any] | None:
    """The first code cell that did not complete: its position, source, error and traceback; None if all completed.

    A cell has completed when the kernel has replied to it; its number alone is set as soon as it starts.
    """
    cells = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    for index, cell in enumerate(cells, start=1):
        here = {"cell": index, "source": cell.source}
        for output in cell.outputs:
            if output.output_type == "error":
                return here | {"error": f"{output.ename}: {output.evalue}", "traceback": list(output.traceback)}
        if cell.execution_count is None or "shell.execute_reply" not in cell.metadata.get("execution", {}):
            return here | {"error": "it did not complete", "traceback": []}
    return None


def name_finally(notebook: Path, names: Sequence[str], final: str) -> None:
    """Let an executed notebook speak of the folder that it ends in, not of that of the attempt."""
    if notebook.is_file():
        text = notebook.read_text(encoding="utf-8")
        for name in names:
            text = text.replace(name, final)
        notebook.write_text(text, encoding="utf-8")


def check_executed(folder: str | Path) -> int:
    """See that every notebook in `folder` was executed to its end; returns how many there are.

    Raises:
        RunError: There are none, one cannot be read, or a code cell failed or did not complete.
    """
    notebooks = sorted(Path(folder).rglob("*.ipynb"))
    if not notebooks:
        raise RunError(f"{folder} holds no executed notebooks; sweep the book's grid first")
    for path in notebooks:
        try:
            found = first_incomplete(nbformat.read(path, as_version=4))
        except Exception as error:
            raise RunError(f"{path} is not a notebook ({error}); delete it and sweep again") from None
        if found:
            line = found["source"].strip().splitlines()[0]
            raise RunError(f"{path} is incomplete: code cell {found['cell']} ({line!r}): {found['error']}")
    return len(notebooks)


class MystHandler:
    """Read access to MyST notebooks in papermill's terms; papermill registers the class, not an instance."""

    @staticmethod
    def read(path: str) -> str:
        """The text notebook as the JSON of a Jupyter notebook, which is what papermill goes on with."""
        return nbformat.writes(read_notebook(path))

    @staticmethod
    def pretty_path(path: str) -> str:
        return path


def _reading_text(read: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda path: MystHandler.read(path) if str(path).endswith(".md") else read(path)


def _teach_papermill() -> None:
    # papermill imports this module while its own is half loaded, or is imported here: the handlers exist in both cases
    from papermill.iorw import papermill_io

    local = papermill_io.get_handler("local")
    local.read = _reading_text(local.read)
    warnings.filterwarnings("ignore", r"The specified file \(.*\.md\) does not end in")


_teach_papermill()
