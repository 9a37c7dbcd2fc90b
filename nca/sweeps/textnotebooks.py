"""Text notebooks for papermill: `*.md` files in MyST format, read through jupytext.

The module is papermill's entry point (group `papermill.io`), so that `papermill x.md out.ipynb` and `papermill
--help-notebook x.md` work from papermill's own command line. papermill chooses a handler by the *beginning* of a path,
and a text notebook is known by its end; so importing this module teaches papermill's handler of local paths to read
them.
"""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat

from nca.errors import RunError


def read_notebook(path: str | Path) -> nbformat.NotebookNode:
    """The notebook in a MyST text file (`.md`) or a Jupyter file (`.ipynb`), with its kernel named.

    Raises:
        RunError: The file is missing, unreadable or not a notebook.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
        notebook = _parse(text, path.suffix)
    except (OSError, UnicodeDecodeError) as error:
        raise RunError(f"notebook {path} cannot be read ({error}); check the path in the grid file") from None
    except Exception as error:
        raise RunError(f"{path} is not a notebook that jupytext can read: {error}") from None
    if not any(cell.cell_type == "code" for cell in notebook.cells):
        raise RunError(f"notebook {path} has no code cells; a text notebook marks them with {{code-cell}}")
    return notebook


def _parse(text: str, suffix: str) -> nbformat.NotebookNode:
    import jupytext

    notebook = jupytext.reads(text, fmt="md:myst") if suffix == ".md" else nbformat.reads(text, as_version=4)
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook.metadata["kernelspec"] = {**kernel, **notebook.metadata.get("kernelspec", {})}
    notebook.metadata.setdefault("language_info", {"name": "python"})
    for cell in notebook.cells:
        cell.metadata.setdefault("tags", [])
    return notebook


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
