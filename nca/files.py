"""Files that are whole or absent: written under a temporary name, flushed to disk, renamed."""

import json
import os
from pathlib import Path
from threading import get_ident
from typing import Any

from nca.errors import DataError


def write_bytes(path: Path | str, content: bytes) -> None:
    """Write `content` to `path` so that a reader finds the old file or the whole new one, whatever happens."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{get_ident()}")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path | str, content: Any) -> None:
    """Write JSON as :func:`write_bytes` does, indented for people."""
    write_bytes(path, (json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode())


def read_json(path: Path | str) -> Any:
    """Read what :func:`write_json` wrote.

    Raises:
        DataError: where the file is missing or is not JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as JSON ({error}); make it again.") from error
