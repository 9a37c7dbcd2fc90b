"""The judgement of a segment and the trials of solvers, against the strategies run by hand."""

from functools import partial

import pytest
import torch
from samples import spectra, trained_like

from nca.couplings import compositional, student
from nca.errors import ParameterError
from nca.judging import UNTRAINED, judge
from nca.mapping import mean_mapping, offset_share
from nca.metrics import correlation, tod_ratio
from nca.models import build
from nca.strategies import CLOSED, ITERATED, SEEDED
from nca.trials import SCHEDULES, compare, solve


def test_every_row_is_what_the_strategy_finds_alone():
    model, mixture, voice = trained_like("MSS-DAE"), spectra(seed=1), spectra(seed=2)
    rows = judge(model, 5, mixture, voice, ["student", "compositional (gates start)", "least squares"], 4, starts=2)
    assert [(row["strategy"], row["start"]) for row in rows] == [
        ("student", 0),
        ("student", 1),
        ("compositional (gates start)", 0),
        ("least squares", 0),
        (UNTRAINED, 0),
    ]
    alone = [student(model, mixture, iterations=4, seed=seed) for seed in (0, 1)]
    for row, couplings in zip(rows, alone, strict=False):
        assert row["tod_ratio"] == pytest.approx(tod_ratio(couplings.matrix).item())
        assert row["seed_correlation"] == pytest.approx(correlation(alone[0].matrix, alone[1].matrix).item())
    assert rows[2]["seed_correlation"] is None
    assert rows[0]["offset_share"] == pytest.approx(offset_share(model, mixture).item())


def test_the_untrained_network_is_the_seeds_own():
    model, mixture = trained_like("SF").float(), spectra().float()
    (row,) = judge(model, 5, mixture, mixture, [])
    exact = mean_mapping(build("SF", 12, 5), mixture)
    assert row["tod_ratio"] == pytest.approx(tod_ratio(exact.matrix).item())
    assert row["offset_share"] == 0


def test_what_draws_its_start_depends_on_the_seed_and_nothing_else_does(model):
    mixture = spectra()
    for name, strategy in ITERATED.items():
        found = [strategy(model, mixture, iterations=2, seed=seed).matrix for seed in (0, 1)]
        assert torch.equal(*found) == (name not in SEEDED), name
    assert not set(SEEDED) & set(CLOSED)


@pytest.mark.parametrize("strategy", ["student", "compositional"])
def test_the_papers_solver_is_the_default_of_the_trials(strategy):
    model, mixture = trained_like("DAE").requires_grad_(), spectra()
    direct = {"student": student, "compositional": compositional}[strategy](model, mixture, iterations=12)
    found = solve(model, mixture, strategy=strategy, iterations=12)
    torch.testing.assert_close(found.matrix, direct.matrix)
    torch.testing.assert_close(found.loss, direct.loss)


@pytest.mark.parametrize("schedule", list(SCHEDULES))
@pytest.mark.parametrize("solver", ["Adam", "NAdam", "Rprop"])
def test_solvers_and_schedules_descend(solver, schedule):
    model, mixture = trained_like("DAE"), spectra()
    options = {"lr": 3e-3}
    found = solve(model, mixture, strategy="student", solver=solver, options=options, schedule=schedule, iterations=60)
    assert found.loss[-1] < 0.9 * found.loss[0]


def test_lbfgs_takes_several_evaluations_a_step():
    options = {"lr": 1, "max_iter": 10, "line_search_fn": "strong_wolfe"}
    model, mixture = trained_like("DAE"), spectra()
    found = solve(model, mixture, strategy="student", solver="LBFGS", options=options, iterations=5)
    assert found.loss.shape == (5,)
    assert found.loss[-1] < 0.5 * found.loss[0]


def test_a_trial_is_held_against_the_first():
    model, mixture = trained_like("DAE"), spectra()
    trials = {"short": partial(solve, strategy="student", iterations=10), "again": None, "exact": mean_mapping}
    trials["again"] = trials["short"]
    table = compare(model, mixture, trials).set_index("trial")
    for column in ("loss", "tod_ratio", "correlation"):
        assert table.loc["again", column] == pytest.approx(1)
    assert table.loc["short", "seconds"] == 1
    assert table.loc["exact", "exact_correlation"] == pytest.approx(1)
    assert not table["reaches"].any()  # the first is not a third of its own time, the last another matrix


@pytest.mark.parametrize("wrong", [{"strategy": "odd"}, {"solver": "Odd"}, {"schedule": "odd"}])
def test_unknown_solvers_are_named_errors(wrong):
    with pytest.raises(ParameterError, match=r"There is no '[Oo]dd'"):
        solve(trained_like("DAE"), spectra(), **({"strategy": "student"} | wrong))
