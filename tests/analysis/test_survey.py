"""Batches of segments and networks find what each finds alone, from every start, and go on where memory runs out."""

import gc

import pytest
import torch
from samples import spectra, trained_like

import nca.support.memory
from nca.analysis.diagnostics import Diagnostics
from nca.analysis.strategies import CLOSED, ITERATED, SEEDED, STRATEGIES, by_strategy
from nca.analysis.survey import (
    UNTRAINED,
    SegmentJob,
    footprint,
    judge,
    song_segment,
    song_segments,
    survey,
)
from nca.bench import memory
from nca.couplings import student
from nca.errors import MemoryLimitError, ParameterError
from nca.mapping import mean_mapping, offset_share
from nca.metrics import correlation, tod_ratio
from nca.models import MODELS, build
from nca.spectra import Geometry, Segment, profile
from nca.support.digests import seeded_choice
from nca.support.memory import batch_size, free_memory, in_batches
from nca.support.processes import COUNTED, in_subprocess
from nca.training import Trained

CPU = torch.device("cpu")


def jobs(name: str, count: int = 3, bins: int = 12, frames: int = 7) -> list[SegmentJob]:
    """Jobs of random magnitudes and networks; every band is divided by 2."""
    geometry, two = Geometry(rate=110, fft=2 * (bins - 1), window=22, hop=4), torch.full((bins, 1), 2.0)
    models = [trained_like(name, bins, seed=k).float() for k in range(count)]
    networks = [Trained(model, two, two, geometry, k, [], []) for k, model in enumerate(models)]
    signals = [[spectra(bins, frames, seed=shift + k).float() for shift in (0, 10)] for k in range(count)]
    return [
        SegmentJob(network, Segment("song", k, 7 * k, *signals[k]), seed=20 + k) for k, network in enumerate(networks)
    ]


def numbers(diagnostics: Diagnostics) -> dict[str, float]:
    return {name: value for name, value in diagnostics.row().items() if isinstance(value, float)}


@pytest.mark.parametrize("name", MODELS)
def test_a_batch_finds_what_each_job_finds_alone(name):
    asked = jobs(name)
    together = survey(asked, STRATEGIES, 20, keep=True)
    for job, found in zip(asked, together, strict=True):
        assert list(found.couplings) == [d.strategy for d in found.diagnostics] == list(STRATEGIES)
        for strategy, couplings in found.couplings.items():
            alone = by_strategy(strategy, job.network.model, job.segment.mixture / 2, 20, job.seed)
            torch.testing.assert_close(couplings.matrix, alone.matrix, rtol=1e-3, atol=1e-5)
            assert couplings.target == alone.target
        assert found.rows()[0]["strategy"] == "student"
        row = found.rows()[0]
        assert (row["model"], row["seed"], row["song"], row["segment"]) == (
            name,
            found.job.network.seed,
            "song",
            found.job.segment.index,
        )


def test_the_figures_do_not_depend_on_the_size_of_the_batch_and_nothing_is_kept_unasked(capsys):
    asked = jobs("DAE", 5)
    one, two = (survey(asked, ["student", "identity"], 5, batch=size) for size in (1, 2))
    for a, b in zip(one, two, strict=True):
        assert [d.strategy for d in a.diagnostics] == ["student", "identity"]
        assert a.couplings == {}
        for mine, other in zip(a.diagnostics, b.diagnostics, strict=True):
            assert numbers(mine) == pytest.approx(numbers(other), rel=1e-3)
    assert "segments: 5, 2 at a time" in capsys.readouterr().out


def test_the_batch_is_what_the_free_memory_holds(monkeypatch, capsys):
    asked = jobs("SF", 4)
    each = footprint(asked[0], ["compositional"])
    assert each == 4 * ((8 * 2 + 9) * 16**2 + (2 * 2 + 8) * 16 * 7)  # 12 bands, padded
    assert footprint(asked[0], ["student"]) < footprint(asked[0], ["student"], starts=2) < each
    monkeypatch.setattr(nca.support.memory, "free_memory", lambda device: 6 * each)
    survey(asked, ["compositional"], 1)
    assert "segments: 4, 3 at a time" in capsys.readouterr().out
    monkeypatch.setattr(nca.support.memory, "free_memory", lambda device: 0)
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
    asked, real = jobs("DAE", 3), by_strategy

    def short(name, model, mixture, *rest):
        if len(mixture) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(name, model, mixture, *rest)

    monkeypatch.setattr("nca.analysis.survey.by_strategy", short)
    found = survey(asked, ["student"], 3)
    assert [len(one.diagnostics) for one in found] == [1, 1, 1]
    assert "ran out with 3 at once" in capsys.readouterr().err


def test_jobs_that_do_not_go_together_are_named_errors():
    (dae, *_), (sf, *_) = jobs("DAE"), jobs("SF")
    with pytest.raises(ParameterError, match="one kind"):
        survey([dae, sf], ["student"])
    with pytest.raises(ParameterError, match="no segments"):
        survey([], ["student"])
    with pytest.raises(ParameterError, match="batch is -1"):
        survey([dae], ["student"], batch=-1)
    with pytest.raises(ParameterError, match="starts is 0"):
        survey([dae], ["student"], starts=0)


def test_every_row_is_what_the_strategy_finds_alone():
    (job, *_) = jobs("MSS-DAE")
    model, mixture = job.network.model, job.segment.mixture / 2
    rows = judge(job, ["student", "compositional (gates start)", "least squares"], 4, starts=2)
    assert [(row["strategy"], row["start"]) for row in rows] == [
        ("student", 0),
        ("student", 1),
        ("compositional (gates start)", 0),
        ("least squares", 0),
        (UNTRAINED, 0),
    ]
    alone = [student(model, mixture, iterations=4, seed=job.seed + start) for start in (0, 1)]
    for row, couplings in zip(rows, alone, strict=False):
        assert row["tod_ratio"] == pytest.approx(tod_ratio(couplings.matrix).item(), rel=1e-5)
        alike = correlation(alone[0].matrix, alone[1].matrix).item()
        assert row["seed_correlation"] == pytest.approx(alike, rel=1e-4, abs=1e-6)
    assert rows[2]["seed_correlation"] is None
    assert rows[0]["offset_share"] == pytest.approx(offset_share(model, mixture).item(), rel=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_the_same_is_asked_of_all_three_networks(name):
    """Mixture to voice: by autodiff of the network as it is called, and by a fit to that voice, not to the mask."""
    (job, *_) = jobs(name)
    model, mixture, about = job.network.model, job.segment.mixture / 2, ["mean exact mapping", "student", "identity"]
    strategies = [*about[:2], *(f"{each} (to the voice)" for each in about[:2]), *about[2:]]
    (found,) = survey([job], strategies, 600, keep=True)
    slopes = [torch.func.jacrev(lambda x: model(x.unsqueeze(-1)).squeeze(-1))(frame) for frame in mixture.mT]
    exact = torch.stack(slopes).mean(0)
    torch.testing.assert_close(found.couplings["mean exact mapping (to the voice)"].matrix, exact, rtol=1e-4, atol=1e-6)
    rows = {row["strategy"]: row for row in found.rows()}
    for strategy in strategies[2:]:
        assert rows[strategy]["target"] == "voice"
        assert rows[strategy]["exact_tod_ratio"] == pytest.approx(tod_ratio(exact).item(), rel=1e-4)
    fitted = found.couplings["student (to the voice)"]
    assert fitted.loss[-1] < fitted.loss[0] / 2
    assert fitted.loss[-1] == pytest.approx((fitted(mixture) - model(mixture)).abs().sum().item(), rel=0.02)
    of_mask, of_voice = rows["student"]["tod_ratio"], rows["student (to the voice)"]["tod_ratio"]
    assert (of_mask == of_voice) == (name != "SF")


def test_the_untrained_network_is_the_seeds_own():
    job = jobs("SF")[2]
    (row,) = judge(job, [])
    exact = mean_mapping(build("SF", 12, job.network.seed), job.segment.mixture / 2)
    assert row["tod_ratio"] == pytest.approx(tod_ratio(exact.matrix).item(), rel=1e-5)
    assert row["offset_share"] == 0
    assert row["exact_correlation"] < 0.99  # with the trained network's mapping


def test_what_draws_its_start_depends_on_the_seed_and_nothing_else_does(model):
    mixture = spectra()
    for name, strategy in ITERATED.items():
        found = [strategy(model, mixture, iterations=2, seed=seed).matrix for seed in (0, 1)]
        assert torch.equal(*found) == (name not in SEEDED), name
    assert not set(SEEDED) & set(CLOSED)


def test_a_draw_is_even_and_follows_from_its_key():
    counts = torch.bincount(torch.tensor([seeded_choice(5, "song", k) for k in range(1000)]))
    assert len(counts) == 5
    assert (counts - 200).abs().max() < 50  # four standard deviations
    assert seeded_choice(50, "DAE", "song", 3) == seeded_choice(50, "DAE", "song", 3)
    with pytest.raises(ParameterError, match="0 choices"):
        seeded_choice(0, "song")


def test_a_song_is_cut_into_all_its_whole_segments(demo_songs):
    geometry = profile("demo")
    pieces = song_segments(str(demo_songs), 0, geometry, 100)
    assert [piece.start for piece in pieces] == [100 * k for k in range(len(pieces))]
    assert len(pieces) == (4 * geometry.rate // geometry.hop + 1) // 100
    assert song_segment(str(demo_songs), 0, 2, geometry, 100).start == 200


@pytest.mark.parametrize(
    ("song", "segment", "said"),
    [
        (9, 0, r"test songs and none of number 9; count from 0, or give -1"),
        (-2, 0, r"test songs and none of number -2"),
        (0, 4, r"has 4 segments of 100 frames and none of number 4; count from 0"),
        (0, -1, r"has 4 segments of 100 frames and none of number -1"),
    ],
)
def test_songs_and_segments_that_are_not_there_are_named_errors(demo_songs, song, segment, said):
    with pytest.raises(ParameterError, match=said):
        song_segment(str(demo_songs), song, segment, profile("demo"), 100)


def _peak_and_footprint(strategy: str, bins: int, batch: int) -> tuple[float, float]:
    """Most bytes that a survey of two iterations takes beside its jobs, and what is planned for it.

    A batch of matrices should be above 32 MiB; of smaller ones the allocator keeps more or less of what was freed.
    """
    for size in (33, bins):  # the small one loads what the libraries load once
        asked = jobs("DAE", batch, bins=size, frames=60)
        gc.collect()
        before = memory.held(CPU)
        memory.forget_peak(CPU)
        survey(asked, [strategy], 2)
    return memory.peak(CPU) - before, batch * footprint(asked[0], [strategy])


@pytest.mark.slow
@pytest.mark.skipif(not COUNTED, reason="only Linux counts a process's memory")
@pytest.mark.parametrize("strategy", ["student", "compositional", "least squares", "mean exact mapping"])
def test_a_survey_stays_within_its_footprint(strategy):
    peak, planned = in_subprocess(_peak_and_footprint, strategy, 1025, 9)
    assert 0.3 * planned < peak <= planned
