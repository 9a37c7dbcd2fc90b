"""The store: a run is there whole or not at all, wherever its writer is killed."""

import importlib
import math
import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from nca.errors import DataError, RunError
from nca.support import files
from nca.support.files import write_json
from nca.sweeps import store

STAGE = "stage"
DIGEST = "0123456789abcdef" * 4
RUN = {"stage": STAGE, "parameters": {}, "results": []}


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


def test_a_claim_taken_in_one_thread_can_be_given_back_in_another(tmp_path: Path) -> None:
    store.prepare(tmp_path)
    claim = store.claim(tmp_path, DIGEST)
    taker = threading.Thread(target=claim.__enter__)
    taker.start()
    taker.join()
    assert store.is_claimed(tmp_path, DIGEST)
    claim.__exit__(None, None, None)
    assert not store.is_claimed(tmp_path, DIGEST)
    assert (tmp_path / ".locks" / "0123456789ab.lock").exists()


def test_claimed_runs_are_those_with_an_attempt_and_a_living_owner(tmp_path: Path) -> None:
    assert store.claimed(tmp_path) == set()
    store.prepare(tmp_path)
    other = "f" * 64
    for digest in (DIGEST, other):
        store.attempt(tmp_path, digest)
        assert not store.was_tried(tmp_path, digest)
    with store.claim(tmp_path, DIGEST), store.claim(tmp_path, "e" * 64):
        assert store.claimed(tmp_path) == {DIGEST[:12]}
    assert store.was_tried(tmp_path, DIGEST)


def test_an_attempt_replaces_earlier_ones_of_its_run_alone(tmp_path: Path) -> None:
    store.prepare(tmp_path)
    other = store.attempt(tmp_path, "f" * 64)
    abandoned = store.attempt(tmp_path, DIGEST)
    folder = store.attempt(tmp_path, DIGEST)
    assert folder.parent == tmp_path / ".unfinished"
    assert folder.name.startswith("0123456789ab-")
    assert sorted(folder.parent.iterdir()) == sorted([folder, other])
    for _ in range(2):  # what is gone already is no trouble
        store.discard(other)
    assert not abandoned.exists()
    assert not other.exists()


def test_a_store_is_prepared_again_and_one_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    for _ in range(2):
        store.prepare(tmp_path / "not" / "there")
    (tmp_path / ".locks").symlink_to("/proc")  # a folder in which nobody can make a file
    with pytest.raises(RunError, match="cannot be written"):
        store.prepare(tmp_path)


def test_folders_of_runs_are_open_as_the_mask_says() -> None:
    child = os.fork()
    if not child:
        os.umask(0o027)
        importlib.reload(store)
        os._exit(not (store.OPEN == 0o750 and os.umask(0) == 0o027))
    assert os.waitpid(child, 0)[1] == 0


def test_a_run_has_the_mode_of_its_stage_and_its_files_are_flushed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed, fsync = set(), os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: (flushed.add(os.fstat(file).st_ino), fsync(file)))
    store.prepare(tmp_path)
    folder, final = store.attempt(tmp_path, DIGEST), tmp_path / STAGE / "run"
    (folder / "artefact").write_text("a")
    store.finish(folder, final, dict(RUN))
    assert final.stat().st_mode == final.parent.stat().st_mode
    assert (final / "artefact").stat().st_ino in flushed


def test_a_failure_stays_until_the_run_is_done_and_either_may_hold_nan(tmp_path: Path) -> None:
    store.prepare(tmp_path)
    final = tmp_path / STAGE / "run"
    assert store.failure_of(final) is None
    for loss in (1.0, math.nan):
        store.fail(store.attempt(tmp_path, DIGEST), final, {"stage": STAGE, "loss": loss})
    assert math.isnan(store.failure_of(final)["loss"])
    assert [one["folder"] for one in store.failures(tmp_path, STAGE)] == [f"{final}.failed"]
    assert list(store.records(tmp_path)) == []
    store.finish(store.attempt(tmp_path, DIGEST), final, RUN | {"results": [{"loss": math.nan}]})
    assert math.isnan(store.read_record(final)["results"][0]["loss"])
    assert not final.with_name("run.failed").exists()
    write_json(final.with_name("run.failed") / "failure.json", {"stage": STAGE})  # of a sweep that came too late
    assert store.failure_of(final) is None
    assert list(store.failures(tmp_path)) == []


def test_a_run_done_goes_before_the_same_failed_whatever_their_names(tmp_path: Path) -> None:
    ends = ("0" * 12, "1" * 12)
    for name in (
        f"a-{ends[0]}",
        f"b-{ends[0]}.failed",
        f"a-{ends[1]}.failed",
        f"b-{ends[1]}",
        "c-" + "2" * 12 + ".failed",
    ):
        (tmp_path / name).mkdir()
    assert store.names(tmp_path) == {ends[0]: f"a-{ends[0]}", ends[1]: f"b-{ends[1]}", "2" * 12: "c-" + "2" * 12}
    assert store.names(tmp_path / "none") == {}


def test_records_are_those_of_the_stages_in_order(tmp_path: Path) -> None:
    store.prepare(tmp_path)
    for stage, run in (("b", "x"), ("a", "z"), ("a", "y")):
        store.finish(store.attempt(tmp_path, DIGEST), tmp_path / stage / run, RUN | {"stage": stage})
    write_json(store.attempt(tmp_path, DIGEST) / store.RECORD, RUN | {"artefacts": {}})  # killed before it had its name
    (tmp_path / "notes.txt").write_text("no stage")
    found = [Path(one["folder"]).relative_to(tmp_path).as_posix() for one in store.records(tmp_path)]
    assert found == ["a/y", "a/z", "b/x"]
    assert [Path(one["folder"]).name for one in store.records(tmp_path, "b")] == ["x"]
    with pytest.raises(RunError, match="has no stage 'c'"):
        list(store.records(tmp_path, "c"))
    with pytest.raises(RunError, match="there is no store"):
        list(store.records(tmp_path / "none"))


def test_an_artefact_that_is_missing_is_found(tmp_path: Path) -> None:
    store.prepare(tmp_path)
    folder, final = store.attempt(tmp_path, DIGEST), tmp_path / STAGE / "run"
    for name in ("kept", "lost"):
        (folder / name).write_text(name)
    store.finish(folder, final, dict(RUN))
    assert store.read_record(final)["artefacts"]["kept"]["bytes"] == 4
    (final / "lost").unlink()
    assert store.verify(tmp_path) == [str(final / "lost")]


def test_an_archive_with_a_run_of_something_else_is_a_named_error(tmp_path: Path) -> None:
    archive = {"command": "nca", "stages": {STAGE: 1}, "runs": [RUN]}
    write_json(tmp_path / "archive.json", archive)
    assert store.read_archive(tmp_path / "archive.json") == archive
    write_json(tmp_path / "archive.json", archive | {"runs": [RUN, {"stage": STAGE}]})
    with pytest.raises(DataError, match="run 1 of"):
        store.read_archive(tmp_path / "archive.json")
