"""Grid files: what they expand to, and what is refused before anything runs."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sweeps.harness import HERE

from nca.errors import DataError, NCAError, ParameterError, RunError
from nca.support.files import write_json
from nca.support.kinds import admits
from nca.sweeps import engine, plan, store
from nca.sweeps.axes import Axes
from nca.sweeps.checks import unwatched
from nca.sweeps.engine import RunQueue, task_maker
from nca.sweeps.execution import Task, _environment, perform
from nca.sweeps.grid import read_grid
from nca.sweeps.values import assignment, read_yaml

Write = Callable[[str], Path]


@pytest.fixture
def grid(tmp_path: Path) -> Write:
    """Writes a grid of the text of its stages, beside the notebooks of the fixtures."""
    for notebook in HERE.glob("*.md"):
        (tmp_path / notebook.name).write_text(notebook.read_text())

    def write(stages: str) -> Path:
        path = tmp_path / "grid.yml"
        path.write_text(f"store: {tmp_path}/store\nstages:\n{stages}\n")
        return path

    return write


def _expand(
    parameters: dict[str, Any], rows: list[dict[str, Any]] | None = None, **overrides: list[Any]
) -> list[dict[str, Any]]:
    return list(Axes(parameters, rows or [{}], overrides, "a stage"))


def test_lists_are_axes_of_a_product() -> None:
    runs = _expand({"a": [1, 2], "b": {"range": [0, 6, 2]}, "c": {"value": [7, 8]}, "d": "x"})
    assert runs == [{"a": a, "b": b, "c": [7, 8], "d": "x"} for a in (1, 2) for b in (0, 2, 4)]


def test_rows_are_one_more_axis_and_may_hold_lists() -> None:
    runs = _expand({"a": [1, 2]}, [{"b": "p"}, {"b": "q", "a": [3, 4], "c": 5}])
    expected = [{"a": 1, "b": "p"}, {"a": 2, "b": "p"}, {"a": 3, "b": "q", "c": 5}, {"a": 4, "b": "q", "c": 5}]
    assert sorted(map(str, runs)) == sorted(map(str, expected))


def test_an_override_replaces_an_axis() -> None:
    assert _expand({"a": [1, 2], "b": 3}, a=[9]) == [{"a": 9, "b": 3}]


def test_a_draw_depends_on_what_it_is_drawn_by_and_on_nothing_else() -> None:
    rule = {"draw": [0, 50], "by": ["song", "model"]}
    runs = _expand({"song": {"range": 200}, "model": ["a", "b"], "other": [1, 2], "instance": rule})
    drawn: dict[tuple[int, str], set[int]] = {}
    for run in runs:
        drawn.setdefault((run["song"], run["model"]), set()).add(run["instance"])
    assert all(len(values) == 1 for values in drawn.values())
    counts = Counter(value for values in drawn.values() for value in values)
    assert set(counts) <= set(range(50))
    # 400 draws from 50: chi-squared with 49 degrees of freedom stays below 95 but for one case in ten thousand
    assert sum((counts[value] - 8) ** 2 / 8 for value in range(50)) < 95
    assert _expand({"song": 3, "model": "b", "instance": rule})[0]["instance"] == next(iter(drawn[3, "b"]))


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("int", [1, -3], [1.0, True, "1", None]),
        ("float", [1, 1.5], [True, "1e-4", None]),
        ("bool", [True, False], [0, 1, "true"]),
        ("str", ["", "a"], [1, None]),
        ("list", [[], [1]], ["a", 1]),
        ("list[int]", [[], [1]], [["a"], [True], 1]),
        ("tuple[float, ...]", [[1, 2.0]], [["a", 1], 1]),
        ("int | None", [1, None], ["a", 1.5]),
        ("Optional[str]", ["a", None], [1]),
        ("typing.Union[int, str]", ["a", 1], [None, 1.5]),
        ("Literal['a', 1]", ["a", 1], ["b", True]),
        ("dict[str, int]", [{"a": 1}], [{"a": "b"}, []]),
        ("'int'", [1], ["a"]),
        ("Any", [1, "a", None, []], []),
        ("Path", [1, "a", None, []], []),
    ],
)
def test_values_are_judged_by_type(kind: str, good: list[Any], bad: list[Any]) -> None:
    assert all(admits(kind, value) for value in good)
    assert not any(admits(kind, value) for value in bad)


def test_an_annotation_is_read_and_never_run(grid: Write, tmp_path: Path) -> None:
    smuggled = (
        "[c for c in ().__class__.__base__.__subclasses__() if c.__name__ == '_wrap_close'][0]"
        f".__init__.__globals__['system']('touch {tmp_path}/ran')"
    )
    notebook = (tmp_path / "first.md").read_text().replace("seed: int", f"seed: {smuggled}")
    (tmp_path / "first.md").write_text(notebook)
    assert len(plan(grid("  first: {notebook: first.md, parameters: {seed: [0, 1]}}")).runs) == 2
    assert not (tmp_path / "ran").exists()


def test_needs_are_matched_by_what_both_stages_set(grid: Write) -> None:
    laid_out = plan(HERE / "grid.yml")
    for run in laid_out.runs:
        if run.stage == "second":
            (first,) = run.needs["first"]
            upstream = laid_out.runs[first]
            assert (upstream.stage, upstream.parameters["model"]) == ("first", run.parameters["model"])
            assert upstream.parameters["seed"] == run.parameters["seed"]
    (page,) = [run for run in laid_out.runs if run.stage == "page"]
    assert len(page.needs["runs"]) == 12
    named = grid(
        "  first: {notebook: first.md, parameters: {seed: {range: 4}}}\n"
        "  second: {notebook: second.md, parameters: {seed: [7], power: {range: [1, 4]}},"
        " needs: {first: {run: first, on: {seed: power}}}}"
    )
    laid_out = plan(named)
    found = [laid_out.runs[run.needs["first"][0]].parameters["seed"] for run in laid_out.runs if run.stage == "second"]
    assert found == [1, 2, 3]


def test_what_a_record_holds_is_not_run_again_but_where_others_need_it(grid: Write, tmp_path: Path) -> None:
    first = "  first: {notebook: first.md, parameters: {seed: {range: 3}}}\n"
    path = grid(first)
    path.write_text(f"recorded: {tmp_path}/record.json\n{path.read_text()}")
    runs = plan(path).runs
    kept = [{"stage": run.stage, "parameters": run.parameters, "data": run.data, "results": []} for run in runs[:2]]
    write_json(tmp_path / "record.json", {"command": "nca sweep", "stages": {}, "runs": kept})
    assert plan(path).runs == runs[2:]
    path.write_text(path.read_text() + "  second: {notebook: second.md, needs: {first: {all: first}}}\n")
    assert [run.stage for run in plan(path).runs] == ["first", "first", "first", "second"]


def test_runs_that_are_written_twice_are_one(grid: Write) -> None:
    laid_out = plan(grid("  first: {notebook: first.md, parameters: {scale: 1}, rows: [{}, {scale: 1.0}, {seed: 0}]}"))
    assert len(laid_out.runs) == 1


@pytest.mark.parametrize(
    ("stages", "said"),
    [
        ("  first: {notebook: first.md, parameters: {modell: a}}", "did you mean 'model'"),
        ("  first: {notebook: first.md, parameters: {seed: [0, zero]}}", "'seed' is int and cannot be 'zero'"),
        ("  first: {notebook: first.md, parameters: {seed: true}}", "'seed' is int and cannot be True"),
        ("  first: {notebook: first.md, parameters: {seed: {range: [3, 3]}}}", "not empty"),
        ("  first: {notebook: first.md, parameters: {seed: {rnge: 3}}}", "a rule is"),
        ("  first: {notebook: first.md, parameters: {seed: {draw: 3, by: [modell]}}}", "drawn by 'modell'"),
        ("  first: {notebook: first.md, parameters: {seed: []}}", "has no values"),
        ("  first: {notebook: first.md, parameters: {out: x}}", "which the sweep itself sets"),
        ("  first: {notebook: first.md, parameterss: {}}", "did you mean 'parameters'"),
        ("  first: {notebook: none.md}", "cannot be read"),
        ("  first: {notebook: first.md, memory: lots}", "8 GB or 512 MiB"),
        ("  first: {notebook: first.md, seconds: -1}", "positive number"),
        ("  first: {notebook: first.md, data: dta}", "did you mean 'data'"),
        ("  first: {notebook: first.md, data: data, parameters: {data: nowhere}}", "data nowhere does not exist"),
        ("  second: {notebook: second.md, needs: {first: third}}", "which is no stage"),
        ("  second: {notebook: second.md, needs: {first: second}}", "in a circle"),
        (
            "  first: {notebook: first.md, parameters: {seed: [0]}}\n"
            "  second: {notebook: second.md, parameters: {seed: [1]}, needs: {first: first}}",
            "seed=1: none fits",
        ),
        (
            "  first: {notebook: first.md, parameters: {seed: [0, 1]}}\n"
            "  second: {notebook: second.md, needs: {first: first}}",
            "2 fit; name what must agree in `on`",
        ),
        ("  first: {notebook: first.md}\n  first: {notebook: first.md}", "found duplicate key"),
        ("  first: [", "is not YAML"),
        ("  a/b: {notebook: first.md}", "names a folder"),
    ],
)
def test_mistakes_are_refused_before_anything_runs(grid: Write, stages: str, said: str) -> None:
    with pytest.raises(NCAError) as raised:
        plan(grid(stages))
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_overrides_are_judged_too() -> None:
    assert {run.parameters["seed"] for run in plan(HERE / "grid.yml", {"seed": 1}).runs if run.stage != "page"} == {1}
    with pytest.raises(RunError, match="has the parameter 'sed'; did you mean 'seed'"):
        plan(HERE / "grid.yml", {"sed": 1})
    with pytest.raises(ParameterError, match="cannot be 'x'"):
        plan(HERE / "grid.yml", {"seed": "x"})


def test_yaml_reads_numbers_and_words_as_people_write_them() -> None:
    text = "{a: 1e-4, b: on, c: no, d: true, e: 12, f: .5, g: -3.5E2, on: 1, h: 2024-01-01, i: null, j: 1.0.0}"
    expected = {"a": 1e-4, "b": "on", "c": "no", "d": True, "e": 12, "f": 0.5, "g": -350.0, "on": 1, "h": "2024-01-01"}
    assert read_yaml(text) == {**expected, "i": None, "j": "1.0.0"}


@pytest.mark.parametrize(
    ("setting", "swept"),
    [
        ("model=DAE,SF", ["DAE", "SF"]),
        ("model=DAE, SF", ["DAE", "SF"]),
        ("model=[DAE, SF]", ["DAE", "SF"]),
        ("model='DAE, SF'", ["DAE, SF"]),
        ("model=2024", ["2024"]),
        ("model=5.10", ["5.10"]),
        ("model=My #1 song", ["My #1 song"]),
        ("model=*: [", ["*: ["]),
        ("model=on", ["on"]),
        ("seed=3,1", [3, 1]),
        ("seed=[3, 1]", [3, 1]),
        ("seed=7", [7]),
        ("scale=1e-2,2", [0.01, 2.0]),
    ],
)
def test_settings_take_text_as_it_stands_and_sweep_over_several_values(
    grid: Write, setting: str, swept: list[Any]
) -> None:
    name, value = assignment(setting)
    runs = plan(grid("  first: {notebook: first.md, parameters: {model: [a, b]}}"), {"model": "c"} | {name: value}).runs
    assert [run.parameters[name] for run in runs] == swept


def test_a_path_is_taken_as_it_stands(grid: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("2024", "5.1", "My #1 songs, old and new", "[a, b]", "'90s"):
        Path(name).mkdir()
        (run,) = plan(grid("  first: {notebook: first.md, data: data}"), dict([assignment(f"data={name}")])).runs
        assert run.parameters["data"] == name


def test_a_list_sweeps_where_the_parameter_is_none(grid: Write) -> None:
    path = grid("  first: {notebook: first.md, parameters: {seed: 0}}")
    assert [run.parameters["seed"] for run in plan(path, {"seed": [4, 5]}).runs] == [4, 5]
    with pytest.raises(ParameterError, match=r"'seed' is int and cannot be \['a', 'b'\]"):
        plan(path, {"seed": ["a", "b"]})


def test_missing_data_is_a_data_error(grid: Write) -> None:
    with pytest.raises(DataError):
        plan(grid("  first: {notebook: first.md, data: data, parameters: {data: nowhere}}"))


def test_a_grid_that_comes_after_another_has_its_stages_and_its_store(grid: Write) -> None:
    first = grid("  first: {notebook: first.md, parameters: {seed: [0, 1]}}")
    second = first.with_name("second.yml")
    second.write_text("after: grid.yml\nstages: {second: {notebook: second.md, needs: {first: {all: first}}}}\n")
    laid_out = plan(second)
    assert [run.stage for run in laid_out.runs] == ["first", "first", "second"]
    assert [run.digest for run in laid_out.runs[:2]] == [run.digest for run in plan(first).runs]
    assert laid_out.grid.store == plan(first).grid.store
    second.write_text("after: grid.yml\nstore: elsewhere\nstages: {second: {notebook: second.md}}\n")
    with pytest.raises(RunError, match="has another store than grid"):
        plan(second)
    second.write_text("after: grid.yml\nstages: {first: {notebook: first.md}}\n")
    with pytest.raises(RunError, match="is a stage of grid"):
        plan(second)


def test_a_stage_runs_with_what_it_needs_and_nothing_else(grid: Write) -> None:
    path = grid(
        "  first: {notebook: first.md}\n  other: {notebook: first.md, parameters: {seed: 5}}\n"
        "  second: {notebook: second.md, needs: {first: first}}\n"
        "  page: {notebook: page.md, needs: {runs: {all: [first, second]}}}"
    )
    whole = {run.stage: run.digest for run in plan(path).runs}
    assert {run.stage: run.digest for run in plan(path, stages=["second"]).runs} == {
        name: whole[name] for name in ("first", "second")
    }
    assert set(plan(path, stages=["other", "second"]).grid.stages) == {"first", "other", "second"}
    with pytest.raises(RunError, match="has no stage 'secnd'; did you mean 'second'"):
        plan(path, stages=["secnd"])


def test_what_stages_share_is_written_once(grid: Write, tmp_path: Path) -> None:
    (tmp_path / "songs").mkdir()
    apart = grid(
        f"  first: {{notebook: first.md, data: data, parameters: {{data: {tmp_path}/songs, seed: [0, 1], model: b}}}}\n"
        "  second: {notebook: second.md, needs: {first: first}, parameters: {seed: [0, 1], power: 2}}"
    )
    digests = [run.digest for run in plan(apart).runs]
    shared = grid(
        "  first: {notebook: first.md, parameters: {model: b}}\n"
        "  second: {notebook: second.md, needs: {first: first}, parameters: {power: 2}}"
    )
    more = f"data: data\nparameters: {{data: {tmp_path}/songs, seed: [0, 1]}}\n"
    shared.write_text(more + shared.read_text())
    assert [run.digest for run in plan(shared).runs] == digests
    shared.write_text(shared.read_text().replace("seed: [0, 1]", "sead: [0, 1]"))
    with pytest.raises(RunError, match="has the parameter 'sead'; did you mean 'seed'"):
        plan(shared)


def test_the_grid_on_the_page_works_as_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = HERE.parents[1]
    printed = (root / "book" / "sweeps.md").read_text().split("```yaml\n")[1].split("```")[0]
    (tmp_path / "notebooks").mkdir()
    for name in ("notebooks/train.md", "notebooks/couple.md"):
        (tmp_path / name).write_text((root / name).read_text())
    (tmp_path / "mine.yml").write_text(printed)
    (tmp_path / "my-songs").mkdir()
    monkeypatch.chdir(tmp_path)
    stages = Counter(run.stage for run in plan("mine.yml").runs)
    assert stages == {"train": 150, "couple": 150}


def _names(path: Path, **overrides: Any) -> list[str]:
    return [run.name.removesuffix(run.digest[:12]) for run in plan(path, overrides).runs]


def test_a_folders_name_shows_what_is_swept_and_no_defaults(grid: Write) -> None:
    path = grid("  first: {notebook: first.md, parameters: {model: [a, b], seed: 3, scale: 2}}")
    assert _names(path) == ["a-", "b-"]
    assert _names(path, seed=5) == ["a-seed5-", "b-seed5-"]
    assert _names(path, model="a") == ["a-"]
    rows = "  first: {notebook: first.md, parameters: {model: b}, rows: [{seed: 1}, {seed: 2, scale: 3}]}"
    assert _names(grid(rows)) == ["seed1-scale1.0-", "seed2-scale3.0-"]
    assert _names(grid("  first: {notebook: first.md, parameters: {model: b}}")) == ["first-"]


def test_a_run_keeps_the_name_that_another_grid_has_given_it(grid: Write, tmp_path: Path) -> None:
    path = grid("  first: {notebook: first.md, parameters: {model: [a, b]}}")
    first, second = plan(path).runs
    named = tmp_path / "store" / "first" / f"b-demo-seed0-scale1.0-{second.digest[:12]}"
    write_json(named / "record.json", {})
    failed = named.with_name(f"an-older-name-{second.digest[:12]}.failed")
    write_json(failed / "failure.json", {"reason": "once"})
    laid_out = plan(path)
    assert [laid_out.folder(run) for run in laid_out.runs] == [tmp_path / "store" / "first" / first.name, named]


def test_a_run_that_another_grid_has_made_meanwhile_is_not_made_again(grid: Write, tmp_path: Path) -> None:
    """Its folder then has another name than the plan expected, and what builds on it is given that one."""
    second = "  second: {notebook: second.md, parameters: {power: [1, 2]}, needs: {first: first}}"
    queued = RunQueue(plan(grid(f"  first: {{notebook: first.md}}\n{second}")), retry_failed=False)
    one = queued.ready.popleft()
    task = task_maker(queued.plan)(one)
    store.prepare(tmp_path / "store")
    with store.claim(tmp_path / "store", task.digest) as mine:
        assert mine
        assert perform(task).state == "elsewhere"
        named = tmp_path / "store" / "first" / f"seed0-{task.digest[:12]}"
        write_json(named / "record.json", {})
    outcome = perform(task)
    assert (outcome.state, outcome.name) == ("done", named.name)
    queued.enter(one, outcome)
    assert [queued.plan.arguments(queued.plan.runs[each])["first"] for each in queued.ready] == [str(named)] * 2
    assert not list((tmp_path / "store").glob("first/first-*"))


def test_data_that_can_change_unnoticed_is_said(grid: Write, tmp_path: Path) -> None:
    (tmp_path / "songs").mkdir()
    (tmp_path / "songs" / "one").write_text("la")
    stage = f"  first: {{notebook: first.md, parameters: {{data: {tmp_path}/songs}}}}"
    (sentence,) = unwatched(plan(grid(stage)))
    assert "what is in" in sentence
    assert "'data' is not named in `data:`" in sentence
    assert unwatched(plan(grid(stage.replace("notebook", "data: data, notebook")))) == []
    assert unwatched(plan(grid(stage.replace("/songs", "/store")))) == []
    assert unwatched(plan(grid("  first: {notebook: first.md}"))) == []


GRIDS = [path for path in sorted((HERE.parents[1] / "notebooks").glob("*.yml")) if path.stem != "alone"]  # has no data


@pytest.mark.parametrize("grid_file", GRIDS, ids=lambda path: path.stem)
def test_the_projects_grids_watch_all_their_data(grid_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(HERE.parents[1])
    stages = read_grid(grid_file).stages.values()
    for stage in stages:
        for name, parameter in stage.cell.parameters.items():
            if str(parameter.default).startswith(("data/", "book/records/")):
                assert name in stage.data, stage.name


def test_foreign_notebooks_may_call_their_models_as_they_like(grid: Write) -> None:
    assert len(plan(grid("  first: {notebook: first.md, parameters: {model: [UNet, any], seed: -4}}")).runs) == 2


def test_threads_are_shared_but_where_the_user_has_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(engine, "cores", lambda: 8)
    monkeypatch.setenv("MKL_NUM_THREADS", "5")
    task = Task("a", "0" * 64, "s", "s/a/b", ".", "{}", {}, {}, threads=3)
    for given, expected in (("", (8, 4)), ("2", (2, 2)), ("many", (8, 4))):
        monkeypatch.setenv("OMP_NUM_THREADS", given)
        assert (engine._threads(1), engine._threads(2)) == expected
    monkeypatch.delenv("OMP_NUM_THREADS")
    environment = _environment(task, tmp_path / "report")
    assert (environment["OMP_NUM_THREADS"], environment["MKL_NUM_THREADS"]) == ("3", "5")
