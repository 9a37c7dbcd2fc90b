"""What makes a run the run that it is: code, parameters, modules, data, upstream runs, versions; and their digest."""

import hashlib
import json
import re
import sys
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import nbformat

from nca.sweeps.grid import Stage
from nca.sweeps.imports import closure, libraries

NUMERICAL = ("torch", "numpy", "scipy", "safetensors")
# to a page the figures belong; what executes it does not
WITHOUT_PAGES = ("nca.sweeps", "nca.cli")


def digest_of(content: Any) -> str:
    """SHA-256 of a JSON-able value in one canonical spelling; the order of mappings counts."""
    return hashlib.sha256(json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()


def stage_identity(stage: Stage, packages: Iterable[str]) -> dict[str, Any]:
    """What all runs of a stage share: digest of the notebook's code, digests of its modules, versions.

    Of a page the prose counts as well, and the modules that draw.
    """
    code = code_of(stage.notebook, stage.cell.rest)
    without = {"without": WITHOUT_PAGES} if stage.page else {}
    modules = closure(_python(code), packages, **without)
    prose = [cell.source for cell in stage.notebook.cells if cell.cell_type != "code"] if stage.page else []
    return {
        "code": digest_of([code, prose] if stage.page else code),
        "modules": {name: module_digest(path) for name, path in modules.items()},
        "versions": versions(),
    }


def uses_torch(stage: Stage, packages: Iterable[str]) -> bool:
    """Whether a stage's notebook, or a module of `packages` that it reaches, imports torch."""
    python = _python(code_of(stage.notebook, stage.cell.rest))
    return "torch" in libraries(python, closure(python, packages).values())


def _python(code: list[str]) -> str:
    """The code without the lines that only IPython understands; they import nothing."""
    return re.sub(r"^[%!].*$", "", "\n".join(code), flags=re.MULTILINE)


def run_identity(common: Mapping[str, Any], parameters: Mapping[str, Any], upstream: Mapping[str, list[str]]) -> str:
    """The digest that names a run: `parameters` with data paths already replaced by digests, `upstream` as digests."""
    return digest_of([common, list(parameters.items()), upstream])


def code_of(notebook: nbformat.NotebookNode, rest: str = "") -> list[str]:
    """The code cells without trailing spaces; of the parameters cell only `rest`, since its values count as values."""
    sources = [
        rest if "parameters" in cell.metadata.get("tags", []) else cell.source
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]
    return ["\n".join(line.rstrip() for line in source.strip().splitlines()) for source in sources]


def module_digest(path: Path) -> str:
    """SHA-256 of a source file, read again when its size or time of change differ."""
    stat = path.stat()
    return _file_digest(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=512)
def _file_digest(path: Path, size: int, changed: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@lru_cache(maxsize=1)
def versions() -> dict[str, str]:
    """Versions of Python (major and minor) and of the libraries that make numbers, without importing them."""
    found = {"python": f"{sys.version_info.major}.{sys.version_info.minor}"}
    for library in NUMERICAL:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found
