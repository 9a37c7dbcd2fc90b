"""The corpus as a folder: made on all cores, each song whole or absent, described by `corpus.json`."""

import hashlib
import json
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

from nca.corpus.signals import RATE
from nca.corpus.song import STEMS, Plan, make_song, plan_song
from nca.errors import DataError, ParameterError

MANIFEST = "corpus.json"  # written last: its presence says that the corpus is whole
RECORD = "song.json"  # written last into a song's folder
BENCH = ".making"  # songs being made, and the plan; gone when the corpus is whole
PLAN = "plan.json"
FILES = tuple(f"{name}.wav" for name in ("mixture", *STEMS))
KNOWN = {MANIFEST, BENCH, "train", "test"}


def make_corpus(
    folder: str | os.PathLike[str], songs: int, seconds: float, seed: int, workers: int | None = None
) -> Path:
    """Make (or finish) the demo corpus in MUSDB18's WAV layout and return its folder.

    `songs` songs of `seconds` seconds, every fourth of them for testing, by `workers` processes (default: one a
    core). The same seed gives the same bytes, whatever the workers. A whole corpus of the same parameters is left
    untouched; an interrupted one is finished.

    Raises ParameterError for parameters out of range or a folder that holds a corpus of other parameters, DataError
    for a folder that holds something else or cannot be written.
    """
    check_parameters(songs, seconds, seed, workers)
    root = Path(folder)
    wanted = {"songs": int(songs), "seconds": float(seconds), "seed": int(seed), "source": source_digest()}
    try:
        if is_whole(root, wanted):
            return root
        check_content(root)
        (root / BENCH).mkdir(parents=True, exist_ok=True)
        with FileLock(root / BENCH / "lock", timeout=0):
            finish_corpus(root, wanted, workers or min(songs, available_cores()))
        shutil.rmtree(root / BENCH, ignore_errors=True)
    except Timeout as error:
        raise DataError(f"{root}: another process is making this corpus; wait for it or use another folder") from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(
            f"{root}: the corpus cannot be written ({reason}); free the space or use another folder"
        ) from error
    return root


def check_parameters(songs: int, seconds: float, seed: int, workers: int | None) -> None:
    """Raise ParameterError for what cannot be made."""
    if not is_integer(songs) or songs < 2:
        raise ParameterError(f"songs={songs!r}: give a whole number of at least 2 (one to train, one to test)")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float | np.number) or not math.isfinite(seconds):
        raise ParameterError(f"seconds={seconds!r}: give a finite number of seconds, at least 1")
    if not 1 <= seconds <= 600:
        raise ParameterError(f"seconds={seconds!r}: a song lasts from 1 to 600 seconds")
    if not is_integer(seed) or seed < 0:
        raise ParameterError(f"seed={seed!r}: give a whole number that is not negative")
    if workers is not None and (not is_integer(workers) or workers < 1):
        raise ParameterError(f"workers={workers!r}: give a whole number of at least 1, or None for every core")


def is_integer(value: object) -> bool:
    """Whether the value counts something; True and False do not."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def source_digest() -> str:
    """SHA-256 of this package's own source: what, with the parameters, decides every byte."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def is_whole(root: Path, wanted: dict[str, Any]) -> bool:
    """Whether the folder holds all of the wanted corpus; ParameterError where it holds one of other parameters."""
    for path in (root / MANIFEST, root / BENCH / PLAN):
        if path.is_file():
            check_same(path, read_json(path), wanted)
    if not (root / MANIFEST).is_file():
        return False
    plans = (plan_song(index, wanted["seconds"], wanted["seed"]) for index in range(wanted["songs"]))
    return all(song_is_whole(root / plan.split / plan.name) for plan in plans)


def check_same(path: Path, found: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Raise ParameterError where the corpus that `path` describes is not the wanted one."""
    known = found.get("parameters")
    if not isinstance(known, dict):
        raise DataError(f"{path}: is not a corpus description; choose another folder")
    different = [key for key, value in wanted.items() if known.get(key) != value]
    if different:
        what = "an older or newer generator" if different == ["source"] else f"another {', '.join(different)}"
        raise ParameterError(f"{path.parent}: holds a corpus made with {what}; choose another folder")


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file; DataError where it is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{path}: is not valid JSON; choose another folder") from error
    if not isinstance(found, dict):
        raise DataError(f"{path}: is not a corpus description; choose another folder")
    return found


def check_content(root: Path) -> None:
    """Raise DataError where the folder is a file or holds anything that this generator did not make."""
    if root.exists() and not root.is_dir():
        raise DataError(f"{root}: is a file, not a folder; choose another folder")
    if not root.is_dir():
        return
    present = {path.name for path in root.iterdir()}
    strangers = sorted(present - KNOWN)
    ours = (root / MANIFEST).is_file() or (root / BENCH).is_dir()
    if strangers or (present and not ours):
        first = (strangers or sorted(present))[0]
        raise DataError(f"{root}: holds other content ({first}); choose another, empty folder")


def finish_corpus(root: Path, wanted: dict[str, Any], workers: int) -> None:
    """Make the songs that are missing, then the manifest; the caller holds the lock."""
    write_json(root / BENCH / PLAN, {"parameters": wanted})
    for left in (root / BENCH).iterdir():
        if left.is_dir():
            shutil.rmtree(left)
    plans = [plan_song(index, wanted["seconds"], wanted["seed"]) for index in range(wanted["songs"])]
    missing = [plan for plan in plans if not song_is_whole(root / plan.split / plan.name)]
    make_songs(root, missing, min(workers, len(missing)))
    records = [read_json(root / plan.split / plan.name / RECORD) for plan in plans]
    made_with = {"numpy": np.__version__, "scipy": scipy.__version__}
    write_json(root / MANIFEST, {"parameters": wanted, "made_with": made_with, "rate": RATE, "tracks": records})


def make_songs(root: Path, plans: list[Plan], workers: int) -> None:
    """Make songs in so many processes (in this one if it is one), with a progress bar."""
    bar = tqdm(total=len(plans), desc="songs", unit="song", disable=not plans)
    with bar:
        if workers <= 1:
            for plan in plans:
                write_song(root, plan)
                bar.update()
            return
        with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
            futures = [pool.submit(write_song, root, plan) for plan in plans]
            try:
                for future in as_completed(futures):
                    future.result()
                    bar.update()
            except BrokenProcessPool as error:
                raise DataError(
                    f"{root}: a worker process was stopped; run again to go on, with fewer workers"
                ) from error
            finally:
                pool.shutdown(wait=True, cancel_futures=True)


def write_song(root: Path, plan: Plan) -> None:
    """One song on the bench, then under its name in its split, whole."""
    bench = root / BENCH / plan.name
    bench.mkdir()
    made = make_song(plan)
    for name, signal in made.signals.items():
        soundfile.write(bench / f"{name}.wav", signal, RATE, subtype="PCM_16", format="WAV")
    files = {name: describe(bench / name) for name in FILES}
    write_json(bench / RECORD, {**made.facts, "files": files})
    final = root / plan.split / plan.name
    if final.exists():
        shutil.rmtree(final)
    final.parent.mkdir(exist_ok=True)
    bench.rename(final)


def describe(path: Path) -> dict[str, Any]:
    """Size in bytes and SHA-256 of a file, which is on the disk by then."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())
        content = file.read()
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def song_is_whole(folder: Path) -> bool:
    """Whether a song's folder has its record and every file at its recorded size."""
    record = folder / RECORD
    if not record.is_file():
        return False
    files = read_json(record).get("files", {})
    paths = [(folder / name, files.get(name, {}).get("bytes")) for name in FILES]
    return all(path.is_file() and path.stat().st_size == size for path, size in paths)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write JSON so that the file is either as it was or whole."""
    partial = path.with_name(f".{path.name}.part")
    with partial.open("w", encoding="utf-8") as file:
        json.dump(content, file, indent=1, ensure_ascii=False)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
