"""The cost model: its work against counted products, its predictions against measured time."""

import re

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from nca.bench import flops
from nca.bench.calibration import PRODUCT, STAGES, Calibration, Point, between, calibration, from_sheet
from nca.bench.flops import Work
from nca.bench.prediction import Scale, predict, scale_of
from nca.bench.steps import couplings_step, mapping_step, training_step
from nca.bench.validation import check_cost
from nca.bench.workload import FRAMES
from nca.cli import main
from nca.errors import ParameterError
from nca.support.files import read_json

CPU = torch.device("cpu")
HELD_OUT = (257, 641, 1025)


def counted(step) -> int:
    with FlopCounterMode(display=False) as counter:
        step()
    return counter.get_total_flops()


@pytest.mark.parametrize("depth", [2, 4])
def test_the_operations_are_those_that_torch_counts(depth):
    step = training_step(24, depth, 3, CPU)
    assert counted(step) == 3 * flops.training_step(24, depth).flops
    for strategy, one in (
        ("student", flops.student_iteration(24)),
        ("compositional", flops.compositional_iteration(24, depth)),
    ):
        step = couplings_step(strategy, 24, depth, 2, CPU)
        assert counted(step) == 2 * one.flops


def test_the_exact_mapping_of_two_layers_costs_what_torch_counts():
    forward = 2 * 2 * 24**2 * FRAMES  # beside its gates: its decoded output, and its own forward to compare that with
    assert counted(mapping_step(24, 2, 1, CPU)) == flops.exact_mapping(24, 2).flops + 2 * forward


def test_a_floor_is_the_time_of_the_products_and_of_the_passes():
    assert Work(6e9, 4e9).floor(peak=3e9, bandwidth=2e9) == 2 + 2
    assert (Work(1, 2) * 3 + Work(1, 1)) == Work(4, 7)


def test_a_share_lies_between_its_neighbours_and_beyond_them_is_the_nearest():
    shares = {100: 0.2, 400: 0.6}
    assert between(shares, 200) == pytest.approx(0.4)
    assert (between(shares, 50), between(shares, 100), between(shares, 9999)) == (0.2, 0.2, 0.6)


def test_a_prediction_is_the_floor_over_the_share_and_grows_with_every_number():
    known = Calibration("device", 1e12, 1e11, True, {stage: {10: 0.5} for stage in STAGES})
    scale = Scale(bins=100, frames=1280, epochs=7, instances=3, segments=2, iterations=10)
    table = predict(scale, known).set_index(["stage", "model"])
    step = flops.training_step(100, 2).floor(1e12, 1e11)
    assert table.loc[("training", "DAE"), "seconds"] == pytest.approx(10 * 7 * 3 * step / 0.5)
    assert table.loc[("training", "DAE"), "floor"] == pytest.approx(10 * 7 * 3 * step)
    iteration = flops.compositional_iteration(100, 4).floor(1e12, 1e11)
    assert table.loc[("compositional", "MSS-DAE"), "seconds"] == pytest.approx(2 * 10 * iteration / 0.5)
    assert (table.seconds == 2 * table.floor).all()
    assert set(table.index.get_level_values("stage")) == {
        "spectra",
        "training",
        "student",
        "compositional",
        "exact mapping",
    }


def test_the_paper_is_the_papers():
    paper = scale_of("paper")
    assert (paper.bins, paper.instances, paper.iterations, paper.length, paper.batch) == (2049, 50, 600, 350, 128)
    with pytest.raises(ParameterError, match="no profile 'thesis'"):
        scale_of("thesis")


def test_the_data_sheet_says_that_it_is_one(capsys, tmp_path):
    assert main(["cost", "--device", "h100", "--json", str(tmp_path / "cost.json")]) == 0
    output = capsys.readouterr().out
    assert "H100 by its data sheet" in output
    assert "(published)" in output
    assert "the stopping rule decides" in output
    kept = read_json(tmp_path / "cost.json")
    assert kept["measured"] is False
    hours = sum(row["seconds"] for row in kept["rows"]) / 3600
    assert float(re.search(r"in all\s+(\S+)", output)[1]) == pytest.approx(hours, rel=0.01)
    with pytest.raises(ParameterError, match="no data sheet"):
        from_sheet("h100", "float64")


def test_a_calibration_turns_times_into_shares():
    point = Point("student", 50)
    seconds = {point: 1.0, PRODUCT: 0.1, Point("copy", 1 << 24): 0.2}
    found = calibration(seconds, CPU)
    assert found.seconds("student", 50, flops.student_iteration(50)) == pytest.approx(1.0)
    assert found.seconds("student", 50, flops.student_iteration(50) * 600) == pytest.approx(600.0)


def test_the_command_calibrates_the_device_at_hand(capsys, monkeypatch):
    monkeypatch.setattr("nca.bench.prediction.SIZES", (9, 33))
    monkeypatch.setattr("nca.bench.calibration.PEAK_SIDE", 64)
    monkeypatch.setattr("nca.bench.calibration.TURN", 1e-3)
    assert main(["cost", "--profile", "demo", "--bins", "17", "--epochs", "2", "--rounds", "1"]) == 0
    output = capsys.readouterr().out
    assert "2 epochs (as asked for)" in output
    assert "(measured)" in output
    assert "float32: " in output
    assert main(["cost", "--profile", "demo", "--bins", "17", "--rounds", "1", "--precision", "bfloat16"]) == 0
    assert "bfloat16: " in capsys.readouterr().out
    assert main(["cost", "--precision", "float8"]) == 2
    assert "choose one of float32, tf32, bfloat16" in capsys.readouterr().err
    assert main(["cost", "--device", "abacus"]) == 2
    assert "which this machine does not have" in capsys.readouterr().err


def test_the_check_predicts_what_it_did_not_calibrate_on(tmp_path, monkeypatch):
    monkeypatch.setattr("nca.bench.calibration.PEAK_SIDE", 64)
    monkeypatch.setattr("nca.bench.calibration.TURN", 1e-3)
    table = check_cost([17], ["student", "exact mapping, deep"], rounds=1, sizes=(9, 33)).tables["rows"]
    assert table["stage"].tolist() == ["student", "exact mapping, deep"]
    assert table["bins"].tolist() == [17, 17]
    assert (table["error"] == table["predicted"] / table["measured"] - 1).all()
    with pytest.raises(ParameterError, match="129 bins are calibrated on"):
        check_cost([129])
    with pytest.raises(ParameterError, match="no stage 'stundent'"):
        check_cost([17], ["stundent"])


@pytest.mark.slow
@pytest.mark.timing
@pytest.mark.parametrize("stage", ["training", "compositional"])
def test_times_at_sizes_that_were_not_calibrated_are_within_a_quarter(stage):
    table = check_cost(HELD_OUT, [stage], rounds=9).tables["rows"]
    assert table["bins"].tolist() == list(HELD_OUT)
    assert (table["error"].abs() <= 0.25).all(), table
