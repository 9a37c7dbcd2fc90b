"""Grid files: what they expand to, and what is refused before anything runs."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, Optional

import pytest
from sweeps.harness import HERE

from nca.errors import DataError, NCAError, ParameterError, RunError
from nca.sweeps import plan, yamltext
from nca.sweeps.axes import Axes
from nca.sweeps.parameters import admits

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
    parameters: dict[str, Any], rows: list[dict[str, Any]] | None = None, **overrides: Any
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
    assert _expand({"a": [1, 2], "b": 3}, a=9) == [{"a": 9, "b": 3}]


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
        (int, [1, -3], [1.0, True, "1", None]),
        (float, [1, 1.5], [True, "1e-4", None]),
        (bool, [True, False], [0, 1, "true"]),
        (str, ["", "a"], [1, None]),
        (list, [[], [1]], ["a", 1]),
        (list[int], [[], [1]], [["a"], [True], 1]),
        (tuple[float, float], [[1, 2.0]], [["a", 1], 1]),
        (int | None, [1, None], ["a", 1.5]),
        (Optional[str], ["a", None], [1]),  # noqa: UP045
        (Literal["a", 1], ["a", 1], ["b", True]),
        (dict[str, int], [{"a": 1}], [{"a": "b"}, []]),
        (Any, [1, "a", None, []], []),
    ],
)
def test_values_are_judged_by_type(kind: Any, good: list[Any], bad: list[Any]) -> None:
    assert all(admits(kind, value) for value in good)
    assert not any(admits(kind, value) for value in bad)


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
        ("  first: {notebook: first.md}\n  first: {notebook: first.md}", "stands there twice"),
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
    assert yamltext.load(text) == {**expected, "i": None, "j": "1.0.0"}


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
