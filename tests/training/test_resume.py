"""A training that is cut short goes on to the same bits: at every step, after a kill, with instances that finish."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import pytest
import safetensors.torch
import torch
from filelock import FileLock
from hypothesis import given, settings
from hypothesis import strategies as st
from training.test_training import MIXTURE, SCALE, VOICE

from nca.errors import DataError, MemoryLimitError
from nca.models import Separator, build
from nca.training import Checkpoint, History, Schedule, train
from nca.training.checkpoint import SHARE
from nca.training.ensemble import Ensemble

SEEDS = [3, 1, 2]
# 3 steps an epoch; the instances halve and stop in different epochs
SCHEDULE = Schedule(epochs=9, tolerance=0.08, halve_after=1, stop_after=3, learning_rate=3e-3)


class Cut(Exception):
    """What a stop looks like from inside."""


def trained(checkpoint: Checkpoint | None = None, seeds: list[int] = SEEDS) -> tuple[Separator, list[History]]:
    model = build("SF", 12, seeds)
    return model, train(model, MIXTURE, VOICE, SCALE, seeds, SCHEDULE, progress=False, checkpoint=checkpoint)


@pytest.fixture(scope="module", autouse=True)
def _after_every_step() -> Iterator[None]:
    """What a write costs does not put off the next one."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr("nca.training.checkpoint.SHARE", float("inf"))
        yield


@pytest.fixture(scope="module")
def whole() -> tuple[Separator, list[History]]:
    return trained()


def assert_same(one: tuple[Separator, list[History]], other: tuple[Separator, list[History]]) -> None:
    assert one[1] == other[1]
    for a, b in zip(one[0].parameters(), other[0].parameters(), strict=True):
        assert torch.equal(a, b)


def cut_after(steps: int, monkeypatch: pytest.MonkeyPatch, error: type[Exception] = Cut, kind: type = Ensemble) -> None:
    made, step = 0, kind.step

    def counted(*args):
        nonlocal made
        if made == steps:
            raise error
        made += 1
        return step(*args)

    monkeypatch.setattr(kind, "step", counted)


def test_the_instances_here_finish_in_different_epochs(whole):
    assert len({len(history.losses) for history in whole[1]}) > 1


@settings(deadline=None, max_examples=25)
@given(stops=st.lists(st.integers(0, 28), min_size=1, max_size=3), every=st.sampled_from([0.0, 3600.0]))
def test_wherever_it_is_cut_it_ends_in_the_same_bits(tmp_path_factory, whole, stops, every):
    folder = tmp_path_factory.mktemp("checkpoints")
    for steps in stops:
        with pytest.MonkeyPatch.context() as monkeypatch:
            cut_after(steps, monkeypatch)
            try:
                trained(Checkpoint(folder, every))
            except Cut:
                continue
    again = Checkpoint(folder, every)
    assert_same(trained(again), whole)
    assert_same(trained(again), whole)  # its end is kept as well, until it is discarded
    again.discard()
    assert {file.suffix for file in folder.iterdir()} == {".lock"}


def test_a_write_of_three_seconds_puts_off_the_next_until_it_is_three_percent(tmp_path, monkeypatch):
    now, save = [0.0], safetensors.torch.save_file

    def slow(*args):
        save(*args)
        now[0] += 3

    monkeypatch.setattr("nca.training.checkpoint.SHARE", SHARE)
    monkeypatch.setattr("nca.training.checkpoint.time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr("nca.training.checkpoint.safetensors.torch.save_file", slow)
    checkpoint = Checkpoint(tmp_path, 30.0)
    with checkpoint.training("DAE", {}):
        now[0] = 29.0
        assert not checkpoint.due
        now[0] = 30.0
        assert checkpoint.due
        checkpoint.write({}, {})
        now[0] = 33 + 3 / 0.03 - 1
        assert not checkpoint.due
        now[0] += 1
        assert checkpoint.due


PROGRAM = """
import sys, torch
sys.path.insert(0, {tests!r})
torch.set_num_threads(1)
from training.test_resume import Checkpoint, Ensemble, trained
import time
step = Ensemble.step
Ensemble.step = lambda *args: (time.sleep(0.02), step(*args))[1]
trained(Checkpoint({folder!r}, 0.0))
"""


@pytest.mark.slow
def test_kill_9_again_and_again_changes_no_bit(tmp_path, whole):
    program = PROGRAM.format(tests=str(Path(__file__).parents[1]), folder=str(tmp_path))
    kills = 0
    while kills < 3:
        process = subprocess.Popen([sys.executable, "-c", program], env=os.environ | {"PYTHONPATH": os.getcwd()})
        before = _stamp(tmp_path)
        while process.poll() is None and _stamp(tmp_path) == before:
            time.sleep(0.01)
        time.sleep(0.05 * kills)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, "it ended before it was killed"
        kills += 1
    assert_same(trained(Checkpoint(tmp_path, 0.0)), whole)


def _stamp(folder: Path) -> list[int]:
    return [file.stat().st_mtime_ns for file in folder.glob("*.safetensors")]


def test_a_half_written_checkpoint_leaves_the_one_before(tmp_path, whole, monkeypatch):
    checkpoint = Checkpoint(tmp_path, 0.0)
    with monkeypatch.context() as during:
        cut_after(7, during)
        with pytest.raises(Cut):
            trained(checkpoint)
    before = checkpoint.path.read_bytes()

    def full(tensors, path, metadata):
        path.write_bytes(safetensors.torch.save(tensors)[:50])
        raise safetensors.SafetensorError("IoError(Os { code: 28 }): No space left on device (os error 28)")

    with monkeypatch.context() as during:
        during.setattr("safetensors.torch.save_file", full)
        with pytest.raises(DataError, match=r"\[Errno 28\] No space left on device.*from the last complete checkpoint"):
            trained(Checkpoint(tmp_path, 0.0))
    assert checkpoint.path.read_bytes() == before
    assert_same(trained(Checkpoint(tmp_path)), whole)


def test_another_training_begins_anew_and_a_damaged_checkpoint_is_a_named_error(tmp_path, whole):
    checkpoint = Checkpoint(tmp_path)
    trained(checkpoint)
    _, histories = trained(Checkpoint(tmp_path), seeds=[1])
    assert len(list(tmp_path.glob("*.safetensors"))) == 2
    assert len(histories[0].losses) == len(whole[1][1].losses)
    checkpoint.path.write_bytes(checkpoint.path.read_bytes()[:300])
    with pytest.raises(DataError, match=r"is damaged .* delete it to start anew"):
        trained(checkpoint)
    with pytest.raises(DataError, match="cannot be written"):
        trained(Checkpoint(checkpoint.path / "below a file"))


def test_a_full_device_is_a_named_error_and_loses_nothing(tmp_path, whole, monkeypatch):
    with monkeypatch.context() as during:
        cut_after(10, during, torch.OutOfMemoryError)
        with pytest.raises(
            MemoryLimitError, match=r"3 instances of SF with 12 bins .* train fewer seeds at once.* keeps"
        ):
            trained(Checkpoint(tmp_path, 0.0))
    made = 0
    step = Ensemble.step

    def counted(*args):
        nonlocal made
        made += 1
        return step(*args)

    monkeypatch.setattr(Ensemble, "step", counted)
    assert_same(trained(Checkpoint(tmp_path)), whole)
    assert made == 3 * max(len(history.losses) for history in whole[1]) - 10


@pytest.mark.parametrize(
    "change",
    [
        {"schedule": replace(SCHEDULE, learning_rate=1e-3)},
        {"schedule": replace(SCHEDULE, betas=(0.8, 0.999))},
        {"mixture": MIXTURE * 1.5},
        {"voice": VOICE * 1.5},
        {"scale": SCALE * 1.5},
        {"precision": "bfloat16"},
    ],
)
def test_another_schedule_data_set_or_precision_of_equal_shape_starts_anew(tmp_path, change):
    """As without a checkpoint, and not from where the other training has ended."""
    trained(Checkpoint(tmp_path, 0.0))
    given = {"mixture": MIXTURE, "voice": VOICE, "scale": SCALE, "schedule": SCHEDULE, "precision": "float32"} | change
    found = []
    for checkpoint in (Checkpoint(tmp_path, 0.0), None):
        model = build("SF", 12, SEEDS)
        options = {"seeds": SEEDS, "progress": False, "checkpoint": checkpoint}
        found.append((model, train(model, **given, **options)))
    assert_same(*found)
    assert len(list(tmp_path.glob("*.safetensors"))) == 2


def test_a_checkpoint_is_not_discarded_under_another_process(tmp_path):
    checkpoint = Checkpoint(tmp_path, 0.0)
    trained(checkpoint)
    with FileLock(checkpoint.path.with_suffix(".lock"), thread_local=False):
        other = Thread(target=checkpoint.discard)
        other.start()
        other.join(0.3)
        assert other.is_alive()
        assert checkpoint.path.exists()
    other.join(10)
    assert not checkpoint.path.exists()
    checkpoint.discard()
