"""What is timed at once is what is timed alone, so many times; and the figures are what they say."""

import pytest
import torch

from nca.bench.ensembles import bench_segments, bench_training
from nca.bench.workload import batched_problem
from nca.cli import main
from nca.errors import ParameterError
from nca.support.files import read_json
from nca.support.precision import products


def test_both_tables_have_a_row_a_size_and_precision(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("nca.bench.calibration.PEAK_SIDE", 64)
    file = tmp_path / "bench.json"
    sizes = ["--bins", "9", "--instances", "1", "3", "--batches", "2", "--rounds", "2", "--json", str(file)]
    assert main(["bench", "ensembles", *sizes]) == 0
    content = read_json(file)
    assert content["machine"] in capsys.readouterr().out
    training = [(row["precision"], row["instances"]) for row in content["training"]]
    assert training == [("float32", 1), ("float32", 3), ("bfloat16", 1), ("bfloat16", 3)]
    assert {(row["strategy"], row["precision"], row["segments"]) for row in content["segments"]} == {
        (strategy, precision, 2) for strategy in ("student", "compositional") for precision in ("float32", "bfloat16")
    }
    for row in content["training"]:
        assert row["per_second"] == pytest.approx(row["instances"] / row["seconds"], rel=1e-4)  # six digits are kept
        assert row["speedup"] > 0
        assert row["optimiser_share"] > 0


def test_couplings_a_second_are_of_600_iterations():
    (row,) = bench_segments(9, batches=[4], rounds=1).query("strategy == 'student'").to_dict("records")
    assert row["per_second"] == pytest.approx(4 / row["seconds"] / 600)


def test_what_does_not_fit_into_memory_is_said_and_left_out(monkeypatch, capsys):
    def short(bins, depth, K, device, dtype):
        if K > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return lambda: None

    monkeypatch.setattr("nca.bench.ensembles.training_step", short)
    assert list(bench_training(9, instances=[1, 8], rounds=1).instances) == [1]
    assert "8 instances in float32 do not fit into memory" in capsys.readouterr().out


def test_the_problems_of_a_batch_are_whole_problems_of_their_own():
    model, mixture = batched_problem(9, 2, 3, torch.device("cpu"))
    assert model.weights[0].shape == (3, 9, 9)
    assert model.weights[0].is_contiguous()
    assert mixture.shape == (3, 9, 350)


def test_the_precision_of_products_is_put_back():
    before = torch.get_float32_matmul_precision()
    with products("tf32"):
        assert torch.get_float32_matmul_precision() == "high"
    assert torch.get_float32_matmul_precision() == before
    with pytest.raises(ParameterError, match="precision is 'float8'"):
        bench_training(9, instances=[1], precisions=["float8"])
