"""The digest of a data set: of every file's name and content below a path, remembered by size and time of change."""

import hashlib
import json
import time
from pathlib import Path
from typing import Any

from nca.errors import DataError
from nca.files import write_json

# a file changed this recently may change again within the clock's resolution: its digest is not remembered
_SETTLED = 2.0


class DataDigests:
    """Digests of files and folders, with a memory in a JSON file so that unchanged files are read once.

    Args:
        memory: The JSON file; damaged or absent means that everything is read again.
    """

    def __init__(self, memory: Path) -> None:
        self._memory = memory
        self._known: dict[str, list[Any]] = _load(memory)
        self._digests: dict[str, str] = {}
        self._news = False

    def __call__(self, path: str) -> str:
        """SHA-256 over the sorted relative names and contents of all files below `path` (or of the one file).

        Raises:
            DataError: Nothing is there, or it cannot be read.
        """
        if path not in self._digests:
            self._digests[path] = self._digest(Path(path))
        return self._digests[path]

    def save(self) -> None:
        """Write the memory, if anything was learnt."""
        if self._news:
            write_json(self._memory, self._known)
            self._news = False

    def _digest(self, path: Path) -> str:
        if not path.exists():
            raise DataError(f"data {path} does not exist; make it first, or correct the path in the grid file")
        files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
        whole = hashlib.sha256()
        try:
            for file in files:
                whole.update(f"{file.relative_to(path).as_posix()}\0{self._file(file)}\n".encode())
        except OSError as error:
            raise DataError(f"data {path} cannot be read ({error})") from None
        return whole.hexdigest()

    def _file(self, file: Path) -> str:
        key, stat = str(file.resolve()), file.stat()
        known = self._known.get(key)
        if known and known[:2] == [stat.st_size, stat.st_mtime_ns]:
            return known[2]
        with open(file, "rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        if time.time() - stat.st_mtime > _SETTLED:
            self._known[key] = [stat.st_size, stat.st_mtime_ns, digest]
            self._news = True
        return digest


def _load(memory: Path) -> dict[str, list[Any]]:
    try:
        known = json.loads(memory.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}
