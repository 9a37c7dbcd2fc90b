"""Text notebooks under papermill's own command line, executed notebooks, and a whole small sweep."""

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from sweeps.harness import HERE, environment, run

import nca.sweeps
from nca.errors import RunError
from nca.sweeps.notebooks import read_notebook


def _papermill(*arguments: str) -> str:
    command = [sys.executable, "-m", "papermill", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment(), cwd=HERE.parent)
    return done.stdout + done.stderr


def test_papermill_itself_executes_a_text_notebook_and_says_its_parameters(tmp_path: Path) -> None:
    told = _papermill("--help-notebook", "sweeps/first.md")
    assert "seed: int (default 0)" in told
    assert "scale: float (default 1.0)" in told
    output = tmp_path / "executed.ipynb"
    _papermill("sweeps/first.md", str(output), "-p", "seed", "3", "-p", "out", str(tmp_path / "out"))
    assert (tmp_path / "out" / "mean.json").is_file()
    assert nca.sweeps.check_executed(tmp_path) == 1


def test_what_is_no_notebook_is_a_named_error(tmp_path: Path) -> None:
    (tmp_path / "prose.md").write_text("# Only prose\n")
    (tmp_path / "broken.ipynb").write_text("{")
    for name, said in (
        ("prose.md", "no code cells"),
        ("broken.ipynb", "not a notebook"),
        ("none.md", "cannot be read"),
    ):
        with pytest.raises(RunError, match=said):
            read_notebook(tmp_path / name)


def _executed(*cells: nbformat.NotebookNode) -> nbformat.NotebookNode:
    return nbformat.v4.new_notebook(cells=list(cells))


def _cell(count: int | None, replied: bool = True, **more: object) -> nbformat.NotebookNode:
    cell = nbformat.v4.new_code_cell("work()", execution_count=count, **more)
    cell.metadata["execution"] = {"shell.execute_reply": "2020-01-01"} if replied else {}
    return cell


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ([_cell(1), _cell(None, replied=False)], "code cell 2 .*did not complete"),
        ([_cell(1), _cell(2, replied=False)], "code cell 2 .*did not complete"),
        (
            [_cell(1, outputs=[nbformat.v4.new_output("error", ename="ValueError", evalue="no", traceback=[])])],
            "code cell 1 .*ValueError: no",
        ),
    ],
    ids=["never started", "killed", "raised"],
)
def test_an_executed_notebook_that_is_not_whole_is_refused(
    tmp_path: Path, cells: list[nbformat.NotebookNode], said: str
) -> None:
    with pytest.raises(RunError, match="holds no executed notebooks"):
        nca.sweeps.check_executed(tmp_path)
    nbformat.write(_executed(_cell(1), nbformat.v4.new_code_cell("")), tmp_path / "whole.ipynb")
    assert nca.sweeps.check_executed(tmp_path) == 1
    nbformat.write(_executed(*cells), tmp_path / "part.ipynb")
    with pytest.raises(RunError, match=f"part.ipynb is incomplete: {said}"):
        nca.sweeps.check_executed(tmp_path)


def test_a_small_sweep_from_grid_to_table_and_page(tmp_path: Path) -> None:
    code, output = run(tmp_path, HERE / "grid.yml", "--dry-run")
    assert (code, "first: 6 to run, 0 done" in output, (tmp_path / "store").exists()) == (0, True, False)
    code, output = run(tmp_path, HERE / "grid.yml", "--set", "scale=3")
    assert code == 0, output
    assert "13 done, 0 done before, 0 failed, 0 left" in output
    first = nca.sweeps.table(tmp_path / "store", "first").set_index(["model", "seed"])["mean"]
    second = nca.sweeps.table(tmp_path / "store", "second")
    assert len(second) == 12
    for row in second.itertuples():
        assert row.value == pytest.approx(first[row.model, row.seed] ** row.exponent)
    assert nca.sweeps.verify(tmp_path / "store") == []
    assert nca.sweeps.check_executed(tmp_path / "executed") == 1
    page = (tmp_path / "executed" / "page.ipynb").read_text()
    assert ".unfinished" not in page
    assert str(tmp_path) not in page
    code, output = run(tmp_path, HERE / "grid.yml", "--set", "scale=3", "--status")
    assert (code, "second 6 0 0 0" in " ".join(output.split())) == (0, True)


def test_the_command_line_refuses_with_one_sentence(tmp_path: Path) -> None:
    code, output = run(tmp_path, HERE / "grid.yml", "--set", "sead=3")
    assert code == 2
    assert "has the parameter 'sead'; did you mean 'seed'?" in output
    assert "Traceback" not in output


DRAWING = """
```{code-cell} ipython3
:tags: [parameters]
seed: int = 0
out: str = "scratch"
```

```{code-cell} ipython3
import torch
from safetensors.torch import save_file

model = torch.nn.Sequential(torch.nn.Linear(65, 65), torch.nn.ReLU(), torch.nn.Linear(65, 65))
generator = torch.Generator().manual_seed(seed)
for weight in model.parameters():
    weight.data = torch.randn(weight.shape, generator=generator) / 8
adam = torch.optim.Adam(model.parameters())
data = torch.randn(256, 65, generator=generator)
for _ in range(20):
    adam.zero_grad()
    (model(data) - data).square().mean().backward()
    adam.step()
assert torch.are_deterministic_algorithms_enabled()
save_file(model.state_dict(), f"{out}/model.safetensors")
```
"""


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bits_in_two_processes(tmp_path: Path) -> None:
    (tmp_path / "drawing.md").write_text(DRAWING)
    stages = "stages: {drawing: {notebook: drawing.md, parameters: {seed: [0, 1]}}}\n"
    digests = []
    for name in ("one", "two"):
        (tmp_path / f"{name}.yml").write_text(f"store: {name}\n{stages}")
        code, output = run(tmp_path, tmp_path / f"{name}.yml", "--workers", "2")
        assert code == 0, output
        digests.append([one["artefacts"]["model.safetensors"] for one in nca.sweeps.records(tmp_path / name)])
    assert digests[0] == digests[1]
    assert digests[0][0] != digests[0][1]
