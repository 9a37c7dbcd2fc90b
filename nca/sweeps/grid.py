"""The grid file: a store, and stages of runs with the notebook, parameters and needs of each.

```yaml
store: store/demo                 # where the runs go, relative to the working directory
parameters: {data: data/demo}     # of every stage below whose notebook has them, unless it says otherwise
data: data                        # likewise; see below
after: train.yml                  # another grid, whose stages stand before these; its store is theirs
stages:
  train:
    notebook: train.md            # relative to the grid file
    parameters:                   # every list is an axis of the product
      model: [DAE, SF]
      seed: {range: [0, 3]}       # 0, 1, 2; also [start, stop, step] and a single stop
      data: data/demo             # one value; {value: [..]} is a list that is one value
      corpus: $MUSDB_PATH         # of a path, the value of an environment variable
    data: [data, corpus]          # these parameters are paths: identity takes the digest of what they point to
    seconds: 3600                 # wall-clock limit of a run
    memory: 8 GB                  # memory limit of a run's kernel
    example: true                 # its first run, as executed, is a page of the book
  couple:
    notebook: couple.md
    parameters:
      model: [DAE, SF]
      segment: {range: 4}
      seed: {draw: [0, 3], by: [model, segment]}   # one of 0, 1, 2, drawn by a hash of what is named
    rows:                         # one more axis: each row sets several parameters together
      - {strategy: student}
      - {strategy: compositional, gate: [printed, code]}
    needs: {trained: train}       # the folder of the train run that agrees in all that both stages set
  results:
    notebook: results.md
    needs: {runs: {all: [train, couple]}}   # the folders of all those runs
    page: true                    # its prose and plots count too, and it is a page of the book
pages: executed                   # where executed pages are copied for the book
recorded: book/records/demo.json  # runs that this record holds already, by their parameters, are not made again
```
"""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import nbformat
from dask.utils import parse_bytes
from ruamel.yaml.error import YAMLError

from nca.errors import RunError
from nca.support.kinds import admits
from nca.sweeps.axes import Axes
from nca.sweeps.meaning import check_values, uses_package
from nca.sweeps.notebooks import read_notebook
from nca.sweeps.parameters import Cell, check, parameters_cell, suggestion
from nca.sweeps.values import read_yaml, values

# by the names of a grid file's keys: what kind of value each has
_STAGE = {
    "notebook": "str",
    "parameters": "Any",  # judged with the rows
    "rows": "Any",
    "needs": "dict | None",
    "data": "str | list[str] | None",
    "seconds": "Any",  # judged with its unit, as is memory
    "memory": "Any",
    "page": "bool",
    "example": "bool",
}
_GRID = {
    "store": "str",
    "after": "str",
    "stages": "dict",
    "pages": "str | None",
    "packages": "list[str]",
    "recorded": "str | None",
    "parameters": "dict | None",
    "data": "str | list[str] | None",
}
_NEED = {"all": "str | list[str]", "run": "str", "on": "list[str] | dict[str, str] | None"}


@dataclass(frozen=True)
class Need:
    """What a parameter needs: the one run of a stage that agrees in `on`, or (`many`) all runs of some stages.

    `on` maps a parameter of the needed stage to the parameter here that it must equal; None: all that both set.
    """

    stages: tuple[str, ...]
    many: bool
    on: dict[str, str] | None = None


@dataclass(frozen=True)
class Stage:
    """One notebook with the axes of its runs."""

    name: str
    path: Path
    notebook: nbformat.NotebookNode
    cell: Cell
    axes: Axes
    needs: dict[str, Need]
    data: tuple[str, ...] = ()
    seconds: float | None = None
    memory: int | None = None
    page: bool = False
    example: bool = False

    @property
    def needed(self) -> list[str]:
        """The names of the stages that this one needs."""
        return list(dict.fromkeys(name for need in self.needs.values() for name in need.stages))

    @cached_property
    def uses_package(self) -> bool:
        """Whether the notebook imports this package."""
        return uses_package(self.notebook)

    @cached_property
    def json(self) -> str:
        """The notebook as the JSON of a Jupyter notebook."""
        return nbformat.writes(self.notebook)


@dataclass(frozen=True)
class Grid:
    """A grid file as read: its stages stand in an order in which every need points backwards."""

    path: Path
    store: Path
    stages: dict[str, Stage]
    pages: Path | None = None
    packages: tuple[str, ...] = ("nca",)
    recorded: Path | None = None


def read_grid(path: str | Path, overrides: Mapping[str, Any] | None = None, only: Sequence[str] = ()) -> Grid:
    """Read and judge a grid file.

    Args:
        path: The grid file.
        overrides: Parameters set in every stage whose notebook has them.
        only: Stages to keep, with those that they need; default all.

    Raises:
        RunError: The file is unreadable, has an unknown key or stage, or its needs are unknown or circular.
        ParameterError: A parameter that its notebook does not have, or a value of the wrong type.
    """
    path, overrides = Path(path), dict(overrides or {})
    content, stages = _content(path, overrides, ())
    known = {name for stage in stages.values() for name in stage.cell.parameters}
    for name in overrides:
        if name not in known:
            raise RunError(f"no notebook of grid {path} has the parameter {name!r}{suggestion(name, sorted(known))}")
    pages, recorded = (Path(content[name]) if content.get(name) else None for name in ("pages", "recorded"))
    packages = tuple(content.get("packages", ["nca"]))
    ordered = _with_needs(_ordered(stages, path), only, path)
    return Grid(path, Path(content["store"]), ordered, pages, packages, recorded)


def _content(path: Path, overrides: dict[str, Any], later: tuple[Path, ...]) -> tuple[dict[str, Any], dict[str, Stage]]:
    """A grid file and its stages, those of the grid that it comes after first; `later` come after this one."""
    content = _read(path)
    if path.resolve() in later:
        raise RunError(f"grid {path} comes after itself; correct `after:`")
    _check_keys(content, _GRID, {"stages"} if "after" in content else {"store", "stages"}, f"grid {path}")
    stages: dict[str, Stage] = {}
    if "after" in content:
        before, stages = _content(path.parent / content["after"], overrides, (*later, path.resolve()))
        if content.setdefault("store", before["store"]) != before["store"]:
            raise RunError(f"grid {path} has another store than {content['after']}, which it comes after; leave it out")
    mine = {}
    for name, stage in content["stages"].items():
        if name in stages:
            raise RunError(f"stage {name!r} of grid {path} is a stage of {content['after']} already; rename it")
        mine[name] = _stage(name, stage, path, overrides, content)
    known = {name for stage in mine.values() for name in stage.cell.parameters}
    for name in (*(content.get("parameters") or {}), *_listed(content.get("data") or [])):
        if name not in known:
            raise RunError(f"no notebook of grid {path} has the parameter {name!r}{suggestion(name, sorted(known))}")
    return content, stages | mine


def _read(path: Path) -> dict[str, Any]:
    try:
        content = read_yaml(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise RunError(f"grid {path} cannot be read ({error})") from None
    except (YAMLError, ValueError, RecursionError) as error:
        problem, mark = getattr(error, "problem", error), getattr(error, "problem_mark", None)
        line = f", in line {mark.line + 1}" if mark else ""
        raise RunError(f"grid {path} is not YAML: {' '.join(str(problem).split())}{line}") from None
    if not isinstance(content, dict) or not isinstance(content.get("stages"), dict) or not content["stages"]:
        raise RunError(f"grid {path} has no stages; it needs `store:` and `stages:` with at least one stage")
    return content


def _check_keys(content: Any, known: Mapping[str, str], wanted: set[str], where: str) -> None:
    if not isinstance(content, dict):
        raise RunError(f"{where} is not a mapping of names to values")
    for key, value in content.items():
        if key not in known:
            raise RunError(f"{where} has an unknown key {key!r}{suggestion(str(key), sorted(known))}")
        if not admits(known[key], value):
            raise RunError(f"{where}: {key!r} is {known[key]} and cannot be {value!r}")
    for key in sorted(wanted - set(content)):
        raise RunError(f"{where} lacks {key!r}")


def _stage(name: Any, content: Any, path: Path, overrides: dict[str, Any], shared: dict[str, Any]) -> Stage:
    where = f"stage {name!r} of grid {path}"
    if not re.fullmatch(r"[A-Za-z0-9_-]+", str(name)):
        raise RunError(f"{where} needs a name of letters, digits, - and _, since it names a folder")
    _check_keys(content, _STAGE, {"notebook"}, where)
    file = path.parent / content["notebook"]
    notebook = read_notebook(file)
    cell = parameters_cell(notebook, str(file))
    shared_data = [one for one in _listed(shared.get("data") or []) if one in cell.parameters]
    data = tuple(dict.fromkeys([*shared_data, *_listed(content.get("data") or [])]))
    mine = {
        one: [value] if one in data else values(cell.parameters[one].kind, value)  # a path stands as it is written
        for one, value in overrides.items()
        if one in cell.parameters
    }
    given = content.get("parameters") or {}
    if isinstance(given, dict):
        common = {one: value for one, value in (shared.get("parameters") or {}).items() if one in cell.parameters}
        given = _with_environment(common | given, set(data) - set(mine), where)
    stage = Stage(
        name=str(name),
        path=file,
        notebook=notebook,
        cell=cell,
        axes=Axes(given, content.get("rows") or [{}], mine, where),
        needs={one: _need(value, f"need {one!r} of {where}") for one, value in (content.get("needs") or {}).items()},
        data=data,
        seconds=_positive(content.get("seconds"), f"`seconds` of {where}"),
        memory=_bytes(content.get("memory"), f"`memory` of {where}"),
        page=bool(content.get("page", False)),
        example=bool(content.get("example", False)),
    )
    _check_parameters(stage, f"{where} (notebook {file})")
    return stage


def _check_parameters(stage: Stage, where: str) -> None:
    known = stage.cell.parameters
    for reserved in ("out", *stage.needs):
        if reserved not in known:
            raise RunError(f"{where} needs a parameter {reserved!r} in its parameters cell: the sweep sets it")
        if reserved in stage.axes.names:
            raise RunError(f"{where} sets {reserved!r}, which the sweep itself sets; leave it out")
    for name in stage.data:
        if name not in known:
            raise RunError(f"{where}: `data` names {name!r}, which is no parameter{suggestion(name, known)}")
    for chosen in stage.axes.values():
        check(known, chosen, where)
        if stage.uses_package:
            check_values(known, chosen, where)


def _need(value: Any, where: str) -> Need:
    if isinstance(value, str):
        return Need((value,), many=False)
    _check_keys(value, _NEED, set(), where)
    if ("all" in value) == ("run" in value):
        raise RunError(f"{where} is a stage, {{run: stage, on: [..]}} or {{all: [stages]}}")
    on = value.get("on")
    return Need(
        tuple(_listed(value.get("all") or value.get("run"))),
        many="all" in value,
        on={name: name for name in on} if isinstance(on, list) else on,
    )


def _with_environment(parameters: dict[str, Any], paths: Iterable[str], where: str) -> dict[str, Any]:
    """The parameters with `$NAME`, where a path has that, as the environment says."""
    given = dict(parameters)
    for name in paths:
        value = given.get(name)
        if isinstance(value, str) and value.startswith("$"):
            if not os.environ.get(value[1:]):
                raise RunError(f"{name!r} of {where} is {value}, which is not set; set it, or give --set {name}=FOLDER")
            given[name] = os.environ[value[1:]]
    return given


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _positive(value: Any, where: str) -> float | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or not value > 0):
        raise RunError(f"{where} must be a positive number, not {value!r}")
    return value


def _bytes(value: Any, where: str) -> int | None:
    """A size in bytes from a number or `8 GB`, `512 MiB`."""
    if value is None:
        return None
    try:
        size = parse_bytes(value)
    except (ValueError, AttributeError, TypeError, OverflowError):
        size = 0
    if size <= 0:
        raise RunError(f"{where} must be a size such as 8 GB or 512 MiB, not {value!r}")
    return size


def _ordered(stages: dict[str, Stage], path: Path) -> dict[str, Stage]:
    """The stages in an order in which each comes after those it needs, otherwise as they stand in the file."""
    needed = {one.name: one.needed for one in stages.values()}
    for stage, names in needed.items():
        for name in names:
            if name not in stages:
                raise RunError(
                    f"stage {stage!r} of grid {path} needs {name!r}, which is no stage{suggestion(name, stages)}"
                )
    try:
        return {name: stages[name] for name in TopologicalSorter(needed).static_order()}
    except CycleError as error:
        raise RunError(f"the needs of grid {path} run in a circle among: {', '.join(error.args[1][1:])}") from None


def _with_needs(stages: dict[str, Stage], only: Sequence[str], path: Path) -> dict[str, Stage]:
    """The stages named in `only` with all that they need, in order; all stages where none is named."""
    for name in only:
        if name not in stages:
            raise RunError(f"grid {path} has no stage {name!r}{suggestion(name, stages)}")
    kept = set(only or stages)
    for stage in reversed(stages.values()):
        if stage.name in kept:
            kept.update(stage.needed)
    return {name: stage for name, stage in stages.items() if name in kept}
