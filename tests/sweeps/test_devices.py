"""The device asked for is the device used: on the command line, in the plan, in the kernel, in the record."""

from pathlib import Path

import pytest
from sweeps.harness import HERE

import nca.sweeps
from nca.cli import main
from nca.errors import ParameterError, RunError
from nca.support import devices
from nca.sweeps import plan, sweep
from nca.sweeps.checks import check

ROOT = Path(__file__).parents[2]
GRIDS = sorted(path.relative_to(ROOT) for path in (ROOT / "notebooks").rglob("*.yml"))
SIMULATED = ["cpu", "cuda", "cuda:0", "cuda:1"]
NOTEBOOK = """
```{code-cell} ipython3
:tags: [parameters]
device = "cpu"
seed = 0
obeys = True
out = "scratch"
```

```{code-cell} ipython3
import torch
from nca.support import devices

devices.used = lambda: [device if obeys else "cpu"]  # what a machine with these devices would say
```
"""


@pytest.fixture
def grid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A grid of runs that have a device and of one that has none, on a machine that seems to have two GPUs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(devices, "available", lambda: SIMULATED)
    (tmp_path / "seeded.md").write_text(NOTEBOOK)
    (tmp_path / "grid.yml").write_text(
        "store: store\nstages:\n  seeded: {notebook: seeded.md, parameters: {seed: [0, 1, 2]}}\n"
        f"  plain: {{notebook: {HERE}/first.md}}\n"
    )
    return tmp_path / "grid.yml"


@pytest.mark.parametrize("more", [[], ["--dry-run"]])
@pytest.mark.parametrize("device", ["cuda:0", "cuda:99", "gpu7", "cpu,cuda:99"])
@pytest.mark.parametrize("path", GRIDS, ids=str)
def test_every_grid_refuses_a_device_that_is_not_there(
    path: Path, device: str, more: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(devices, "available", lambda: ["cpu"])
    assert main(["sweep", str(path), "--devices", device, *more]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("nca: there is no device")


def test_a_device_that_a_grid_or_a_setting_asks_for_is_refused_too(
    grid: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(devices, "available", lambda: ["cpu"])
    assert main(["sweep", str(grid), "--dry-run", "--set", "device=cuda"]) == 2
    assert main(["run", "seeded.md", "--out", "out", "--set", "device=cuda"]) == 2
    assert capsys.readouterr().err.count("there is no device 'cuda' here") == 2
    with pytest.raises(ParameterError, match="no device 'cuda'"):
        sweep(grid, {"device": "cuda"}, progress=False)
    assert not Path("out").exists()
    assert not Path("store").exists()
    assert main(["sweep", str(grid), "--dry-run", "--devices", "cpu"]) == 0


def test_devices_are_of_one_kind_and_given_once(grid: Path) -> None:
    with pytest.raises(RunError, match="several kinds"):
        plan(grid, devices=["cpu", "cuda:0"])
    with pytest.raises(RunError, match="give one of the two"):
        plan(grid, {"device": "cuda"}, ["cuda:0"])
    (grid.parent / "none.yml").write_text(f"store: s\nstages: {{plain: {{notebook: {HERE}/first.md}}}}\n")
    with pytest.raises(RunError, match="has the parameter 'device'"):
        plan(grid.parent / "none.yml", devices=["cuda:0"])


def test_every_run_is_planned_for_the_device_and_its_record_says_that_it_was_used(grid: Path) -> None:
    laid_out = plan(grid, devices=["cuda:0", "cuda:1"])
    assert [run.parameters.get("device") for run in laid_out.runs] == ["cuda", "cuda", "cuda", None]
    check(laid_out, here=True)
    same = plan(grid, devices=["cuda:1"])
    assert [run.digest for run in same.runs] == [run.digest for run in laid_out.runs]
    summary = sweep(grid, devices=["cuda:0", "cuda:1"], progress=False)
    assert summary.complete, summary.reasons
    records = list(nca.sweeps.records("store", "seeded"))
    assert {record["device"] for record in records} <= {"cuda:0", "cuda:1"}
    assert {record["precision"] for record in records} == {"float32"}
    assert [record["parameters"]["device"] for record in records] == ["cuda"] * 3
    assert all("device.json" not in name for record in records for name in record["artefacts"])
    assert next(nca.sweeps.records("store", "plain"))["device"] == ""


def test_a_run_that_used_another_device_is_a_failure(grid: Path) -> None:
    summary = sweep(grid, {"obeys": False, "seed": 0}, devices=["cuda:1"], progress=False)
    assert (summary.done, summary.failed) == (1, 1)
    assert "asked for device cuda:1 and used cpu" in summary.reasons[0]
    (failure,) = nca.sweeps.failures("store")
    assert (failure["device"], failure["kind"]) == ("cpu", "raised")


@pytest.mark.parametrize(
    ("asked", "used", "agree"),
    [
        ("cuda", ["cuda:1"], True),
        ("cuda:1", ["cuda:1"], True),
        ("cuda:1", ["cuda:0"], False),
        ("cuda:1", ["cuda:0", "cuda:1"], False),
        ("cuda", ["cpu"], False),
        ("cpu", ["cpu"], True),
        ("cpu", ["cuda:0"], False),
    ],
)
def test_any_gpu_is_cuda_and_a_numbered_one_is_itself_alone(asked: str, used: list[str], agree: bool) -> None:
    assert devices.agrees(asked, used) == agree


def test_the_paper_s_grids_ask_for_tf32_on_cuda(demo_songs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUSDB_PATH", str(demo_songs))
    for run in plan(ROOT / "notebooks/paper/couple.yml").runs:
        assert run.parameters.get("device", "cuda") == "cuda"
        assert run.parameters.get("precision", "tf32") == "tf32"
