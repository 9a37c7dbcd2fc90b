"""What training does where nothing is said, what it shows, and what its files are called and hold."""

import inspect
import os
from types import SimpleNamespace

import numpy as np
import pytest
import safetensors.torch
import torch
from training.test_training import MIXTURE, SCALE, SMALL, VOICE, reference

from nca.errors import ParameterError
from nca.models import build
from nca.training import Checkpoint, History, Schedule, Trained, find_networks, load_trained, train
from nca.training.batches import gather, shuffles, surrounded
from nca.training.ensemble import Ensemble
from nca.training.instances import Instances
from nca.training.loop import SAMPLE, _identity
from nca.training.stack import Stack


class Bar:
    """In the place of tqdm: what it was told."""

    def __init__(self, **about):
        self.about, self.counts, self.shown = about, [], []

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None

    def update(self, count):
        self.counts.append(count)

    def set_postfix(self, **shown):
        self.shown.append(shown)


@pytest.fixture
def bars(monkeypatch):
    made = []
    monkeypatch.setattr("nca.training.loop.tqdm", lambda **about: made.append(Bar(**about)) or made[-1])
    return made


def test_the_bar_counts_frames_to_the_last_and_shows_the_best_loss(bars):
    (history, other) = train(build("DAE", 12, [5, 6]), MIXTURE, VOICE, SCALE, [5, 6], Schedule(epochs=2))
    (bar,) = bars
    assert bar.about | {"desc": "DAE x 2", "initial": 0, "total": 600, "unit": "frame", "disable": False} == bar.about
    assert bar.counts == [128, 128, 44] * 2
    best = min(*history.losses, *other.losses)
    assert bar.shown[-1] == {"epoch": 2, "loss": f"{best:.4f}", "active": 0}


def test_a_training_without_a_limit_has_no_total_and_one_that_goes_on_begins_where_it_stopped(bars, tmp_path):
    schedule = Schedule(epochs=2)
    train(build("DAE", 12, [5]), MIXTURE, VOICE, SCALE, [5], Schedule(tolerance=0.9), progress=False)
    for _ in range(2):
        train(build("DAE", 12, [5]), MIXTURE, VOICE, SCALE, [5], schedule, checkpoint=Checkpoint(tmp_path))
    endless, first, again = (bar.about for bar in bars)
    assert (endless["total"], endless["disable"]) == (None, True)
    assert (first["initial"], again["initial"]) == (0, 600)
    assert bars[-1].counts == []  # nothing is left to do, and nothing is done twice


def test_the_losses_of_an_epoch_are_summed_in_double_precision(tmp_path):
    checkpoint = Checkpoint(tmp_path)
    train(build("DAE", 12, [5]), MIXTURE, VOICE, SCALE, [5], Schedule(epochs=1), False, checkpoint=checkpoint)
    assert safetensors.torch.load_file(checkpoint.path)["totals"].dtype == torch.float64


def test_progress_is_shown_unless_it_is_not_wanted(capsys, tmp_path):
    for progress in (True, False):
        checkpoint = Checkpoint(tmp_path / str(progress))
        told = {} if progress else {"progress": False}
        train(build("DAE", 12, [5]), MIXTURE, VOICE, SCALE, [5], Schedule(epochs=1), checkpoint=checkpoint, **told)
        out, shown = capsys.readouterr()
        assert out == ""
        assert ("DAE x 1" in shown) == (f"DAE: kept in {checkpoint.path} while it trains" in shown) == progress
    assert shown == ""


def test_the_settings_of_section_4_1_are_the_default(bars):
    assert Schedule() == Schedule(128, 1e-3, (0.9, 0.999), halve_after=2, stop_after=4, tolerance=0.0, epochs=None)
    (history,) = train(build("DAE", 12, [5]), MIXTURE, VOICE, SCALE, [5], Schedule(epochs=2))
    np.testing.assert_allclose(history.losses, reference("DAE", 5, 2)[1], rtol=1e-4)
    rounded, single = (
        train(build("DAE", 12, [5]), MIXTURE, VOICE, SCALE, [5], Schedule(epochs=2), precision=precision)[0].losses
        for precision in ("bfloat16", "float32")
    )
    assert history.losses == single != rounded
    for kind in (Ensemble, Instances):
        assert inspect.signature(kind).parameters["betas"].default == Schedule().betas


def test_any_decrease_is_an_improvement_and_an_equal_loss_is_none():
    history, schedule = History(1e-3), Schedule()
    waited = []
    for loss in (1.0, 1 - 1e-12, 1 - 1e-12, 1 - 2e-12):
        history.record(loss, schedule)
        waited.append(history.waited)
    assert waited == [0, 0, 1, 0]
    assert (history.best, history.losses[-1], history.rates) == (1 - 2e-12, 1 - 2e-12, [1e-3] * 4)
    assert History(1e-3) == History(1e-3, float("inf"), 0, [], [])


@pytest.mark.parametrize("name", ["batch", "learning_rate", "halve_after", "stop_after"])
def test_what_must_be_above_zero_is_refused_at_zero_and_taken_above(name):
    with pytest.raises(ParameterError, match=f"{name} is 0; it must be above zero"):
        Schedule(**{name: 0})
    assert getattr(Schedule(**{name: 1}), name) == 1
    assert Schedule(epochs=1).epochs == 1


def test_a_shuffle_is_the_same_on_every_machine():
    """NumPy's mixing of seed and epoch, and torch's permutation, are both promised to stay as they are."""
    mixed = int(np.random.SeedSequence([3, 7]).generate_state(1, np.uint64)[0]) >> 1
    expected = torch.randperm(9, generator=torch.Generator().manual_seed(mixed))
    order = shuffles(9, [3], 7)
    assert order.tolist() == [expected.tolist()]
    assert order.dtype == torch.int32
    blocks = shuffles(11, [3, 4], 7, block=2)  # five blocks; the eleventh frame is left out
    assert blocks.dtype == torch.int32
    assert blocks.shape == (2, 10)
    assert (blocks[:, 1::2] == blocks[:, ::2] + 1).all()


def test_frames_are_gathered_scaled_and_padded_with_zeros_only_where_asked():
    order = torch.tensor([[4, 0], [7, 7]])
    for signal in (MIXTURE, torch.from_numpy(MIXTURE)):
        for width in (12, 16):
            found = gather(signal, order, SCALE, width)
            assert found.shape == (2, width, 2)
            assert found.dtype == torch.float32
            expected = (MIXTURE[order.numpy()] / SCALE.numpy().T).transpose(0, 2, 1)
            np.testing.assert_allclose(found[:, :12], expected, rtol=1e-6)
            assert (found[:, 12:] == 0).all()
    assert surrounded(order, 1, 0, 9) is order
    assert surrounded(order.int(), 2, 1, 9).dtype == torch.int32


def test_a_checkpoint_is_of_one_training_whatever_the_order_of_what_describes_it(tmp_path):
    checkpoint, paths = Checkpoint(tmp_path / "above" / "folder"), []
    for identity in ({"a": 1, "b": [2]}, {"b": [2], "a": 1}, {"a": 1, "b": [3]}):
        with checkpoint.training("DAE", identity):
            paths.append(checkpoint.path)
    assert paths[0] == paths[1] != paths[2]
    assert paths[0].name.startswith("DAE-")
    assert len(paths[0].stem) == len("DAE-") + 16


def test_a_checkpoint_is_written_when_it_is_time_and_on_disk_before_it_replaces_the_last(tmp_path, monkeypatch):
    now, done = [100.0], []
    monkeypatch.setattr("nca.training.checkpoint.time", SimpleNamespace(monotonic=lambda: now[0]))
    kept = {name: getattr(os, name) for name in ("fsync", "replace")}
    for name, function in kept.items():
        monkeypatch.setattr(os, name, lambda *given, n=name, f=function: (done.append(n), f(*given))[1])
    checkpoint = Checkpoint(tmp_path)
    assert checkpoint.seconds == 30
    with checkpoint.training("DAE", {}):
        assert checkpoint.read() is None
        for start in (100.0, 130.0):  # the second write begins when the first is 30 seconds old
            now[0] = start + 29.9
            assert not checkpoint.due
            now[0] = start + 30
            assert checkpoint.due
            checkpoint.write({"x": torch.ones(2)}, {"batch": 3})
        assert done == ["fsync", "replace"] * 2
        tensors, state = checkpoint.read()
    assert (tensors["x"].tolist(), state) == ([1, 1], {"batch": 3})
    partial = checkpoint.path.with_suffix(".partial")
    partial.write_text("cut off")
    checkpoint.discard()
    checkpoint.discard()  # what is gone is no error
    assert [one.suffix for one in tmp_path.iterdir()] == [".lock"]
    Checkpoint(tmp_path).discard()  # nor what never began


def test_a_training_is_told_by_its_frames_wherever_a_sample_of_them_lies():
    assert SAMPLE == 64

    def identity(mixture, voice=VOICE):
        schedule = Schedule()
        return _identity(build("DAE", 12, [5]), mixture, voice, SCALE, [5], schedule, "float32")["data"]

    known = identity(MIXTURE)
    assert identity(torch.from_numpy(MIXTURE)) == known
    for frame in (0, 299):
        other = MIXTURE.copy()
        other[frame, -1] += 1
        assert identity(other) != known
        assert identity(MIXTURE, other) != known
    assert identity(MIXTURE[:5], VOICE[:5]) != known  # fewer than a sample
    other = MIXTURE.copy()
    other[1] += 1
    assert identity(other) == known  # of a million frames, no more are read than the sample


def test_rows_come_into_another_order_with_their_moments_and_go_back(monkeypatch):
    monkeypatch.setattr(Stack, "__abstractmethods__", frozenset())
    stack = Stack([torch.arange(6.0).reshape(3, 2), torch.arange(3.0)], 2, (0.9, 0.999))
    for moment in stack.moments[0]:
        moment.copy_(torch.arange(3.0).reshape(3, *[1] * (moment.ndim - 1)).expand_as(moment) + 10)
    stack.arrange([2, 0, 1])
    assert stack.rows == [2, 0, 1]
    assert stack.parameters[0].tolist() == [[4, 5], [0, 1], [2, 3]]
    assert stack.moments[0][1].tolist() == [12, 10, 11]
    kept = {name: tensor.clone() for name, tensor in stack.tensors(2).items()}
    assert sorted(kept) == [f"{kind}.{j}" for kind in ("moment1", "moment2", "parameter") for j in (0, 1)]
    assert kept["moment1.1"].tolist() == [12, 10]
    stack.restore()
    assert (stack.rows, stack.parameters[1].tolist()) == ([0, 1, 2], [0, 1, 2])
    stack.load(kept, [2, 0, 1], 7)
    assert (stack.rows, stack.steps, stack.parameters[1].tolist()) == ([2, 0, 1], 7, [2, 0, 1])


def test_a_network_is_known_by_model_weights_and_scale_and_kept_in_single_precision_unless_told(tmp_path):
    def network(name="DAE", seed=3, scale=SCALE):
        return Trained(build(name, 12, seed), scale, 0.5 * SCALE, SMALL, 3, [1.0], [1e-3])

    one = network()
    assert one.digest == network().digest
    assert len(one.digest) == 16
    assert len({each.digest for each in (one, network("SF"), network(seed=4), network(scale=2 * SCALE))}) == 4
    one.save(tmp_path / "single")
    one.save(tmp_path / "half", torch.float16)
    for name, dtype in (("single", torch.float32), ("half", torch.float16)):
        stored = safetensors.torch.load_file(tmp_path / name / "model.safetensors")
        assert {tensor.dtype for tensor in stored.values()} == {dtype}
        again = load_trained(tmp_path / name)
        assert {p.dtype for p in again.model.parameters()} == {torch.float32}
        assert not any(p.requires_grad for p in again.model.parameters())
    assert load_trained(tmp_path / "single").digest == one.digest
    (tmp_path / "run" / "seedling").mkdir(parents=True)  # a folder of somebody else's
    one.save(tmp_path / "run" / "seed3")
    assert find_networks([tmp_path / "run", tmp_path / "single"])["DAE"].seeds == [3, 3]
