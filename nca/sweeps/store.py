"""The store: one folder a run, which is complete or not there.

```
store/<stage>/<readable name>-<digest>/          a run that is done: notebook.ipynb, record.json, artefacts
store/<stage>/<readable name>-<digest>.failed/   a run that failed: partial notebook, failure.json
store/.unfinished/<digest>-<random>/             an attempt; whatever lies here is no run and may be deleted
store/.unfinished/.checkpoints/                  of trainings under way, from which they go on
store/.locks/<digest>.lock                       held by the process that runs it, freed by the system when that ends
```

A run is done when, and only when, its record exists. An attempt works in a folder of its own; when the notebook has
ended, every file is flushed to disk, the record is written last, through a temporary file, and only then does the
folder get its name. A kernel that outlives a killed sweep writes on into its abandoned attempt, never into a run.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from nca.errors import DataError, RunError
from nca.support.digests import file_digest
from nca.support.files import flush_folder, read_json, write_json
from nca.support.kinds import check_kinds

_RECORD = {"stage": "str", "parameters": "dict", "results": "list[dict]"}
_KINDS = {"record.json": _RECORD | {"artefacts": "dict[str, dict]"}, "failure.json": {"stage": "str"}}
RECORD, FAILURE, NOTEBOOK, RESULTS = "record.json", "failure.json", "notebook.ipynb", "results.json"
FAILED = ".failed"
DIGEST = 12
# the mode of folders that people make here: what mkdtemp makes is for its owner alone
OPEN = 0o777 & ~os.umask(0o022)
os.umask(0o777 & ~OPEN)


@contextlib.contextmanager
def naming(store: Path) -> Iterator[None]:
    """Turn an error of the file system into one that names the store and says what to do."""
    try:
        yield
    except OSError as error:
        raise RunError(
            f"the store {store} cannot be written ({error.strerror or error}: {error.filename or store}); "
            "free space or correct permissions and start the sweep again, which goes on where it stopped"
        ) from None


def prepare(store: Path) -> None:
    """Make the store's own folders and see that they can be written.

    Raises:
        RunError: The store cannot be made or written.
    """
    with naming(store):
        for name in (".unfinished", ".locks"):
            (store / name).mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=store / name):
                pass


@contextlib.contextmanager
def claim(store: Path, digest: str) -> Iterator[bool]:
    """Hold the lock of a run; False if another process holds it. The system frees it when its owner dies."""
    lock = FileLock(store / ".locks" / f"{digest[:DIGEST]}.lock", blocking=False, thread_local=False)
    mine = True
    with naming(store):
        try:
            lock.acquire()
        except Timeout:  # an OSError too, but nothing is wrong with the store
            mine = False
    try:
        yield mine
    finally:
        lock.release()


def was_tried(store: Path, digest: str) -> bool:
    """Whether any sweep has ever claimed a run: its lock file stays."""
    return (store / ".locks" / f"{digest[:DIGEST]}.lock").is_file()


def is_claimed(store: Path, digest: str) -> bool:
    """Whether some living process holds the lock of a run."""
    if not was_tried(store, digest):
        return False
    with claim(store, digest) as mine:
        return not mine


def claimed(store: Path) -> set[str]:
    """The digests, as in folder names, of all runs whose lock a living process holds."""
    unfinished = store / ".unfinished"
    attempts = {name.split("-")[0] for name in os.listdir(unfinished)} if unfinished.is_dir() else set()
    return {digest for digest in attempts if is_claimed(store, digest)}


def attempt(store: Path, digest: str) -> Path:
    """A new folder for one attempt at a run, after what earlier attempts left is gone."""
    folder = store / ".unfinished"
    for abandoned in os.listdir(folder):
        if abandoned.startswith(digest[:DIGEST]):
            shutil.rmtree(folder / abandoned, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{digest[:DIGEST]}-", dir=folder))


def discard(folder: Path) -> None:
    """Drop an attempt."""
    shutil.rmtree(folder, ignore_errors=True)


def finish(folder: Path, final: Path, record: dict[str, Any]) -> None:
    """Make an attempt the run: artefacts to disk, their digests into the record, the record last, then the name."""
    artefacts: dict[str, Any] = {}
    for inner, _, files in os.walk(folder):
        paths = [Path(inner, one) for one in files]
        artefacts |= {path.relative_to(folder).as_posix(): _flushed(path) for path in paths}
        if inner != str(folder):  # that one is flushed with the record
            flush_folder(inner)
    record["artefacts"] = dict(sorted(artefacts.items()))
    write_json(folder / RECORD, record, allow_nan=True)  # what its notebook found may be NaN
    _put(folder, final)
    shutil.rmtree(_failed(final), ignore_errors=True)


def fail(folder: Path, final: Path, failure: dict[str, Any]) -> None:
    """Keep a failed attempt beside the runs, in place of an earlier failure."""
    write_json(folder / FAILURE, failure, allow_nan=True)
    _put(folder, _failed(final))


def _put(folder: Path, place: Path) -> None:
    """Give an attempt its name among the runs, in place of a failure or of a folder without its record."""
    place.parent.mkdir(exist_ok=True)
    os.chmod(folder, OPEN)
    shutil.rmtree(place, ignore_errors=True)
    os.rename(folder, place)
    flush_folder(place.parent)


def names(stage: Path) -> dict[str, str]:
    """The run folders of a stage, done or failed, by the digests at their ends; grids can name one run differently."""
    there = sorted(os.listdir(stage), key=lambda name: not name.endswith(FAILED)) if stage.is_dir() else []
    stems = (name.removesuffix(FAILED) for name in there)  # those that are done replace those that failed
    return {stem[-DIGEST:]: stem for stem in stems}


def is_done(final: Path) -> bool:
    """Whether the run in folder `final` is done."""
    return (final / RECORD).is_file()


def failure_of(final: Path) -> dict[str, Any] | None:
    """What is known of the failure of a run that is not done; None if it did not fail."""
    file = _failed(final) / FAILURE
    return None if is_done(final) or not file.is_file() else _read(file)


def read_record(final: Path) -> dict[str, Any]:
    """The record of a run that is done.

    Raises:
        RunError: There is none, or it is damaged.
    """
    return _read(final / RECORD)


def records(store: str | Path, stage: str | None = None) -> Iterator[dict[str, Any]]:
    """All records of a store (or of one stage) in the order of their folders, with the `folder` of each."""
    yield from _all(Path(store), stage, RECORD)


def failures(store: str | Path, stage: str | None = None) -> Iterator[dict[str, Any]]:
    """What is known of each failed run of a store (or of one stage), with its `folder`."""
    yield from _all(Path(store), stage, FAILURE)


def _all(store: Path, stage: str | None, file: str) -> Iterator[dict[str, Any]]:
    if not store.is_dir():
        raise RunError(f"there is no store {store}; `nca sweep` makes it")
    stages = [stage] if stage else sorted(one.name for one in store.iterdir() if one.is_dir() and one.name[0] != ".")
    for name in stages:
        if not (store / name).is_dir():
            raise RunError(f"store {store} has no stage {name!r}")
        for folder in sorted((store / name).iterdir()):
            done = file == RECORD or not is_done(folder.with_name(folder.name.removesuffix(FAILED)))
            if done and (folder / file).is_file():
                yield {"folder": str(folder), **_read(folder / file)}


def read_archive(file: str | Path) -> dict[str, Any]:
    """The record that :func:`nca.sweeps.archive.record_store` made of a store.

    Raises:
        DataError: where it is missing or broken.
    """
    record = read_json(file, {"command": "str", "stages": "dict[str, int]", "runs": "list[dict]"})
    for number, run in enumerate(record["runs"]):
        check_kinds(run, _RECORD, f"run {number} of {file}")
    return record


def verify(store: str | Path) -> list[str]:
    """Read every artefact of every run again; the paths whose content is not what its record says."""
    return [
        str(Path(record["folder"], name))
        for record in records(store)
        for name, artefact in record["artefacts"].items()
        if not Path(record["folder"], name).is_file()
        or file_digest(Path(record["folder"], name)) != artefact.get("sha256")
    ]


def _read(path: Path) -> Any:
    try:
        return read_json(path, _KINDS[path.name])
    except DataError as error:
        raise RunError(f"{error.__cause__ or error}: {path} is damaged; delete its folder and sweep again") from None


def _failed(final: Path) -> Path:
    return final.with_name(final.name + FAILED)


def _flushed(file: Path) -> dict[str, Any]:
    with open(file, "rb") as content:
        os.fsync(content.fileno())
    return {"sha256": file_digest(file), "bytes": file.stat().st_size}
