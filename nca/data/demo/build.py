"""The corpus as a folder: made on all cores, each song complete or absent, described by `corpus.json`."""

import hashlib
import math
import multiprocessing
import os
import shutil
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import numpy as np
import scipy
import soundfile
from filelock import FileLock, Timeout
from tqdm import tqdm

from nca.data.demo.signals import RATE
from nca.data.demo.song import STEMS, Plan, make_song, plan_song
from nca.errors import DataError, ParameterError
from nca.support.files import read_json, write_json

MANIFEST = "corpus.json"  # written last: its presence says that the corpus is complete
RECORD = "song.json"  # written last into a song's folder
UNFINISHED = ".making"  # songs being made, and the plan; gone when the corpus is complete
PLAN = "plan.json"
FILES = tuple(f"{name}.wav" for name in ("mixture", *STEMS))
KNOWN = {MANIFEST, UNFINISHED, "train", "test"}


def make_corpus(
    folder: str | os.PathLike[str], songs: int, seconds: float, seed: int, workers: int | None = None
) -> Path:
    """Make (or finish) the demo corpus in MUSDB18's WAV layout.

    The same seed gives the same bytes, whatever the workers. A complete corpus of the same parameters is left
    untouched; an interrupted one is finished.

    Args:
        folder: where it goes; made where absent.
        songs: how many, every fourth of them for testing.
        seconds: length of each song.
        seed: what every song is drawn from.
        workers: processes that make them; None for one a core.

    Returns:
        The folder.

    Raises:
        ParameterError: for parameters out of range or a folder that holds a corpus of other parameters.
        DataError: for a folder that holds something else or cannot be written.
    """
    check_parameters(songs, seconds, seed, workers)
    root = Path(folder)
    wanted = {"songs": int(songs), "seconds": float(seconds), "seed": int(seed), "source": source_digest()}
    try:
        if is_complete(root, wanted):
            return root
        check_content(root)
        (root / UNFINISHED).mkdir(parents=True, exist_ok=True)
        with FileLock(root / UNFINISHED / "lock", timeout=0):
            finish_corpus(root, wanted, workers or min(songs, available_cores()))
        shutil.rmtree(root / UNFINISHED, ignore_errors=True)
    except Timeout as error:
        raise DataError(f"{root}: another process is making this corpus; wait for it or use another folder") from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(f"{root}: the corpus cannot be written ({reason}); free space or use another folder") from error
    return root


def check_parameters(songs: int, seconds: float, seed: int, workers: int | None) -> None:
    """Raise ParameterError for what cannot be made."""
    counts = [("songs", songs, 2), ("seed", seed, 0), *([("workers", workers, 1)] if workers is not None else [])]
    for name, count, least in counts:
        if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < least:
            raise ParameterError(f"{name}={count!r}: give an integer of at least {least}")
    number = isinstance(seconds, int | float | np.number) and not isinstance(seconds, bool) and math.isfinite(seconds)
    if not number or not 1 <= seconds <= 600:
        raise ParameterError(f"seconds={seconds!r}: give a number from 1 to 600")


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def source_digest() -> str:
    """SHA-256 of this package's own source: what, with the parameters, decides every byte."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def is_complete(root: Path, wanted: dict[str, Any]) -> bool:
    """Whether the folder holds all of the wanted corpus; ParameterError where it holds one of other parameters."""
    for path in (root / MANIFEST, root / UNFINISHED / PLAN):
        if path.is_file():
            check_same(path, wanted)
    return (root / MANIFEST).is_file() and all(song_is_complete(root, plan) for plan in plans(wanted))


def check_same(path: Path, wanted: dict[str, Any]) -> None:
    """Raise ParameterError where the corpus that `path` describes is not the wanted one."""
    try:
        found = dict(read_json(path)["parameters"])
    except (DataError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path}: is not a corpus description; choose another folder") from error
    different = [key for key, value in wanted.items() if found.get(key) != value]
    if different:
        what = "an older or newer generator" if different == ["source"] else f"another {', '.join(different)}"
        raise ParameterError(f"{path.parent}: holds a corpus made with {what}; choose another folder")


def check_content(root: Path) -> None:
    """Raise DataError where the folder is a file or holds anything that this generator did not make."""
    if root.exists() and not root.is_dir():
        raise DataError(f"{root}: is a file, not a folder; choose another folder")
    present = sorted(path.name for path in root.iterdir()) if root.is_dir() else []
    ours = MANIFEST in present or UNFINISHED in present
    if strangers := [name for name in present if name not in KNOWN or not ours]:
        raise DataError(f"{root}: holds other content ({strangers[0]}); choose another, empty folder")


def finish_corpus(root: Path, wanted: dict[str, Any], workers: int) -> None:
    """Make the songs that are missing, then the manifest; the caller holds the lock."""
    write_json(root / UNFINISHED / PLAN, {"parameters": wanted})
    for left in (root / UNFINISHED).iterdir():
        if left.is_dir():
            shutil.rmtree(left)
    missing = [plan for plan in plans(wanted) if not song_is_complete(root, plan)]
    make_songs(root, missing, min(workers, len(missing)))
    records = [read_json(song_folder(root, plan) / RECORD) for plan in plans(wanted)]
    made_with = {"numpy": np.__version__, "scipy": scipy.__version__}
    write_json(root / MANIFEST, {"parameters": wanted, "made_with": made_with, "rate": RATE, "tracks": records})


def plans(wanted: dict[str, Any]) -> list[Plan]:
    """The plans of all songs."""
    return [plan_song(index, wanted["seconds"], wanted["seed"]) for index in range(wanted["songs"])]


def make_songs(root: Path, missing: list[Plan], workers: int) -> None:
    """Make songs in so many processes (in this one if it is one), with a progress bar."""
    with tqdm(total=len(missing), desc="songs", unit="song", disable=not missing) as bar:
        if workers <= 1:
            for plan in missing:
                write_song(root, plan)
                bar.update()
            return
        with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
            futures = [pool.submit(write_song, root, plan) for plan in missing]
            try:
                for future in as_completed(futures):
                    future.result()
                    bar.update()
            except BrokenProcessPool as error:
                raise DataError(f"{root}: a worker was stopped; run again to go on, with fewer workers") from error
            finally:
                pool.shutdown(wait=True, cancel_futures=True)


def write_song(root: Path, plan: Plan) -> None:
    """Write one song aside, then move it under its name, complete."""
    aside, final = root / UNFINISHED / plan.name, song_folder(root, plan)
    aside.mkdir()
    signals, facts = make_song(plan)
    for name, signal in signals.items():
        soundfile.write(aside / f"{name}.wav", signal, RATE, subtype="PCM_16", format="WAV")
    files = {name: describe(aside / name) for name in FILES}
    write_json(aside / RECORD, {**facts, "files": files})
    if final.exists():
        shutil.rmtree(final)
    final.parent.mkdir(exist_ok=True)
    aside.rename(final)


def describe(path: Path) -> dict[str, Any]:
    """Size in bytes and SHA-256 of a file, which is on the disk by then."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())
        content = file.read()
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def song_folder(root: Path, plan: Plan) -> Path:
    """Where a song belongs."""
    return root / plan.split / plan.name


def song_is_complete(root: Path, plan: Plan) -> bool:
    """Whether a song's folder has its record and every file at its recorded size."""
    folder = song_folder(root, plan)
    if not (folder / RECORD).is_file():
        return False
    files = read_json(folder / RECORD)["files"]
    return all((folder / name).is_file() and (folder / name).stat().st_size == files[name]["bytes"] for name in FILES)
