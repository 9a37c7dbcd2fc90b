"""The bench of the local mapping times what it says, and memory keeps to what is allowed."""

import pytest

from nca.cli import main
from nca.support.files import read_json


def test_bad_options_are_named_errors(capsys):
    assert main(["bench", "mapping", "--rows", "0"]) == 2
    assert "rows [0]" in capsys.readouterr().err
    assert main(["bench", "mapping", "--device", "abacus"]) == 2
    assert "device is 'abacus', which this machine does not have" in capsys.readouterr().err
    assert main(["bench", "mapping", "--memory", "1", "--rows", "1", "--frames", "64"]) == 2
    assert "memory allows 1.0; allow more" in capsys.readouterr().err


@pytest.mark.slow
def test_memory_is_bounded_and_flat_in_the_number_of_rows(tmp_path):
    file = tmp_path / "mapping.json"
    few, many = 16, 128  # both fill whole batches, of 4 and of 8 products
    options = ["--rows", str(few), str(many), "--memory", "128", "256", "--frames", "64", "--json", str(file)]
    assert main(["bench", "mapping", *options]) == 0
    lines = read_json(file)["rows"]
    assert [(line["memory"], line["rows"]) for line in lines] == [(128, few), (128, many), (256, few), (256, many)]
    for line in lines:
        assert 0 < line["peak"] <= line["memory"]
        assert 1 <= line["batch"] <= few
        assert line["rows_per_second"] > 0
    # memory that grew with the rows would be eight times as much, and what is counted wavers by a third
    assert all(more["peak"] < 2 * fewer["peak"] for fewer, more in (lines[:2], lines[2:]))
