"""Training against a loop written from Sec. 4.1, the schedule against its sentence, trained models against cuts."""

import json
import statistics
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from nca.errors import DataError, ParameterError
from nca.models import build
from nca.spectra import Geometry
from nca.training import History, Networks, Schedule, Trained, load_ensemble, load_trained, static_gain, train
from nca.training.batches import shuffles
from nca.training.ensemble import Ensemble

SMALL = Geometry(rate=2000, fft=22, window=16, hop=4)
SCALE = torch.full((12, 1), 0.5)


def frames(seed: int, count: int = 300) -> np.ndarray:
    return np.random.default_rng(seed).gamma(1.0, 0.5, size=(count, 12)).astype(np.float32)


MIXTURE = frames(0)
VOICE = (MIXTURE * np.linspace(0, 1, 12, dtype=np.float32)).astype(np.float32)


def reference(
    name: str, seed: int, epochs: int, betas: tuple[float, float] = (0.9, 0.999)
) -> tuple[torch.nn.Module, list[float]]:
    """One model, autograd and torch's plain Adam: Eq. (1), Eq. (3) and the settings of Sec. 4.1."""
    model = build(name, 12, seed)
    adam = torch.optim.Adam(model.parameters(), lr=1e-3, betas=betas)
    x, y = (torch.from_numpy(signal).T / SCALE for signal in (MIXTURE, VOICE))
    losses = []
    for epoch in range(epochs):
        sums = 0.0
        for order in shuffles(300, [seed], epoch)[0].split(128):
            loss = ((model(x[:, order]) - y[:, order]) ** 2).sum(0).div(12).mean()
            adam.zero_grad()
            loss.backward()
            adam.step()
            sums += loss.item() * len(order)
        losses.append(sums / 300)
    return model, losses


@pytest.mark.parametrize("name", ["DAE", "MSS-DAE", "SF"])
def test_a_batch_of_initialisations_equals_training_them_alone(name):
    seeds = [5, 6, 7]
    together = build(name, 12, seeds)
    histories = train(together, MIXTURE, VOICE, SCALE, seeds, Schedule(epochs=4), progress=False)
    for position, seed in enumerate(seeds):
        alone, losses = reference(name, seed, 4)
        np.testing.assert_allclose(histories[position].losses, losses, rtol=1e-4)
        for stacked, single in zip(together.layers, alone.layers, strict=True):
            torch.testing.assert_close(stacked.weight[position], single.weight, rtol=1e-3, atol=1e-5)


def test_other_betas_are_adams():
    """The loop written out, with other decay rates, and not the loop with the usual ones."""
    found = build("DAE", 12, [5])
    schedule = Schedule(epochs=3, betas=(0.5, 0.9))
    (history,) = train(found, MIXTURE, VOICE, SCALE, [5], schedule, progress=False)
    np.testing.assert_allclose(history.losses, reference("DAE", 5, 3, betas=(0.5, 0.9))[1], rtol=1e-4)
    assert abs(history.losses[-1] - reference("DAE", 5, 3)[1][-1]) > 1e-3 * history.losses[-1]


def test_rounded_products_are_what_a_training_asked_for_them_makes():
    losses = {}
    for precision in ("float32", "bfloat16"):
        model = build("DAE", 12, [5])
        (history,) = train(model, MIXTURE, VOICE, SCALE, [5], Schedule(epochs=2), progress=False, precision=precision)
        losses[precision] = history.losses
    assert losses["float32"] != losses["bfloat16"]
    np.testing.assert_allclose(losses["float32"], losses["bfloat16"], rtol=0.05)


def test_an_instance_that_stops_early_keeps_its_weights_and_the_others_go_on():
    seeds, schedule = [1, 2], Schedule(epochs=12, tolerance=0.08, halve_after=1, stop_after=2, learning_rate=3e-3)
    together = build("DAE", 12, seeds)
    histories = train(together, MIXTURE, VOICE, SCALE, seeds, schedule, progress=False)
    lengths = [len(history.losses) for history in histories]
    assert min(lengths) < max(lengths)
    for position, seed in enumerate(seeds):
        alone = build("DAE", 12, [seed])
        (history,) = train(alone, MIXTURE, VOICE, SCALE, [seed], schedule, progress=False)
        assert len(history.losses) == len(histories[position].losses)
        torch.testing.assert_close(together.weights[0][position], alone.weights[0][0], rtol=1e-3, atol=1e-5)


def test_eight_that_finish_apart_equal_eight_alone_and_cost_nothing_afterwards(monkeypatch):
    seeds = list(range(8))
    schedule = Schedule(epochs=9, tolerance=0.08, halve_after=1, stop_after=3, learning_rate=3e-3)
    sizes, step = [], Ensemble.step

    def noted(self, mixture, voice, rates):
        sizes.append(len(mixture))
        return step(self, mixture, voice, rates)

    with monkeypatch.context() as during:
        during.setattr(Ensemble, "step", noted)
        together = build("SF", 12, seeds)
        histories = train(together, MIXTURE, VOICE, SCALE, seeds, schedule, progress=False)
    epochs = [len(history.losses) for history in histories]
    assert len(set(epochs)) > 2
    assert any(
        len({history.rates[epoch] for history in histories if len(history.rates) > epoch}) > 1 for epoch in range(9)
    )
    assert sizes == [sum(epoch < each for each in epochs) for epoch in range(max(epochs)) for _ in range(3)]
    for position, seed in enumerate(seeds):
        alone = build("SF", 12, [seed])
        (history,) = train(alone, MIXTURE, VOICE, SCALE, [seed], schedule, progress=False)
        np.testing.assert_allclose(histories[position].losses, history.losses, rtol=1e-4)
        assert histories[position].rates == history.rates
        for stacked, single in zip(together.parameters(), alone.parameters(), strict=True):
            torch.testing.assert_close(stacked[position], single[0], rtol=1e-3, atol=1e-5)


def test_tensors_and_half_precision_train_as_arrays_do():
    half = [signal.astype(np.float16) for signal in (MIXTURE, VOICE)]
    full = [signal.astype(np.float32) for signal in half]
    found = []
    for signals in (full, half, [torch.from_numpy(signal) for signal in half]):
        model = build("MSS-DAE", 12, [0, 1])
        train(model, *signals, SCALE, [0, 1], Schedule(epochs=2), progress=False)
        found.append(model)
    for other in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0].parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize("name", ["DAE", "MSS-DAE", "SF"])
def test_rounded_products_follow_the_same_slope(name):
    signals = [torch.from_numpy(signal[:128]).T.unsqueeze(0) for signal in (MIXTURE, VOICE)]
    gradients = []
    for dtype in (torch.float32, torch.bfloat16):
        ensemble = Ensemble(build(name, 12, [4]), dtype)
        padded = (torch.nn.functional.pad(signal, (0, 0, 0, ensemble.width - 12)) for signal in signals)
        ensemble.step(*padded, [1e-3])
        assert all(gradient.dtype == torch.float32 for gradient in ensemble.gradients)
        gradients.append(torch.cat([gradient.flatten() for gradient in ensemble.gradients]))
    assert 0 < (gradients[0] - gradients[1]).norm() < 0.1 * gradients[0].norm()


def test_padding_changes_nothing(monkeypatch):
    mixture, voice = (torch.from_numpy(signal[:128]).T.unsqueeze(0) for signal in (MIXTURE, VOICE))
    models, losses = [build("SF", 12, [4]) for _ in range(2)], []
    for model, width in zip(models, (12, 64), strict=True):
        monkeypatch.setattr("nca.training.ensemble.padded", lambda bins, device, width=width: width)
        ensemble = Ensemble(model, torch.float32)
        for _ in range(3):
            padded = [torch.nn.functional.pad(signal, (0, 0, 0, width - 12)) for signal in (mixture, voice)]
            losses.append(ensemble.step(*padded, [1e-3]).item())
        assert all((p[:, 12:] == 0).all() for p in ensemble.parameters)
        ensemble.restore()
    assert losses[:3] == pytest.approx(losses[3:], rel=1e-5)
    for a, b in zip(models[0].parameters(), models[1].parameters(), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.timing
@pytest.mark.slow
def test_eight_at_once_cost_no_more_than_eight_alone():
    """Both in turn, so that whatever else the machine does meets both alike.

    Eight networks that differ, as they do together: a single one that is stepped eight times may stay in the cache.
    """
    together = Ensemble(build("DAE", 513, list(range(8))), torch.float32)
    alone = [Ensemble(build("DAE", 513, [i]), torch.float32) for i in range(8)]
    signals = [torch.rand(8, together.width, 128, generator=torch.Generator().manual_seed(i)) for i in (0, 1)]
    ratios = []
    for _ in range(40):
        start = time.perf_counter()
        for i, each in enumerate(alone):
            each.step(*(signal[i : i + 1] for signal in signals), [1e-3])
        middle = time.perf_counter()
        together.step(*signals, [1e-3] * 8)
        ratios.append((time.perf_counter() - middle) / (middle - start))
    assert statistics.median(ratios[5:]) <= 1.05


def test_every_epoch_meets_every_frame_once_in_an_order_of_its_own():
    orders = [shuffles(300, [3, 4], epoch) for epoch in (0, 1)]
    for order in orders:
        assert order.shape == (2, 300)
        assert (order.sort(-1).values == torch.arange(300)).all()
    assert not torch.equal(orders[0], orders[1])
    assert not torch.equal(orders[0][0], orders[0][1])


def test_the_rate_is_halved_after_two_epochs_and_training_ends_after_four():
    history, schedule = History(1e-3), Schedule()
    for loss, rate, finished in [
        (5, 1e-3, False),
        (4, 1e-3, False),
        (4, 1e-3, False),
        (4.5, 5e-4, False),  # two epochs without improvement
        (3.9, 5e-4, False),
        (3.9, 5e-4, False),
        (3.9, 2.5e-4, False),
        (3.9, 2.5e-4, False),
        (3.9, 2.5e-4, True),  # four
    ]:
        history.record(loss, schedule)
        assert (history.learning_rate, history.finished(schedule)) == (pytest.approx(rate), finished)


def test_the_best_loss_is_the_least_and_not_the_last():
    history, schedule = History(1e-3), Schedule()
    for loss in (5, 4, 5, 4.5):
        history.record(loss, schedule)
    assert (history.best, history.waited) == (4, 2)


def test_a_relative_threshold_and_an_epoch_limit():
    history, schedule = History(1e-3), Schedule(tolerance=0.01, epochs=3)
    for loss in (1.0, 0.995, 0.98):
        assert not history.finished(schedule)
        history.record(loss, schedule)
    assert (history.waited, history.finished(schedule)) == (0, True)


def test_static_gain_is_the_least_squares_factor_of_each_band(monkeypatch):
    monkeypatch.setattr("nca.training.baseline.CHUNK", 7)
    noisy = VOICE + frames(3)
    expected = [np.linalg.lstsq(MIXTURE[:, [k]], noisy[:, k], rcond=None)[0][0] for k in range(12)]
    np.testing.assert_allclose(static_gain(MIXTURE, noisy)[:, 0], expected, rtol=1e-5)
    np.testing.assert_allclose(static_gain(1e-4 * MIXTURE, 1e-4 * noisy)[:, 0], expected, rtol=1e-5)  # however quiet
    silent = MIXTURE.copy()
    silent[:, 4] = 0
    assert static_gain(silent, noisy)[4].item() == 0


def test_a_trained_model_is_read_back_whole_or_not_at_all(tmp_path):
    model = build("MSS-DAE", 12, 3)
    Trained(model, SCALE, 0.5 * SCALE, SMALL, 3, [1.0, 0.5], [1e-3, 1e-3]).save(tmp_path / "run")
    again = load_trained(tmp_path / "run")
    mixture = torch.rand(12, 4)
    assert torch.equal(again.model(mixture), model(mixture))
    assert (again.geometry, again.seed, again.losses) == (SMALL, 3, [1.0, 0.5])
    assert torch.equal(again.static_gain, 0.5 * SCALE)
    weights = tmp_path / "run" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(DataError, match="no complete trained model"):
        load_trained(tmp_path / "run")
    with pytest.raises(DataError, match="train it again"):
        load_trained(tmp_path / "nothing")
    assert json.loads((tmp_path / "run" / "model.json").read_text())["model"] == "MSS-DAE"


def test_bad_input_is_a_named_error():
    model = build("DAE", 12, [0])
    with pytest.raises(DataError, match="as many frames of voice"):
        train(model, MIXTURE, VOICE[:-1], SCALE, [0])
    with pytest.raises(DataError, match="as many frames of voice"):
        train(model, MIXTURE, VOICE[:, :-1], SCALE, [0])
    with pytest.raises(DataError, match="as many frames"):
        train(model, MIXTURE[:0], VOICE[:0], SCALE, [0])
    with pytest.raises(ParameterError, match="2 instances for 2 seeds"):
        train(model, MIXTURE, VOICE, SCALE, [0, 1])
    broken = MIXTURE.copy()
    broken[7, 3] = np.nan
    with pytest.raises(DataError, match="loss of DAE is not finite"):
        train(model, broken, VOICE, SCALE, [0], Schedule(epochs=1), progress=False)
    with pytest.raises(ParameterError, match="precision is 'half'; choose one of float32, tf32, bfloat16"):
        train(model, MIXTURE, VOICE, SCALE, [0], precision="half")
    with pytest.raises(ParameterError, match="CUDA devices alone"):
        train(model, MIXTURE, VOICE, SCALE, [0], precision="tf32")
    with pytest.raises(ParameterError, match="batch is 0"):
        Schedule(batch=0)
    with pytest.raises(ParameterError, match="epochs is 0"):
        Schedule(epochs=0)


def test_initialisations_of_one_run_lie_in_folders_of_their_own_and_one_alone_in_the_run(tmp_path):
    models = {seed: build("DAE", 12, seed) for seed in (0, 2, 10)}
    for seed, model in models.items():
        Trained(model, SCALE, 2 * SCALE, SMALL, seed, [1.0], [1e-3]).save(tmp_path / "many" / f"seed{seed}")
    Trained(models[2], SCALE, 2 * SCALE, SMALL, 2, [1.0], [1e-3]).save(tmp_path / "one")
    for folder in ("many", "one"):
        assert torch.equal(load_trained(tmp_path / folder, 2).model.weights[0], models[2].weights[0])
    assert [one.seed for one in load_ensemble(tmp_path / "many")] == [0, 2, 10]
    assert [one.seed for one in load_ensemble(tmp_path / "one")] == [2]
    with pytest.raises(DataError, match="holds the initialisations 0, 2, 10, and seed is 1"):
        load_trained(tmp_path / "many", 1)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_training_leaves_torch_as_it_was(precision):
    tiny = torch.tensor(5e-324, dtype=torch.float64)
    before = torch.get_float32_matmul_precision()
    train(build("DAE", 12, [0]), MIXTURE, VOICE, SCALE, [0], Schedule(epochs=1), progress=False, precision=precision)
    assert (tiny * 1).item() > 0
    assert torch.get_float32_matmul_precision() == before
    torch.set_flush_denormal(True)
    try:
        train(build("DAE", 12, [0]), MIXTURE, VOICE, SCALE, [0], Schedule(epochs=1), progress=False)
        assert (tiny * 1).item() == 0
    finally:
        torch.set_flush_denormal(False)


def test_a_seed_that_the_only_model_does_not_have_is_a_named_error(tmp_path):
    Trained(build("DAE", 12, 2), SCALE, 2 * SCALE, SMALL, 2, [1.0], [1e-3]).save(tmp_path)
    assert load_trained(tmp_path).seed == load_trained(tmp_path, 2).seed == 2
    with pytest.raises(DataError, match="holds the initialisations 2, and seed is 3"):
        load_trained(tmp_path, 3)


@pytest.mark.parametrize(
    "broken", ["[]", "{}", '{"model": "DAE"}', '{"model": "UNet", "geometry": {}}', "null", '"text"', "[1, 2", "\x00"]
)
def test_a_broken_description_is_a_named_error(tmp_path, broken):
    Trained(build("DAE", 12, 2), SCALE, 2 * SCALE, SMALL, 2, [1.0], [1e-3]).save(tmp_path)
    (tmp_path / "model.json").write_text(broken)
    with pytest.raises(DataError, match="no complete trained model"):
        load_trained(tmp_path)


def test_weights_of_another_network_are_a_named_error(tmp_path):
    Trained(build("DAE", 12, 2), SCALE, 2 * SCALE, SMALL, 2, [1.0], [1e-3]).save(tmp_path / "DAE")
    Trained(build("MSS-DAE", 12, 2), SCALE, 2 * SCALE, SMALL, 2, [1.0], [1e-3]).save(tmp_path / "MSS")
    (tmp_path / "MSS" / "model.safetensors").rename(tmp_path / "DAE" / "model.safetensors")
    with pytest.raises(DataError, match=r"no complete trained model .*weights\.2"):
        load_trained(tmp_path / "DAE")


def test_networks_are_ordered_by_seed_and_of_one_seed_as_they_were_found(monkeypatch):
    monkeypatch.setattr("nca.training.trained._load", lambda folder: folder.name)
    found = Networks([(2, Path("b")), (1, Path("c")), (2, Path("a"))])
    assert (found.seeds, found[:]) == ([1, 2, 2], ["c", "b", "a"])
    assert [found.of_seed(seed) for seed in (1, 2, 3)] == [["c"], ["b", "a"], []]
