"""A record holds what the runs found and with what, and is read back as rows."""

import json

import pandas as pd
import pytest

from nca.cli import main
from nca.errors import DataError
from nca.recording import record_store, record_tables, recorded_rows
from nca.sweeps.store import RECORD


def run(store, name, stage, results, **parameters):
    folder = store / stage / name
    folder.mkdir(parents=True)
    record = {"stage": stage, "parameters": parameters, "data": {}, "digest": name, "code": "c", "seconds": 30.0}
    rest = {"modules": {f"nca.{stage}": "m"}, "versions": {"torch": "2"}, "cores": 2, "threads": 1}
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
    assert record["modules"] == {"nca.judge": "m", "nca.train": "m"}
    assert record["runs"][0]["parameters"] == {"frames": 350, "strategies": ["x"]}


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
