"""The notebooks that sweeps run, executed cell by cell in this process, where a test can look into them."""

from pathlib import Path
from typing import Any

from nca.sweeps.notebooks import read_notebook

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


def execute(name: str, **parameters: Any) -> dict[str, Any]:
    """The variables of a worker notebook after its last cell, its parameters replaced as papermill replaces them."""
    variables: dict[str, Any] = {}
    for cell in read_notebook(NOTEBOOKS / name).cells:
        if cell.cell_type == "code":
            exec(compile(cell.source, name, "exec"), variables)
            if "parameters" in cell.metadata["tags"]:
                assert set(parameters) <= set(variables)
                variables |= parameters
    return variables
