"""The store: a run is there whole or not at all, wherever its writer is killed."""

import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from nca.support import files
from nca.sweeps import store

STAGE = "stage"


def _killed_at(step: int, root: Path, final: Path) -> bool:
    """Finish a run in a child that is killed before the step-th line of the code that writes; True if it was."""
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        return os.WIFSIGNALED(status)
    count = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        if frame.f_code.co_filename not in (store.__file__, files.__file__):
            return None
        if event in ("line", "return"):
            count += 1
            if count == step:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    folder = store.attempt(root, "ab" * 32)
    (folder / "inner").mkdir()
    (folder / "inner" / "artefact").write_bytes(b"x" * 10_000)
    sys.settrace(trace)
    store.finish(folder, final, {"stage": STAGE, "results": [], "parameters": {}, "modules": {}, "peak_memory": 1})
    sys.settrace(None)
    os._exit(0)


def test_a_writer_killed_at_every_step_leaves_no_run_or_a_whole_one(tmp_path: Path) -> None:
    store.prepare(tmp_path)
    whole = step = 0
    while True:
        step += 1
        final = tmp_path / STAGE / f"run{step}"
        killed = _killed_at(step, tmp_path, final)
        found = [one for one in store.records(tmp_path) if one["folder"] == str(final)] if final.parent.is_dir() else []
        assert len(found) == store.is_done(final) == final.exists()
        if found:
            whole += 1
            assert list(found[0]["artefacts"]) == ["inner/artefact"]
        assert store.verify(tmp_path) == []
        if not killed:
            break
    assert whole > 1  # some were killed after the run had its name
    assert step > 40


def test_every_folder_of_a_run_is_flushed_and_last_the_one_that_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[Path] = []
    monkeypatch.setattr(store, "flush_folder", lambda folder: flushed.append(Path(folder)))
    store.prepare(tmp_path)
    folder, final = store.attempt(tmp_path, "0" * 64), tmp_path / STAGE / "run"
    (folder / "inner").mkdir()
    (folder / "inner" / "artefact").write_text("a")
    store.finish(folder, final, {"stage": STAGE, "parameters": {}, "results": []})
    assert flushed == [folder / "inner", final.parent]


def test_a_run_whose_record_was_deleted_is_replaced(tmp_path: Path) -> None:
    store.prepare(tmp_path)
    final = tmp_path / STAGE / "run"
    for content in (b"old", b"new"):
        folder = store.attempt(tmp_path, "0" * 64)
        (folder / "artefact").write_bytes(content)
        store.finish(folder, final, {"stage": STAGE, "parameters": {}, "results": []})
        if content == b"old":
            (final / store.RECORD).unlink()
    assert (final / "artefact").read_bytes() == b"new"
    assert store.verify(tmp_path) == []


def test_a_folder_without_its_record_is_no_run(tmp_path: Path) -> None:
    store.prepare(tmp_path)
    run = {"stage": STAGE, "parameters": {}, "results": [], "modules": {}, "peak_memory": 1}
    store.finish(store.attempt(tmp_path, "0" * 64), tmp_path / STAGE / "run", run)
    (tmp_path / STAGE / "half-written").mkdir()
    assert [record["folder"] for record in store.records(tmp_path)] == [str(tmp_path / STAGE / "run")]
    assert list(store.failures(tmp_path)) == []


def test_an_attempt_begins_beside_what_cannot_be_removed(tmp_path: Path) -> None:
    store.prepare(tmp_path)
    (tmp_path / ".unfinished" / ("0" * store.DIGEST + ".txt")).write_text("no folder")
    assert list(store.attempt(tmp_path, "0" * 64).iterdir()) == []


def test_an_artefact_that_changed_is_found(tmp_path: Path) -> None:
    store.prepare(tmp_path)
    folder = store.attempt(tmp_path, "0" * 64)
    (folder / "artefact").write_bytes(b"content")
    store.finish(folder, tmp_path / STAGE / "run", {"stage": STAGE, "parameters": {}, "results": []})
    (tmp_path / STAGE / "run" / "artefact").write_bytes(b"CONTENT")
    assert store.verify(tmp_path) == [str(tmp_path / STAGE / "run" / "artefact")]


def test_a_claim_excludes_and_ends_with_its_owner(tmp_path: Path) -> None:
    store.prepare(tmp_path)
    with store.claim(tmp_path, "0" * 64) as mine:
        assert mine
        assert store.is_claimed(tmp_path, "0" * 64)
        with store.claim(tmp_path, "1" * 64) as other:
            assert other
    read, write = os.pipe()
    child = os.fork()
    if not child:
        with store.claim(tmp_path, "0" * 64):
            os.write(write, b".")
            signal.pause()
    os.read(read, 1)
    assert store.is_claimed(tmp_path, "0" * 64)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert not store.is_claimed(tmp_path, "0" * 64)
