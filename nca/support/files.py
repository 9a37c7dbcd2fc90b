"""Files that are complete or absent: written under a temporary name, flushed to disk, renamed."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from threading import get_ident
from typing import Any

from nca.errors import DataError
from nca.support.kinds import check_kinds, check_rows


def write_bytes(path: Path | str, content: bytes) -> None:
    """Write `content` to `path` so that a reader finds the old file or the complete new one, whatever happens."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{get_ident()}")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        flush_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def flush_folder(folder: str | Path) -> None:
    """Write a folder's list of names to disk, so that a file renamed in it has its name after a power cut too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def new_folder(path: Path | str) -> Path | str:
    """See that nothing that was found before lies in a folder and would be written over; returns `path`.

    Raises:
        DataError: where it holds anything but notebooks and hidden files.
    """
    there = sorted(one.name for one in Path(path).iterdir()) if Path(path).is_dir() else []
    if found := [name for name in there if not name.startswith(".") and not name.endswith(".ipynb")]:
        raise DataError(f"{path} holds {found[0]} already; give another folder for `out`, or remove it.")
    return path


def write_json(path: Path | str, content: Any, allow_nan: bool = False) -> None:
    """Write JSON as :func:`write_bytes` does, indented for people.

    Raises:
        ValueError: for NaN and infinities, which are no JSON, unless they are allowed.
    """
    write_bytes(path, (json.dumps(content, indent=1, ensure_ascii=False, allow_nan=allow_nan) + "\n").encode())


def read_json(path: Path | str, kinds: Mapping[str, str] | None = None) -> Any:
    """Read what :func:`write_json` wrote.

    Args:
        kinds: the names that must be in it, each with the annotation of its value.

    Raises:
        DataError: where the file is missing, is not JSON, or lacks one of `kinds`.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} cannot be read as JSON ({error}); make it again.") from error
    if kinds is not None:
        check_kinds(content, kinds, str(path))
    return content


def read_rows(path: Path | str, kinds: Mapping[str, str]) -> list[dict[str, Any]]:
    """Read a list of rows, such as a run's `results.json`, each of which has the names of `kinds`.

    Raises:
        DataError: where the file is missing, is not JSON, or is no such list.
    """
    rows = read_json(path)
    if not isinstance(rows, list):
        raise DataError(f"{path} is not a list of rows; make it again.")
    check_rows(rows, kinds, str(path))
    return rows
