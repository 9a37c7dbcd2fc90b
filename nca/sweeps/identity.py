"""What makes a run the run that it is: code, parameters, modules, data, upstream runs, versions; and their digest."""

import re
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nca.support.digests import digest_of, file_digest
from nca.sweeps.imports import WITHOUT_NUMBERS, closure, libraries

if TYPE_CHECKING:  # pages read records, and need no reader of notebooks for it
    from nca.sweeps.grid import Stage

NUMERICAL = ("torch", "numpy", "scipy", "safetensors")
# to a page the figures belong; what executes it does not
WITHOUT_PAGES = ("nca.sweeps", "nca.cli")
# parameters that say where a run computes and keeps what it makes on its way, and nothing of what it asks
PLACES = ("spectra", "checkpoints", "device")


def stage_identity(stage: "Stage", packages: Iterable[str]) -> dict[str, Any]:
    """What all runs of a stage share: digest of the notebook's code, digests of its modules, versions.

    Of a page the prose counts as well, and the modules that draw.
    """
    code = _code(stage)
    modules = closure(_python(code), packages, WITHOUT_PAGES if stage.page else WITHOUT_NUMBERS)
    prose = [cell.source for cell in stage.notebook.cells if cell.cell_type != "code"]
    return {
        "code": digest_of([code, prose] if stage.page else code),
        "modules": {name: module_digest(path) for name, path in modules.items()},
        "versions": versions(),
    }


def uses_torch(stage: "Stage", packages: Iterable[str]) -> bool:
    """Whether a stage's notebook, or a module of `packages` that it reaches, imports torch."""
    python = _python(_code(stage))
    return "torch" in libraries(python, closure(python, packages).values())


def _python(code: list[str]) -> str:
    """The code without the lines that only IPython understands; they import nothing."""
    return re.sub(r"^[%!].*$", "", "\n".join(code), flags=re.MULTILINE)


def run_identity(common: Mapping[str, Any], parameters: Mapping[str, Any], upstream: Mapping[str, list[str]]) -> str:
    """The digest that names a run: `parameters` with data paths already replaced by digests, `upstream` as digests."""
    return digest_of([common, list(parameters.items()), upstream])


def question(stage: str, parameters: Mapping[str, Any]) -> str:
    """The digest of what a run asks, whatever the code that answers: its stage and parameters, data by their paths."""
    asked = {name: value for name, value in parameters.items() if name not in PLACES}
    return digest_of([stage, sorted(asked.items())])


def _code(stage: "Stage") -> list[str]:
    """The code cells without trailing spaces; the parameters cell without parameters, since their values count."""
    sources = [
        stage.cell.rest if "parameters" in cell.metadata.get("tags", []) else cell.source
        for cell in stage.notebook.cells
        if cell.cell_type == "code"
    ]
    return ["\n".join(line.rstrip() for line in source.strip().splitlines()) for source in sources]


def module_digest(path: Path) -> str:
    """SHA-256 of a source file, read again when its size or time of change differ."""
    stat = path.stat()
    return _remembered_digest(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=512)
def _remembered_digest(path: Path, size: int, changed: int) -> str:
    return file_digest(path)


@lru_cache(maxsize=1)
def versions() -> dict[str, str]:
    """Versions of Python (major and minor) and of the libraries that make numbers, without importing them."""
    found = {"python": f"{sys.version_info.major}.{sys.version_info.minor}"}
    for library in NUMERICAL:
        with suppress(PackageNotFoundError):
            found[library] = version(library)
    return found
