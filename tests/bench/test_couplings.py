"""The contenders of the bench do what they are named for, and the figures are what they say."""

import pytest
import torch
from samples import spectra

from nca.bench.couplings import bound, composed_step, peak_memory
from nca.bench.timing import machine
from nca.cli import main
from nca.couplings.compositional import CompositionalDescent
from nca.couplings.descent import adam
from nca.support.files import read_json


def test_the_composed_formulation_is_the_same_algorithm(model):
    mixture = spectra()
    slow, fast = composed_step(model, mixture, 10), CompositionalDescent(model, mixture, adam())
    for _ in range(10):
        loss = fast.step()
        with torch.no_grad():  # as in the bench
            matrix, error = slow()
        torch.testing.assert_close(loss, error)
    torch.testing.assert_close(fast.matrix(), matrix)


def test_every_row_times_all_four_and_names_the_machine(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("nca.bench.couplings.peak_memory", lambda bins, depth, device: 7.5)
    file = tmp_path / "bench.json"
    assert main(["bench", "couplings", "--bins", "8", "--depths", "1", "2", "--json", str(file)]) == 0
    content = read_json(file)
    assert content["machine"] == machine("cpu")
    assert content["machine"] in capsys.readouterr().out
    assert [row["layers"] for row in content["rows"]] == [1, 2]
    for row in content["rows"]:
        assert min(row[name] for name in ("composed", "products", "float32", "bfloat16", "speedup")) > 0
        assert (row["peak"], row["bound"]) == (7.5, 8 * row["layers"] + 8)
        assert abs(row["snr_change"]) < 1


def test_bad_options_are_named_errors(capsys):
    assert main(["bench", "couplings", "--iterations", "0"]) == 2
    assert "iterations is 0" in capsys.readouterr().err
    assert main(["bench", "couplings", "--device", "abacus"]) == 2
    assert "device is 'abacus', which this machine does not have" in capsys.readouterr().err


@pytest.mark.slow
def test_the_peak_memory_stays_below_its_bound_and_grows_with_the_depth():
    # the least of three: pages of libraries that the system has taken back in between count as well
    two, four = (min(peak_memory(2049, depth, "cpu") for _ in range(3)) for depth in (2, 4))
    assert 2 * 8 < two <= bound(2049, 2, torch.device("cpu")) == 26
    assert 4 * 8 < four <= bound(2049, 4, torch.device("cpu")) == 44
    assert bound(2048, 4, torch.device("cpu")) == 40
