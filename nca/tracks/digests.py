"""What a data set is made of, as one digest of its files' names and contents."""

import hashlib
import json
from pathlib import Path

from nca.files import write_json
from nca.tracks.track import Tracks


def digest(tracks: Tracks, cache: str | Path | None = None) -> str:
    """SHA-256 over the names (relative to the root) and contents of all files of `tracks`, as 64 hex digits.

    With a folder `cache`, the digest of a file is remembered there by its path, size and modification time.
    """
    memo = Path(cache) / "digests.json" if cache is not None else None
    known = _remembered(memo) if memo else {}
    total = hashlib.sha256()
    for path in (path for files in tracks.paths for path in files):
        state = path.stat()
        key = f"{path.resolve()}|{state.st_size}|{state.st_mtime_ns}"
        known[key] = known.get(key) or _file_digest(path)
        total.update(f"{path.relative_to(tracks.root).as_posix()}\n{known[key]}\n".encode())
    if memo:
        write_json(memo, known)
    return total.hexdigest()


def _remembered(memo: Path) -> dict[str, str]:
    """What `memo` holds; one that is absent or broken only costs the time to hash again."""
    try:
        return dict(json.loads(memo.read_text()))
    except (OSError, ValueError, TypeError):
        return {}


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
