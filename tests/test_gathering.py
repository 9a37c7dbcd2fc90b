"""A page that is given too few runs says which are missing."""

import re

import pytest

from nca.errors import RunError
from nca.files import write_json
from nca.gathering import gather_results, gather_trained


def runs(folder, *pairs):
    for number, (model, strategy) in enumerate(pairs):
        write_json(folder / str(number) / "results.json", [{"model": model, "strategy": strategy, "tod_ratio": number}])
    return [str(folder / str(number)) for number in range(len(pairs))]


def test_rows_of_all_runs_in_their_order(tmp_path):
    folders = runs(tmp_path, ("DAE", "student"), ("MSS-DAE", "student"), ("SF", "student"))
    rows = gather_results(folders, strategies=["student"])
    assert list(rows["model"]) == ["DAE", "MSS-DAE", "SF"]
    assert list(gather_results(folders[:1], ["DAE"])["tod_ratio"]) == [0]


@pytest.mark.parametrize("gathered", [gather_results, gather_trained])
def test_no_runs_are_named(gathered):
    with pytest.raises(RunError, match="no runs of"):
        gathered([])


def test_what_is_missing_is_named(tmp_path):
    folders = runs(tmp_path, ("DAE", "student"), ("SF", "compositional"))
    with pytest.raises(RunError, match=re.escape("no MSS-DAE, only DAE, SF")):
        gather_results(folders)
    with pytest.raises(RunError, match=re.escape("couple.md on SF that it was given have no student")):
        gather_results(folders, ["DAE", "SF"], ["student"])
