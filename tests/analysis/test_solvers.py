"""Other solvers beside the strategies' own, which are run by hand."""

import math
from functools import partial

import pytest
import torch
from samples import spectra, trained_like

from nca.analysis.solvers import SCHEDULES, compare, solve
from nca.couplings import Couplings, compositional, student
from nca.errors import ParameterError
from nca.mapping import mean_mapping
from nca.support.files import read_json, write_json


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


def test_a_trial_is_compared_with_the_first():
    model, mixture = trained_like("DAE"), spectra()
    trials = {"short": partial(solve, strategy="student", iterations=10), "again": None, "exact": mean_mapping}
    trials["again"] = trials["short"]
    table = compare(model, mixture, trials).set_index("trial")
    for column in ("loss", "tod_ratio", "correlation"):
        assert table.loc["again", column] == pytest.approx(1)
    assert table.loc["short", "seconds"] == 1
    assert table.loc["exact", "exact_correlation"] == pytest.approx(1)
    assert not table.loc[["short", "exact"], "reaches"].any()  # not a third of its own time; another matrix


@pytest.mark.parametrize("wrong", [{"strategy": "odd"}, {"solver": "Odd"}, {"schedule": "odd"}])
def test_unknown_solvers_are_named_errors(wrong):
    with pytest.raises(ParameterError, match=r"There is no '[Oo]dd'"):
        solve(trained_like("DAE"), spectra(), **({"strategy": "student"} | wrong))


def test_trials_that_diverge_or_find_nothing_are_rows_that_json_takes(tmp_path):
    mixture, silent = spectra(), trained_like("DAE")
    for parameter in silent.parameters():
        parameter.zero_()

    def of(value):
        return lambda model, mixture: Couplings("some", torch.full((12, 12), value, dtype=torch.float64))

    trials = {"zeros": of(0.0), "diverged": of(math.nan), "ones": of(1.0), "overflown": of(math.inf)}
    for model in (trained_like("DAE"), silent):
        for first in trials:
            table = compare(model, mixture, {first: trials[first]} | trials)
            write_json(tmp_path / "rows.json", table.to_dict("records"))
            rows = {row["trial"]: row for row in read_json(tmp_path / "rows.json")}
            assert rows["diverged"]["loss"] is rows["diverged"]["tod_ratio"] is rows["zeros"]["correlation"] is None
            assert not rows["diverged"]["reaches"]
