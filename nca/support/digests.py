"""Digests: of a value, of a file, and of all files of a data set, which are read again only when they change."""

import hashlib
import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from nca.errors import DataError, ParameterError
from nca.support.files import read_json, write_json

# a file changed this recently may change again within the clock's resolution: its digest is not remembered
_SETTLED = 2.0


def digest_of(content: Any) -> str:
    """SHA-256 of a JSON-able value in one canonical spelling, as hex digits; the order of mappings counts."""
    return hashlib.sha256(json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()


def seeded_choice(choices: int, *key: Any) -> int:
    """One of 0, 1, ... `choices` - 1, at random by a JSON-able key: the same wherever the key is the same.

    The first eight bytes of the SHA-256 of the key, its mappings sorted by name, modulo the number of choices.

    Raises:
        ParameterError: for no choices.
    """
    if choices < 1:
        raise ParameterError(f"There is nothing to draw from {choices} choices; give at least one.")
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).digest()
    return int.from_bytes(digest[:8], "big") % choices


def file_digest(path: str | Path) -> str:
    """SHA-256 of a file's content, as hex digits."""
    with open(path, "rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


class FileDigests:
    """Digests of sets of files, with a memory by path, size and time of change.

    Args:
        memory: A JSON file that keeps the memory; damaged or absent means that everything is read again. None: no
            memory.
    """

    def __init__(self, memory: Path | None = None) -> None:
        self._memory = memory
        self._known = _remembered(memory)
        self._news = False

    def __call__(self, root: Path, files: Iterable[Path]) -> str:
        """SHA-256 over the files' names, relative to `root`, and contents, in the order given.

        Raises:
            DataError: One of them cannot be read.
        """
        total = hashlib.sha256()
        try:
            for file in files:
                total.update(f"{file.relative_to(root).as_posix()}\n{self._file(file)}\n".encode())
        except OSError as error:
            raise DataError(f"data {root} cannot be read ({error})") from None
        return total.hexdigest()

    def below(self, path: Path) -> str:
        """The digest of all files below a folder, by their sorted names, or of one file.

        Raises:
            DataError: Nothing is there, or it cannot be read.
        """
        if not path.exists():
            raise DataError(f"data {path} does not exist; make it first, or correct the path")
        return self(path, sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path])

    def save(self) -> None:
        """Write the memory, if anything was learnt."""
        if self._memory and self._news:
            write_json(self._memory, self._known)
            self._news = False

    def _file(self, file: Path) -> str:
        key, stat = str(file.resolve()), file.stat()
        size, changed, digest = self._known.get(key, (0, 0, ""))
        if (size, changed) != (stat.st_size, stat.st_mtime_ns) or not digest:
            digest = file_digest(file)
            if time.time() - stat.st_mtime > _SETTLED:
                self._known[key] = (stat.st_size, stat.st_mtime_ns, digest)
                self._news = True
        return digest


def _remembered(memory: Path | None) -> dict[str, tuple[int, int, str]]:
    try:
        known = read_json(memory) if memory else {}
        return {path: (int(size), int(changed), str(digest)) for path, (size, changed, digest) in known.items()}
    except (DataError, AttributeError, TypeError, ValueError):
        return {}
