"""A record holds what the runs found and with what, and is read back as rows."""

import json

import pandas as pd
import pytest

from nca.cli import main
from nca.errors import DataError
from nca.pages.records import provenance
from nca.sweeps.archive import record_store, record_tables, recorded_rows
from nca.sweeps.store import RECORD


def run(store, name, stage, results, torch="2", **parameters):
    folder = store / stage / name
    folder.mkdir(parents=True)
    record = {"stage": stage, "parameters": parameters, "data": {}, "digest": name, "code": "c", "seconds": 30.0}
    rest = {"modules": {f"nca.{stage}": "m"}, "versions": {"torch": torch}, "cores": 2, "threads": 1, "artefacts": {}}
    (folder / RECORD).write_text(json.dumps(record | rest | {"results": results, "status": "done"}))


def test_rows_come_back_with_their_parameters(tmp_path):
    store, file = tmp_path / "store", tmp_path / "records" / "it.json"
    run(store, "a", "judge", [{"tod_ratio": 1 / 3}, {"tod_ratio": None}], frames=350, strategies=["x"])
    run(store, "b", "judge", [{"tod_ratio": 2.0}], frames=1400, strategies=["x"])
    run(store, "c", "train", [], seed=1)
    assert main(["record", str(store), str(file), "--command", "nca sweep it.yml"]) == 0
    rows = recorded_rows(file, "judge")
    assert rows["frames"].tolist() == [350, 350, 1400]
    assert rows["tod_ratio"].tolist()[::2] == [0.333333, 2.0]
    assert "strategies" not in rows
    record = json.loads(file.read_text())
    assert record["command"] == "nca sweep it.yml"
    assert record["stages"] == {"judge": 2, "train": 1}
    assert set(record) == {"command", "stages", "runs"}  # what one run knows of itself is no head of all
    assert record["runs"][0]["parameters"] == {"frames": 350, "strategies": ["x"]}


def test_a_record_grows_over_several_stores(tmp_path):
    first, second, file = tmp_path / "first", tmp_path / "second", tmp_path / "it.json"
    run(first, "a", "judge", [{"tod_ratio": 1.0}], seed=0)
    run(first, "b", "judge", [{"tod_ratio": 2.0}], seed=1)
    run(second, "c", "judge", [{"tod_ratio": 3.0}], seed=1)
    run(second, "d", "judge", [{"tod_ratio": 4.0}], seed=2, torch="3")
    assert main(["record", str(first), str(file), "--command", "nca sweep it.yml"]) == 0
    assert main(["record", str(second), str(file), "--command", "nca sweep it.yml", "--add"]) == 0
    rows = recorded_rows(file, "judge")
    assert dict(zip(rows["seed"], rows["tod_ratio"], strict=True)) == {0: 1.0, 1: 3.0, 2: 4.0}
    record = json.loads(file.read_text())
    assert record["stages"] == {"judge": 3}
    assert [run["versions"]["torch"] for run in record["runs"]] == ["2", "2", "3"]
    assert all(len(run["package"]) == 64 for run in record["runs"])
    assert "versions: torch 2 (2 runs); torch 3 (1 runs)" in provenance(str(file))
    assert all(run["machine"] == {"cores": 2, "threads": 1} for run in record["runs"])


def test_what_is_missing_is_a_named_error(tmp_path):
    (tmp_path / "store").mkdir()
    with pytest.raises(DataError, match="no finished run"):
        record_store(tmp_path / "store", tmp_path / "x.json", "nca sweep it.yml")
    with pytest.raises(DataError, match="cannot be read"):
        recorded_rows(tmp_path / "x.json", "judge")
    run(tmp_path / "store", "c", "train", [{"loss": 1.0}], seed=1)
    record_store(tmp_path / "store", tmp_path / "x.json", "nca sweep it.yml")
    with pytest.raises(DataError, match="no runs of 'judge'; its stages are train"):
        recorded_rows(tmp_path / "x.json", "judge")


def test_what_a_bench_measured_is_kept_with_its_command_machine_and_code(tmp_path):
    file = tmp_path / "records" / "bench.json"
    record_tables(file, {"rows": pd.DataFrame([{"bins": 9, "seconds": 1 / 3}])}, "an abacus", "nca bench it")
    record = json.loads(file.read_text())
    assert record["rows"] == [{"bins": 9, "seconds": 0.333333}]
    assert (record["machine"], record["command"], len(record["code"])) == ("an abacus", "nca bench it", 64)
    assert "torch" in record["versions"]
