"""Training on blocks of consecutive frames: against a loop written from Sec. 4.1, cut and resumed, and its errors."""

import numpy as np
import pytest
import torch
from training.test_resume import Cut, assert_same, cut_after
from training.test_training import MIXTURE, SCALE, SMALL, VOICE

from nca.errors import DataError, ParameterError
from nca.models import FUTURE, TEMPORAL, build
from nca.training import Checkpoint, Schedule, Trained, load_trained, train
from nca.training.batches import shuffles, surrounded
from nca.training.ensemble import Ensemble
from nca.training.instances import Instances

SEEDS = [3, 1, 2]
# three steps an epoch of nine blocks; with these tolerances the instances halve and stop in different epochs
TOLERANCES = {"context-DAE": 0.02}
FRAMES = 288  # of 300, nine blocks of 32
every = pytest.mark.parametrize("name", FUTURE)
beyond = pytest.mark.parametrize("name", list(TEMPORAL))


def trained(name, checkpoint=None, seeds=SEEDS, precision="float32"):
    model, options = build(name, 12, seeds), {"precision": precision, "checkpoint": checkpoint}
    schedule = Schedule(learning_rate=3e-3, halve_after=1, stop_after=3, tolerance=TOLERANCES.get(name, 0.1), epochs=12)
    return model, train(model, MIXTURE, VOICE, SCALE, seeds, schedule, progress=False, **options)


def reference(name, seed, epochs):
    """One model, autograd and torch's plain Adam, on batches of shuffled blocks cut out of the song."""
    model = build(name, 12, seed)
    adam = torch.optim.Adam(model.parameters(), lr=1e-3)
    cut, around = {"context-DAE": (1, 2), "GRU-mask": (32, 0), "CNN-mask": (32, 0)}.get(name, (1, 0))
    X, Y = (torch.from_numpy(signal).T / SCALE for signal in (MIXTURE, VOICE))
    X = torch.nn.functional.pad(X, (around, around), mode="replicate")
    starts = range(0, 300 // cut * cut, cut)
    x = torch.stack([X[:, start : start + cut + 2 * around] for start in starts])
    y = torch.stack([Y[:, start : start + cut] for start in starts])
    losses = []
    for epoch in range(epochs):
        sums = 0.0
        for order in shuffles(len(x), [seed], epoch)[0].split(128 // cut):
            made = model.decode_inner(x[order]) if around else model(x[order])
            loss = (made - y[order]).square().mean()
            adam.zero_grad()
            loss.backward()
            adam.step()
            sums += loss.item() * len(order)
        losses.append(sums / len(x))
    return model, losses


@every
def test_training_is_the_loop_of_section_4_1(name):
    found, seeds = build(name, 12, SEEDS), SEEDS
    histories = train(found, MIXTURE, VOICE, SCALE, seeds, Schedule(epochs=3), progress=False)
    for position, seed in enumerate(seeds):
        alone, losses = reference(name, seed, 3)
        np.testing.assert_allclose(histories[position].losses, losses, rtol=1e-4)
        for ours, theirs in zip(found.instance(position).parameters(), alone.parameters(), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-5)


@every
def test_instances_that_finish_apart_end_as_if_alone_and_in_the_same_bits_again(name):
    together, histories = trained(name)
    assert len({len(history.losses) for history in histories}) > 1
    assert_same(trained(name), (together, histories))
    for position, seed in enumerate(SEEDS):
        alone, (history,) = trained(name, seeds=[seed])
        np.testing.assert_allclose(histories[position].losses, history.losses, rtol=1e-4)
        for ours, theirs in zip(together.instance(position).parameters(), alone.instance(0).parameters(), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-5)


@every
@pytest.mark.parametrize("steps", [0, 2, 10])
def test_wherever_it_is_cut_it_ends_in_the_same_bits(name, steps, tmp_path, monkeypatch):
    monkeypatch.setattr("nca.training.checkpoint.SHARE", float("inf"))
    with monkeypatch.context() as during:
        cut_after(steps, during, kind=Instances if name in TEMPORAL else Ensemble)
        with pytest.raises(Cut):
            trained(name, Checkpoint(tmp_path, 0.0))
    assert_same(trained(name, Checkpoint(tmp_path, 0.0)), trained(name))


@beyond
def test_rounded_products_follow_the_same_slope(name):
    losses = {precision: trained(name, precision=precision)[1][0].losses[:2] for precision in ("float32", "bfloat16")}
    assert losses["float32"] != losses["bfloat16"]
    np.testing.assert_allclose(losses["float32"], losses["bfloat16"], rtol=0.05)


def test_every_epoch_meets_every_block_once_in_an_order_of_its_own():
    orders = [shuffles(300, [3, 4], epoch, 32) for epoch in (0, 1)]
    for order in orders:
        assert (order.sort(-1).values == torch.arange(FRAMES)).all()
        assert (order.unflatten(-1, (-1, 32)).diff() == 1).all()
    assert not torch.equal(orders[0], orders[1])
    assert not torch.equal(orders[0][0], orders[0][1])


def test_a_frame_is_shown_with_those_around_it():
    order = torch.tensor([[4, 0, 9]])
    assert surrounded(order, 1, 2, 10).tolist() == [[2, 3, 4, 5, 6, 0, 0, 0, 1, 2, 7, 8, 9, 9, 9]]
    assert surrounded(torch.tensor([[4, 5, 0, 1]]), 2, 1, 10).tolist() == [[3, 4, 5, 6, 0, 0, 1, 2]]
    assert surrounded(order, 1, 0, 10) is order


@pytest.mark.parametrize("name", ["GRU-mask", "CNN-mask"])
def test_a_training_that_does_not_fit_the_blocks_is_a_named_error(name):
    model = build(name, 12, [0])
    with pytest.raises(DataError, match=f"{name} is trained on blocks of 32 frames, and there are 31"):
        train(model, MIXTURE[:31], VOICE[:31], SCALE, [0], progress=False)
    with pytest.raises(ParameterError, match="batch is 100; give a multiple of the 32 frames"):
        train(model, MIXTURE, VOICE, SCALE, [0], Schedule(batch=100), progress=False)
    with pytest.raises(ParameterError, match="2 instances for 2 seeds"):
        train(model, MIXTURE, VOICE, SCALE, [0, 1], progress=False)
    with pytest.raises(ParameterError, match="1 instances for 1 seeds"):
        train(build(name, 12, 0), MIXTURE, VOICE, SCALE, [0], progress=False)


@every
def test_a_trained_model_is_read_back(name, tmp_path):
    model, histories = trained(name)
    for i, seed in enumerate(SEEDS):
        about = (SCALE, 0.5 * SCALE, SMALL, seed, histories[i].losses, histories[i].rates)
        Trained(model.instance(i), *about).save(tmp_path / f"seed{seed}")
    again, mixture = load_trained(tmp_path, 1), torch.rand(12, 40)
    assert torch.equal(again.model(mixture), model.instance(1)(mixture))
    assert again.model.name == name
    assert len({load_trained(tmp_path, seed).digest for seed in SEEDS}) == 3
