"""The grid file: a store, and stages of runs with the notebook, parameters and needs of each.

```yaml
store: store/demo                 # where the runs go, relative to the working directory
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
```
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import yaml

from nca.errors import RunError
from nca.sweeps import yamltext
from nca.sweeps.axes import Axes
from nca.sweeps.parameters import Cell, check, parameters_cell, suggestion
from nca.sweeps.textnotebooks import read_notebook

_STAGE = {"notebook", "parameters", "rows", "needs", "data", "seconds", "memory", "page"}
_GRID = {"store", "after", "stages", "pages", "packages"}
_UNITS = {"": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12, "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}


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


@dataclass(frozen=True)
class Grid:
    """A grid file as read: its stages stand in an order in which every need points backwards."""

    path: Path
    store: Path
    stages: dict[str, Stage]
    pages: Path | None = None
    packages: tuple[str, ...] = field(default=("nca",))


def read_grid(path: str | Path, overrides: Mapping[str, Any] | None = None) -> Grid:
    """Read and judge a grid file; `overrides` set a parameter in every stage whose notebook has it.

    Raises:
        RunError: The file is unreadable, has an unknown key, or its needs are unknown or circular.
        ParameterError: A parameter that its notebook does not have, or a value of the wrong type.
    """
    path = Path(path)
    content, stages = _content(path, dict(overrides or {}))
    packages = tuple(content.get("packages", ["nca"]))
    unknown = [name for name in overrides or {} if not any(name in one.cell.parameters for one in stages.values())]
    if unknown:
        known = sorted({name for one in stages.values() for name in one.cell.parameters})
        raise RunError(f"no notebook of grid {path} has the parameter {unknown[0]!r}{suggestion(unknown[0], known)}")
    pages = Path(content["pages"]) if content.get("pages") else None
    return Grid(path, Path(content["store"]), _ordered(stages, path), pages, packages)


def _content(path: Path, overrides: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Stage]]:
    """A grid file and its stages, those of the grid that it comes after first."""
    content = _yaml(path)
    _keys(content, _GRID, {"stages"} if "after" in content else {"store", "stages"}, f"grid {path}")
    stages: dict[str, Stage] = {}
    if "after" in content:
        before, stages = _content(path.parent / content["after"], overrides)
        if content.setdefault("store", before["store"]) != before["store"]:
            raise RunError(f"grid {path} has another store than {content['after']}, which it comes after; leave it out")
    for name in content["stages"]:
        if name in stages:
            raise RunError(f"stage {name!r} of grid {path} is a stage of {content['after']} already; rename it")
        stages[name] = _stage(name, content["stages"][name], path, overrides)
    return content, stages


def _yaml(path: Path) -> dict[str, Any]:
    try:
        content = yamltext.load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise RunError(f"grid {path} cannot be read ({error})") from None
    except yaml.YAMLError as error:
        raise RunError(f"grid {path} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict) or not isinstance(content.get("stages"), dict) or not content["stages"]:
        raise RunError(f"grid {path} has no stages; it needs `store:` and `stages:` with at least one stage")
    return content


def _keys(content: Any, known: set[str], wanted: set[str], where: str) -> None:
    if not isinstance(content, dict):
        raise RunError(f"{where} is not a mapping of names to values")
    for key in content:
        if key not in known:
            raise RunError(f"{where} has an unknown key {key!r}{suggestion(str(key), sorted(known))}")
    for key in sorted(wanted - set(content)):
        raise RunError(f"{where} lacks {key!r}")


def _stage(name: str, content: Any, path: Path, overrides: dict[str, Any]) -> Stage:
    where = f"stage {name!r} of grid {path}"
    if not re.fullmatch(r"[A-Za-z0-9_-]+", str(name)):
        raise RunError(f"{where} needs a name of letters, digits, - and _, since it names a folder")
    _keys(content, _STAGE, {"notebook"}, where)
    file = path.parent / content["notebook"]
    notebook = read_notebook(file)
    cell = parameters_cell(notebook, str(file))
    needs = {one: _need(value, f"need {one!r} of {where}") for one, value in (content.get("needs") or {}).items()}
    mine = {one: value for one, value in overrides.items() if one in cell.parameters}
    data = tuple(_listed(content.get("data") or []))
    given = _with_paths(content.get("parameters") or {}, set(data) - set(mine), where)
    axes = Axes(given, content.get("rows") or [{}], mine, where)
    stage = Stage(
        name=str(name),
        path=file,
        notebook=notebook,
        cell=cell,
        axes=axes,
        needs=needs,
        data=data,
        seconds=_positive(content.get("seconds"), f"`seconds` of {where}"),
        memory=_bytes(content.get("memory"), f"`memory` of {where}"),
        page=bool(content.get("page", False)),
    )
    _judge(stage, where)
    return stage


def _judge(stage: Stage, where: str) -> None:
    where = f"{where} (notebook {stage.path})"
    known = stage.cell.parameters
    for reserved in ("out", *stage.needs):
        if reserved not in known:
            raise RunError(f"{where} needs a parameter {reserved!r} in its parameters cell: the sweep sets it")
        if reserved in stage.axes.names:
            raise RunError(f"{where} sets {reserved!r}, which the sweep itself sets; leave it out")
    for name in stage.data:
        if name not in known:
            raise RunError(f"{where}: `data` names {name!r}, which is no parameter{suggestion(name, known)}")
    for values in stage.axes.values():
        check(known, values, where)


def _need(value: Any, where: str) -> Need:
    if isinstance(value, str):
        return Need((value,), many=False)
    _keys(value, {"all", "run", "on"}, set(), where)
    if ("all" in value) == ("run" in value):
        raise RunError(f"{where} is a stage, {{run: stage, on: [..]}} or {{all: [stages]}}")
    on = value.get("on")
    if isinstance(on, list):
        on = {name: name for name in on}
    return Need(tuple(_listed(value.get("all") or value.get("run"))), many="all" in value, on=on)


def _with_paths(parameters: Any, paths: set[str], where: str) -> Any:
    """The parameters with `$NAME`, where a path has that, as the environment says."""
    if not isinstance(parameters, dict):
        return parameters
    given = dict(parameters)
    for name in paths & set(given):
        value = given[name]
        if isinstance(value, str) and value.startswith("$"):
            if not os.environ.get(value[1:]):
                raise RunError(f"{name!r} of {where} is {value}, which is not set; set it, or give --set {name}=FOLDER")
            given[name] = os.environ[value[1:]]
    return given


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _positive(value: Any, where: str) -> float | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or value <= 0):
        raise RunError(f"{where} must be a positive number, not {value!r}")
    return value


def _bytes(value: Any, where: str) -> int | None:
    """A size in bytes from a number or `8 GB`, `512 MiB`."""
    if value is None:
        return None
    match = re.fullmatch(r"\s*([0-9.]+)\s*([A-Za-z]*)\s*", str(value))
    if match is None or match[2].lower() not in _UNITS or float(match[1]) <= 0:
        raise RunError(f"{where} must be a size such as 8 GB or 512 MiB, not {value!r}")
    return int(float(match[1]) * _UNITS[match[2].lower()])


def _ordered(stages: dict[str, Stage], path: Path) -> dict[str, Stage]:
    """The stages in an order in which each comes after those it needs, otherwise as they stand in the file."""
    done: dict[str, Stage] = {}
    for stage in stages.values():
        for need in stage.needs.values():
            for name in need.stages:
                if name not in stages:
                    known = suggestion(name, stages)
                    raise RunError(f"stage {stage.name!r} of grid {path} needs {name!r}, which is no stage{known}")
    while len(done) < len(stages):
        ready = [
            stage
            for stage in stages.values()
            if stage.name not in done and all(name in done for need in stage.needs.values() for name in need.stages)
        ]
        if not ready:
            circle = ", ".join(name for name in stages if name not in done)
            raise RunError(f"the needs of grid {path} run in a circle among: {circle}")
        done |= {stage.name: stage for stage in ready}
    return done
