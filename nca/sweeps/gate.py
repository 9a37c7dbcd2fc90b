"""Whether an executed notebook is whole: every code cell completed, none with an error."""

from pathlib import Path
from typing import Any

import nbformat

from nca.errors import RunError


def culprit(notebook: nbformat.NotebookNode) -> dict[str, Any] | None:
    """The first code cell that did not complete: its position, source, error and traceback; None if all completed.

    A cell has completed when the kernel has replied to it; its number alone is set as soon as it starts.
    """
    cells = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    for index, cell in enumerate(cells, start=1):
        errors = [output for output in cell.outputs if output.output_type == "error"]
        if errors:
            error = f"{errors[0].ename}: {errors[0].evalue}"
            return _cell(index, cell, error, list(errors[0].traceback))
        if cell.execution_count is None or "shell.execute_reply" not in cell.metadata.get("execution", {}):
            return _cell(index, cell, "it did not complete", [])
    return None


def _cell(index: int, cell: nbformat.NotebookNode, error: str, traceback: list[str]) -> dict[str, Any]:
    return {"cell": index, "source": cell.source, "error": error, "traceback": traceback}


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
            notebook = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
        except Exception as error:
            raise RunError(f"{path} is not a notebook ({error}); delete it and sweep again") from None
        if found := culprit(notebook):
            line = found["source"].strip().splitlines()[0]
            raise RunError(f"{path} is not whole: code cell {found['cell']} ({line!r}): {found['error']}")
    return len(notebooks)
