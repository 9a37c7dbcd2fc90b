"""Batches of segments and networks find what each finds alone, and go on where memory runs out."""

import gc
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import pytest
import torch
from samples import spectra, trained_like

import nca.memory
from nca.bench.couplings import PROCESS, _forget_peak, _memory
from nca.diagnostics import Diagnostics
from nca.errors import MemoryLimitError, ParameterError
from nca.memory import batch_size, free_memory, in_batches
from nca.models import MODELS
from nca.spectra import Geometry, Segment, profile
from nca.strategies import STRATEGIES, by_strategy
from nca.surveying import Case, drawn, footprint, song_segments, stacked, survey
from nca.training import Trained


def cases(name: str, count: int = 3, bins: int = 12, frames: int = 7) -> list[Case]:
    """Cases of random magnitudes and networks; every band is divided by 2."""
    geometry, two = Geometry(rate=110, fft=2 * (bins - 1), window=22, hop=4), torch.full((bins, 1), 2.0)
    models = [trained_like(name, bins, seed=k).float() for k in range(count)]
    networks = [Trained(model, two, two, geometry, k, [], []) for k, model in enumerate(models)]
    signals = [[spectra(bins, frames, seed=shift + k).float() for shift in (0, 10)] for k in range(count)]
    return [Case(network, Segment("song", k, 7 * k, *signals[k]), seed=20 + k) for k, network in enumerate(networks)]


def numbers(diagnostics: Diagnostics) -> dict[str, float]:
    return {name: value for name, value in diagnostics.row().items() if isinstance(value, float)}


@pytest.mark.parametrize("name", MODELS)
def test_a_batch_finds_what_each_case_finds_alone(name):
    asked = cases(name)
    together = survey(asked, STRATEGIES, 20, keep=True)
    for case, found in zip(asked, together, strict=True):
        assert list(found.couplings) == [d.strategy for d in found.diagnostics] == list(STRATEGIES)
        for strategy, couplings in found.couplings.items():
            alone = by_strategy(strategy, case.network.model, case.segment.mixture / 2, 20, case.seed)
            torch.testing.assert_close(couplings.matrix, alone.matrix, rtol=1e-3, atol=1e-5)
            assert couplings.target == alone.target
        assert found.rows()[0]["strategy"] == "student"
        row = found.rows()[0]
        assert (row["model"], row["seed"], row["song"], row["segment"]) == (
            name,
            found.case.network.seed,
            "song",
            found.case.segment.index,
        )


def test_the_figures_do_not_depend_on_the_size_of_the_batch_and_nothing_is_kept_unasked(capsys):
    asked = cases("DAE", 5)
    one, two = (survey(asked, ["student", "identity"], 5, batch=size) for size in (1, 2))
    for a, b in zip(one, two, strict=True):
        assert [d.strategy for d in a.diagnostics] == ["student", "identity"]
        assert a.couplings == {}
        for mine, other in zip(a.diagnostics, b.diagnostics, strict=True):
            assert numbers(mine) == pytest.approx(numbers(other), rel=1e-3)
    assert "5 cases, 2 at a time" in capsys.readouterr().out


def test_the_batch_is_what_the_free_memory_holds(monkeypatch, capsys):
    asked = cases("SF", 4)
    each = footprint(asked[0], ["compositional"])
    assert each >= 4 * (8 * 2 + 8) * 12**2
    assert footprint(asked[0], ["student"]) < each
    monkeypatch.setattr(nca.memory, "free_memory", lambda device: 6 * each)
    survey(asked, ["compositional"], 1)
    assert "4 cases, 3 at a time" in capsys.readouterr().out
    monkeypatch.setattr(nca.memory, "free_memory", lambda device: 0)
    assert batch_size(each, "cpu") == 1


def test_free_memory_is_some():
    assert free_memory("cpu") > 2**20


def limited(most: int, error: Exception, sizes: list[int]):
    """Work that needs memory for each item, of which there is enough for `most`."""

    def work(batch):
        sizes.append(len(batch))
        if len(batch) > most:
            raise error
        return [10 * item for item in batch]

    return work


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
        MemoryError(),
    ],
)
def test_where_memory_runs_out_the_batch_is_halved_and_nothing_is_lost(error, capsys):
    sizes: list[int] = []
    assert list(in_batches(limited(2, error, sizes), range(11), 8)) == [10 * item for item in range(11)]
    assert sizes == [8, 4, 2, 2, 2, 2, 2, 1]
    assert "ran out with 8 at once; going on with 4" in capsys.readouterr().err


def test_one_that_does_not_fit_is_a_named_error():
    with pytest.raises(MemoryLimitError, match="one problem at a time"):
        list(in_batches(limited(0, torch.OutOfMemoryError("CUDA out of memory"), []), range(3), 2))


def test_other_errors_pass():
    with pytest.raises(RuntimeError, match="size mismatch"):
        list(in_batches(limited(0, RuntimeError("size mismatch"), []), range(3), 2))


def test_memory_that_runs_out_within_a_strategy_halves_the_survey(monkeypatch, capsys):
    asked, real = cases("DAE", 3), by_strategy

    def short(name, model, mixture, *rest):
        if len(mixture) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(name, model, mixture, *rest)

    monkeypatch.setattr("nca.surveying.by_strategy", short)
    found = survey(asked, ["student"], 3)
    assert [len(one.diagnostics) for one in found] == [1, 1, 1]
    assert "ran out with 3 at once" in capsys.readouterr().err


def test_cases_that_do_not_go_together_are_named_errors():
    (dae, *_), (sf, *_) = cases("DAE"), cases("SF")
    with pytest.raises(ParameterError, match="one kind"):
        survey([dae, sf], ["student"])
    with pytest.raises(ParameterError, match="no segments"):
        survey([], ["student"])
    with pytest.raises(ParameterError, match="batch is -1"):
        survey([dae], ["student"], batch=-1)


def test_stacked_models_are_the_models():
    models = [trained_like("MSS-DAE", seed=k) for k in range(3)]
    batch = stacked(models)
    for k, model in enumerate(models):
        torch.testing.assert_close(batch.instance(k).decode(spectra()), model.decode(spectra()), rtol=0, atol=0)


def test_a_draw_is_even_and_follows_from_its_key():
    counts = torch.bincount(torch.tensor([drawn(5, "song", k) for k in range(1000)]))
    assert len(counts) == 5
    assert (counts - 200).abs().max() < 50  # four standard deviations
    assert drawn(50, "DAE", "song", 3) == drawn(50, "DAE", "song", 3)
    with pytest.raises(ParameterError, match="0 choices"):
        drawn(0, "song")


def test_a_song_is_cut_into_all_its_whole_segments(demo_songs):
    geometry = profile("demo")
    pieces = song_segments(str(demo_songs), 0, geometry, 100)
    assert [piece.start for piece in pieces] == [100 * k for k in range(len(pieces))]
    assert len(pieces) == (4 * geometry.rate // geometry.hop + 1) // 100
    with pytest.raises(ParameterError, match="none of number 9"):
        song_segments(str(demo_songs), 9, geometry)


def _peak_and_footprint(strategy: str, bins: int, batch: int) -> tuple[float, float]:
    """Most bytes that a survey of two iterations takes beside its cases, and what is planned for it."""
    for size in (33, bins):  # the small one loads what the libraries load once
        asked = cases("DAE", batch, bins=size, frames=60)
        gc.collect()
        before = _memory(torch.device("cpu"), "VmRSS")
        _forget_peak(torch.device("cpu"))
        survey(asked, [strategy], 2)
    return _memory(torch.device("cpu"), "VmHWM") - before, batch * footprint(asked[0], [strategy])


@pytest.mark.slow
@pytest.mark.skipif(not PROCESS.exists(), reason="only Linux counts a process's memory")
@pytest.mark.parametrize("strategy", ["student", "compositional", "least squares", "mean exact mapping"])
def test_a_survey_stays_within_its_footprint(strategy):
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as alone:
        peak, planned = alone.submit(_peak_and_footprint, strategy, 1025, 3).result()
    assert 0.2 * planned < peak <= planned
