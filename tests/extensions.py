"""The book's Sphinx extensions, which are modules of no package."""

import importlib.util
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[1]


def extension(name: str) -> ModuleType:
    found = importlib.util.spec_from_file_location(f"book_{name}", ROOT / "book" / "_ext" / f"{name}.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module
