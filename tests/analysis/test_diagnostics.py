"""Diagnostics, strategies and tables against figures computed another way."""

import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from samples import spectra, trained_like

from nca.analysis.diagnostics import as_table, diagnose, estimate
from nca.analysis.strategies import STRATEGIES, by_strategy
from nca.analysis.tables import COLUMNS, MODEL_OUTPUT, MODELS, PAPER, beside_paper, patterns, summarise, write_tables
from nca.couplings import Couplings, identity, linear_composition, load_matrices, save_matrices
from nca.errors import DataError, ParameterError
from nca.mapping import mean_mapping
from nca.support.files import write_json


def decibels(reference, made):
    return 10 * math.log10(
        sum(r * r for r in reference) / sum((r - m) ** 2 for r, m in zip(reference, made, strict=True))
    )


def test_every_figure_of_a_matrix(model):
    mixture, voice = spectra(seed=1), spectra(seed=2)
    found = by_strategy("compositional", model, mixture, iterations=3)
    exact = mean_mapping(model, mixture)
    figures = diagnose(model, found, mixture, voice, exact)
    C, E, X = found.matrix.numpy(), exact.matrix.numpy(), mixture.numpy()
    made = (C @ X) * X if model.name == "SF" else C @ X
    output = model(mixture).numpy().ravel().tolist()
    assert figures.snr_model == pytest.approx(decibels(output, made.ravel().tolist()))
    assert figures.snr_voice == pytest.approx(decibels(voice.numpy().ravel().tolist(), made.ravel().tolist()))
    assert figures.snr_model_voice == pytest.approx(decibels(voice.numpy().ravel().tolist(), output))
    assert figures.exact_correlation == pytest.approx(np.corrcoef(C.ravel(), E.ravel())[0, 1])
    assert figures.exact_distance == pytest.approx(np.linalg.norm(C - E) / np.linalg.norm(E))
    assert (figures.first_loss, figures.last_loss) == (found.loss[0].item(), found.loss[-1].item())
    assert figures.silent == []
    assert figures.seed_correlation is None
    sibling = by_strategy("compositional", model, mixture, iterations=3, seed=1)
    other = diagnose(model, found, mixture, voice, exact, sibling)
    assert other.seed_correlation == pytest.approx(np.corrcoef(C.ravel(), sibling.matrix.numpy().ravel())[0, 1])
    assert figures.profile[0] == pytest.approx(np.abs(np.diag(C)).mean())
    assert len(figures.profile) == 5
    assert (figures.row()["magnitude_at_0"], figures.row()["magnitude_at_8"]) == figures.profile[
        :: len(figures.profile) - 1
    ]
    assert all(value is None or isinstance(value, str | int | float) for value in figures.row().values())
    assert figures.chance_deviation > 0
    assert list(as_table([figures]).columns) == [name for name in vars(figures) if name != "profile"]


def test_the_identity_is_the_mixture_for_every_model(model):
    mixture = spectra()
    torch.testing.assert_close(estimate(model, identity(12), mixture.float()), mixture.float())


def test_a_silent_voice_is_left_out_by_name():
    model, mixture = trained_like("DAE"), spectra()
    exact = mean_mapping(model, mixture)
    figures = diagnose(model, linear_composition(model), mixture, torch.zeros_like(mixture), exact)
    assert figures.silent == ["snr_voice", "snr_model_voice"]
    assert figures.snr_model is not None


def test_a_diagonal_matrix_has_no_finite_tod_ratio():
    model, mixture = trained_like("DAE"), spectra().float()
    figures = diagnose(model.float(), identity(12), mixture, mixture, mean_mapping(model, mixture))
    assert figures.tod_ratio is None


def test_a_matrix_of_zeros_has_no_ratios_and_can_be_written(tmp_path):
    model, mixture = trained_like("DAE"), spectra().float()
    zeros = replace(identity(12), matrix=torch.zeros(12, 12))
    figures = diagnose(model.float(), zeros, mixture, mixture, mean_mapping(model, mixture), zeros)
    undefined = (figures.tod_ratio, figures.chance_deviation, figures.null_space, figures.exact_correlation)
    assert undefined == (None, None, None, None)
    assert figures.seed_correlation is None
    assert figures.snr_model == pytest.approx(0.0, abs=1e-6)
    assert figures.exact_distance == pytest.approx(1.0)
    write_json(tmp_path / "row.json", figures.row())


def test_every_strategy_has_a_name_and_carries_it():
    model, mixture = trained_like("DAE"), spectra()
    for name in STRATEGIES:
        assert by_strategy(name, model, mixture, iterations=2).strategy == name
    with pytest.raises(ParameterError, match="no strategy 'teacher'; choose one of student"):
        by_strategy("teacher", model, mixture)


def test_strategies_that_share_a_matrix_are_kept_each_by_its_name(tmp_path):
    shared = identity(5)
    save_matrices(tmp_path / "couplings.safetensors", {"one": shared, "two": shared})
    assert {name: each.matrix.tolist() for name, each in load_matrices(tmp_path / "couplings.safetensors").items()} == {
        "one": torch.eye(5).tolist(),
        "two": torch.eye(5).tolist(),
    }


def test_matrices_are_read_back_whole_or_not_at_all(tmp_path):
    model, mixture = trained_like("SF"), spectra()
    found = {name: by_strategy(name, model, mixture, iterations=2) for name in ("student", "identity")}
    save_matrices(tmp_path / "couplings.safetensors", found)
    again = load_matrices(tmp_path / "couplings.safetensors")
    assert {name: each.target for name, each in again.items()} == {"student": "output", "identity": "voice"}
    assert torch.equal(again["student"].matrix, found["student"].matrix)
    assert torch.equal(again["student"].loss, found["student"].loss)
    assert again["identity"].loss is None
    assert isinstance(again["student"], Couplings)
    (tmp_path / "couplings.safetensors").write_bytes(b"short")
    with pytest.raises(DataError, match="cannot be read as safetensors"):
        load_matrices(tmp_path / "couplings.safetensors")


def rows() -> pd.DataFrame:
    made = []
    for segment, (tod, model_snr, voice_snr, own) in enumerate([(0.1, 5.0, 1.0, 2.0), (0.3, 7.0, None, None)]):
        for strategy in ("student", "identity"):
            figures = {"tod_ratio": tod, "snr_model": model_snr, "snr_voice": voice_snr, "snr_model_voice": own}
            where = {"model": "DAE", "seed": 0, "song": "a", "segment": segment}
            made.append(where | {"strategy": strategy} | figures)
    return pd.DataFrame(made)


def test_tables_hold_mean_deviation_and_count():
    first = summarise(rows(), "table-1").loc[("student", "DAE")]
    assert first.tolist() == pytest.approx([0.2, np.std([0.1, 0.3], ddof=1), 2])
    third = summarise(rows(), "table-3")
    assert third.loc[("student", "DAE"), "count"] == 1
    assert third.loc[(MODEL_OUTPUT, "DAE"), ["mean", "count"]].tolist() == [2.0, 1]


def test_ours_stands_beside_the_papers():
    table = beside_paper(rows(), "table-2")
    assert table.loc["student", ("DAE", "ours")] == "6.00 ± 1.41"
    assert table.loc["student", ("DAE", "paper")] == "6.51 ± 1.79"
    assert table.loc["student", ("SF", "ours")] == ""
    assert table.loc["identity", ("SF", "paper")] == "2.51 ± 1.03"
    assert list(table.index) == ["student", "identity"]  # as in the rows
    first = beside_paper(rows(), "table-1")  # in which the paper has no identity
    assert first.loc["identity", [("DAE", "ours"), ("DAE", "paper")]].tolist() == ["0.20 ± 0.14", ""]


def test_a_mean_over_no_segment_says_so():
    nowhere = rows().assign(snr_model=float("nan"))
    assert set(beside_paper(nowhere, "table-2")[MODELS[0], "ours"]) == {"no segment"}


def test_the_models_own_output_counts_each_network_and_segment_once():
    """Two seeds on one segment, two strategies each: four rows, two outputs."""
    made = [
        {"model": "DAE", "seed": seed, "song": "a", "segment": 0, "strategy": strategy}
        | {"snr_voice": 0.0, "snr_model_voice": own}
        for seed, own in ((0, 1.0), (1, 4.0))
        for strategy in ("student", "identity")
    ]
    itself = summarise(pd.DataFrame(made), "table-3").loc[(MODEL_OUTPUT, "DAE")]
    assert (itself["mean"], itself["count"]) == (2.5, 2)
    other_training = [row | {"network": str(row["snr_model_voice"]), "seed": 0} for row in made]
    itself = summarise(pd.DataFrame(other_training), "table-3").loc[(MODEL_OUTPUT, "DAE")]
    assert (itself["mean"], itself["count"]) == (2.5, 2)


def test_the_papers_tables_are_copied_to_the_letter():
    """Every line as the paper prints it: means and deviations for DAE, MSS-DAE, SF."""
    printed = """
        table-1 student             0.03 0.00    0.03 0.00    0.02 0.00
        table-1 compositional       0.36 0.13    0.14 0.04    0.03 0.01
        table-2 student             6.51 1.79    9.11 1.09    6.53 2.31
        table-2 compositional       4.78 2.69    9.25 1.13    5.98 2.24
        table-2 linear-composition  0.01 0.01 -174.9 18.4     0.0  0.0
        table-2 identity            2.38 0.81    3.05 0.66    2.51 1.03
        table-3 student            -4.02 2.43   -1.94 2.03   -4.88 3.06
        table-3 compositional      -5.50 3.41   -2.36 2.29   -4.15 3.41
        table-3 model-output       -5.05 3.05   -2.17 2.43   -4.74 3.15
    """
    copied: dict[str, dict[str, tuple]] = {}
    for line in printed.strip().splitlines():
        table, strategy, *numbers = line.split()
        values = [float(number) for number in numbers]
        copied.setdefault(table, {})[strategy.replace("-", " ")] = tuple(zip(values[::2], values[1::2], strict=True))
    assert copied == PAPER
    assert MODELS == ("DAE", "MSS-DAE", "SF")


def test_patterns_are_orders_of_models():
    """Rows made of the paper's own means agree with it everywhere; with two models exchanged they do not."""
    made = [
        {"model": model, "seed": 0, "song": "a", "segment": 0, "strategy": strategy, "snr_model_voice": None}
        | {COLUMNS[table]: strategies[strategy][position][0]}
        for table, strategies in PAPER.items()
        for strategy in strategies
        if strategy != MODEL_OUTPUT
        for position, model in enumerate(MODELS)
    ]
    frame = pd.DataFrame(made).groupby(["model", "seed", "song", "segment", "strategy"], as_index=False).first()
    own = dict(zip(MODELS, (mean for mean, _ in PAPER["table-3"][MODEL_OUTPUT]), strict=True))
    found = patterns(frame.assign(snr_model_voice=frame["model"].map(own)))
    assert len(found) == sum(map(len, PAPER.values()))
    assert set(found["agrees"]) == {"yes"}
    assert list(found["paper"][:2]) == ["DAE = MSS-DAE > SF", "DAE > MSS-DAE > SF"]
    swapped = patterns(frame.assign(model=frame["model"].replace({"DAE": "SF", "SF": "DAE"})))
    assert list(swapped["ours"][:2]) == ["MSS-DAE = SF > DAE", "SF > MSS-DAE > DAE"]
    partly = patterns(frame.assign(model=frame["model"].replace({"DAE": "MSS-DAE", "MSS-DAE": "DAE"})))
    assert partly.loc[1, ["ours", "agrees"]].tolist() == ["MSS-DAE > DAE > SF", "no"]  # two pairs of three agree
    fewer = patterns(frame[(frame.model != "SF") | (frame.strategy != "student")])
    assert "student" not in set(fewer["strategy"])  # an order of two says nothing of three
    assert set(swapped["agrees"][:2]) == {"no"}
    level = patterns(frame.assign(tod_ratio=1.0, snr_model_voice=0.0))
    assert level.loc[0, ["ours", "agrees"]].tolist() == ["DAE = MSS-DAE = SF", "no"]  # the paper's SF is below


def test_the_papers_own_numbers_make_its_sentences():
    """Sec. 5: 12 and about 4.6 times smaller; the student ahead by 0.7 dB; 0.17 dB better than the models' output."""
    one, two, three = PAPER["table-1"], PAPER["table-2"], PAPER["table-3"]
    means = {s: [m for m, _ in one["compositional"]] for s in ("c",)}["c"]
    assert means[0] / means[2] == pytest.approx(12)
    assert means[1] / means[2] == pytest.approx(4.6, abs=0.1)
    ahead = np.mean([m for m, _ in two["student"]]) - np.mean([m for m, _ in two["compositional"]])
    assert ahead == pytest.approx(0.7, abs=0.03)
    both = np.mean([m for s in ("student", "compositional") for m, _ in three[s]])
    assert both - np.mean([m for m, _ in three[MODEL_OUTPUT]]) == pytest.approx(0.17, abs=0.02)


def test_tables_json(tmp_path):
    write_tables(tmp_path / "tables.json", rows(), [{"iterations": 600, "seed": 0}, {"iterations": 600, "seed": 1}])
    content = json.loads((tmp_path / "tables.json").read_text())
    assert content["table-1"]["student"]["DAE"] == {
        "mean": pytest.approx(0.2),
        "std": pytest.approx(0.1414, abs=1e-4),
        "count": 2,
    }
    assert content["table-3"]["student"]["DAE"]["std"] is None
    assert content["parameters"] == {"iterations": [600], "seed": [0, 1]}
