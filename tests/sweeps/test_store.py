"""The store: a run is there whole or not at all, wherever its writer is killed."""

import math
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from nca.errors import RunError
from nca.support import files
from nca.sweeps import store

STAGE = "stage"


def _run(root: Path, name: str = "run", *, fails: bool = False, **found: Any) -> Path:
    """A run of the store, done or failed, under the name of one that is done."""
    final = root / STAGE / name
    ended = {"stage": STAGE, "parameters": {}, "results": [], **found}
    (store.fail if fails else store.finish)(store.attempt(root, "0" * 64), final, ended)
    return final


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


def test_a_store_is_made_with_the_folders_above_it_and_made_again_unchanged(tmp_path: Path) -> None:
    root = tmp_path / "not" / "there"
    for _ in range(2):
        store.prepare(root)
    assert sorted(one.name for one in root.iterdir()) == [".locks", ".unfinished"]
    assert [list(one.iterdir()) for one in root.iterdir()] == [[], []]
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"file cannot be written \(Not a directory: .*file/.unfinished\); free space"):
        store.prepare(tmp_path / "file")
    with pytest.raises(RunError, match=r"store x cannot be written \(odd: x\)"), store.naming(Path("x")):
        raise OSError("odd")


def test_a_failure_is_kept_beside_the_runs_until_one_is_done(tmp_path: Path) -> None:
    store.prepare(tmp_path)
    final = tmp_path / STAGE / "run"
    assert store.failure_of(final) is None
    for message in ("first", "second"):
        assert _run(tmp_path, fails=True, message=message, seen=math.nan) == final
        failure = store.failure_of(final)
        assert failure is not None
        assert failure["message"] == message
        assert [one["message"] for one in store.failures(tmp_path)] == [message]
        assert not store.is_done(final)
    _run(tmp_path)
    assert store.is_done(final)
    assert [one.name for one in final.parent.iterdir()] == ["run"]
    assert list(store.failures(tmp_path)) == []


def test_what_failed_long_ago_counts_no_more_once_its_run_is_done(tmp_path: Path) -> None:
    """As it is between the run's new name and the removal of the failure."""
    store.prepare(tmp_path)
    final = _run(tmp_path)
    _run(tmp_path, fails=True)
    assert store.failure_of(final) is None
    assert list(store.failures(tmp_path)) == []
    assert [one["folder"] for one in store.records(tmp_path)] == [str(final)]


def test_a_run_done_under_another_name_stands_before_its_failure(tmp_path: Path) -> None:
    store.prepare(tmp_path)
    digest, other = "d" * store.DIGEST, "e" * store.DIGEST
    _run(tmp_path, f"z-{digest}", fails=True)
    _run(tmp_path, f"a-{digest}")
    _run(tmp_path, f"b-{other}", fails=True)
    assert store.names(tmp_path / STAGE) == {digest: f"a-{digest}", other: f"b-{other}"}
    assert store.names(tmp_path / "no stage") == {}


def test_a_record_has_what_its_run_found_and_all_its_files_in_order(tmp_path: Path) -> None:
    store.prepare(tmp_path)
    folder, final = store.attempt(tmp_path, "0" * 64), tmp_path / STAGE / "run"
    (folder / "a").mkdir()
    for name in ("z", "b", "a/c"):
        (folder / name).write_text(name)
    store.finish(folder, final, {"stage": STAGE, "parameters": {}, "results": [{"snr": math.nan}]})
    record = store.read_record(final)
    assert math.isnan(record["results"][0]["snr"])
    assert [(name, one["bytes"]) for name, one in record["artefacts"].items()] == [("a/c", 3), ("b", 1), ("z", 1)]
    (made := tmp_path / "made by hand").mkdir()
    assert final.stat().st_mode == made.stat().st_mode  # not for its owner alone, as an attempt is


def test_stages_are_read_in_order_alone_or_all_and_a_wrong_one_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="there is no store"):
        list(store.records(tmp_path / "nowhere"))
    store.prepare(tmp_path)
    for stage in ("b", "a"):
        final = tmp_path / stage / "run"
        store.finish(store.attempt(tmp_path, "0" * 64), final, {"stage": stage, "parameters": {}, "results": []})
    attempt = store.attempt(tmp_path, "1" * 64)  # with a record, and not yet a run
    (attempt / store.RECORD).write_bytes((final / store.RECORD).read_bytes())
    assert [one["stage"] for one in store.records(tmp_path)] == ["a", "b"]
    assert [one["stage"] for one in store.records(tmp_path, "b")] == ["b"]
    with pytest.raises(RunError, match="has no stage 'c'"):
        list(store.records(tmp_path, "c"))


def test_a_missing_artefact_is_found_as_an_altered_one_is(tmp_path: Path) -> None:
    store.prepare(tmp_path)
    folder, final = store.attempt(tmp_path, "0" * 64), tmp_path / STAGE / "run"
    for name in ("gone", "kept"):
        (folder / name).write_text(name)
    store.finish(folder, final, {"stage": STAGE, "parameters": {}, "results": []})
    (final / "gone").unlink()
    assert store.verify(tmp_path) == [str(final / "gone")]


def test_a_new_attempt_removes_what_was_left_of_its_own_run_alone(tmp_path: Path) -> None:
    store.prepare(tmp_path)
    abandoned, other = store.attempt(tmp_path, "0" * 64), store.attempt(tmp_path, "1" * 64)
    again = store.attempt(tmp_path, "0" * 64)
    assert sorted((tmp_path / ".unfinished").iterdir()) == sorted([again, other])
    for _ in range(2):  # a second time there is nothing, which is no error
        store.discard(again)
    assert not again.exists()
    assert not abandoned.exists()


def test_runs_under_way_are_those_whose_lock_is_held(tmp_path: Path) -> None:
    assert store.claimed(tmp_path) == set()  # before anything was made
    store.prepare(tmp_path)
    assert not store.was_tried(tmp_path, "0" * 64)
    assert not store.is_claimed(tmp_path, "0" * 64)
    store.attempt(tmp_path, "1" * 64)  # left by one that died
    with store.claim(tmp_path, "0" * 64):
        store.attempt(tmp_path, "0" * 64)
        assert store.claimed(tmp_path) == {"0" * store.DIGEST}
        with store.claim(tmp_path, "0" * 64) as again:
            assert not again
    assert store.claimed(tmp_path) == set()
    assert store.was_tried(tmp_path, "0" * 64)
    assert not store.was_tried(tmp_path, "1" * 64)
