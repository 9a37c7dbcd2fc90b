"""The plan of a sweep: every run with its identity and the runs that it builds on, before anything runs."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nca.errors import RunError
from nca.sweeps.datadigests import DataDigests
from nca.sweeps.grid import Grid, Need, Stage, read_grid
from nca.sweeps.identity import run_identity, stage_identity, uses_torch

_SLUG = 64


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a stage's notebook.

    Attributes:
        stage: Name of the stage.
        digest: SHA-256 of everything that the run's numbers depend on.
        parameters: All parameters of the notebook but `out` and those of `needs`, defaults included.
        data: The digests of those parameters that are paths to data.
        needs: For each parameter of `needs`, the positions in the plan of the runs that it names.
        name: The run's folder within its stage's.
    """

    stage: str
    digest: str
    parameters: dict[str, Any]
    data: dict[str, str]
    needs: dict[str, tuple[int, ...]]
    name: str


@dataclass(frozen=True)
class Plan:
    """A sweep laid out: runs in an order in which each follows those that it needs."""

    grid: Grid
    common: dict[str, dict[str, Any]]
    runs: Sequence[Run]
    uses_torch: dict[str, bool]

    def folder(self, run: Run) -> Path:
        """Where a run lies once it is done."""
        return self.grid.store / run.stage / run.name

    def upstream(self, run: Run) -> dict[str, list[str]]:
        """The digests of the runs that `run` builds on, by parameter."""
        return {name: [self.runs[one].digest for one in needed] for name, needed in run.needs.items()}

    def arguments(self, run: Run) -> dict[str, Any]:
        """The parameters of `run` with the folders of its needs, as the notebook gets them (but for `out`)."""
        needs = self.grid.stages[run.stage].needs
        folders = {name: [str(self.folder(self.runs[one])) for one in found] for name, found in run.needs.items()}
        return run.parameters | {name: found if needs[name].many else found[0] for name, found in folders.items()}


def plan(grid_path: str | Path, overrides: Mapping[str, Any] | None = None) -> Plan:
    """Lay out the sweep of a grid file; reads notebooks, package sources and data, and runs nothing.

    Raises:
        RunError: The grid does not hold together. ParameterError: a parameter or its value. DataError: missing data.
    """
    grid = read_grid(grid_path, overrides)
    digests = DataDigests(grid.store / ".digests.json")
    common = {name: stage_identity(stage, grid.packages) for name, stage in grid.stages.items()}
    runs: list[Run] = []
    first: dict[str, range] = {}
    for stage in grid.stages.values():
        start = len(runs)
        finders = {name: _Finder(stage, name, need, grid, runs, first) for name, need in stage.needs.items()}
        runs += _distinct(_runs(stage, common[stage.name], finders, digests, runs))
        first[stage.name] = range(start, len(runs))
    if grid.store.is_dir():
        digests.save()
    return Plan(grid, common, runs, {name: uses_torch(stage, grid.packages) for name, stage in grid.stages.items()})


def _runs(
    stage: Stage,
    common: dict[str, Any],
    finders: "dict[str, _Finder]",
    digests: DataDigests,
    before: Sequence[Run],
) -> Iterator[Run]:
    for chosen in stage.axes:
        parameters = _effective(stage, chosen)
        data = {name: digests(str(parameters[name])) for name in stage.data}
        needs = {name: finder(parameters) for name, finder in finders.items()}
        upstream = {name: sorted(before[one].digest for one in found) for name, found in needs.items()}
        digest = run_identity(common, parameters | data, upstream)
        name = f"{_slug(stage, parameters)}-{digest[:12]}"
        yield Run(stage.name, digest, parameters, data, needs, name)


def _distinct(runs: Iterator[Run]) -> list[Run]:
    """The runs without repetitions, which overlapping rows or an override can make."""
    return list({run.digest: run for run in runs}.values())


def _effective(stage: Stage, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Chosen values over defaults, in the notebook's order, in one spelling: 1 and 1.0 are one float."""
    kept = {}
    for name, parameter in stage.cell.parameters.items():
        if name != "out" and name not in stage.needs:
            value = chosen.get(name, parameter.default)
            whole = isinstance(value, int) and not isinstance(value, bool) and parameter.kind is float
            kept[name] = float(value) if whole else list(value) if isinstance(value, tuple) else value
    return kept


def _slug(stage: Stage, parameters: Mapping[str, Any]) -> str:
    """The parameters that fit into a folder's name. It depends on nothing that identity does not depend on."""
    words = []
    for name, value in parameters.items():
        if name in stage.data or value is None or value is False or isinstance(value, list | dict):
            continue
        words.append(str(value) if isinstance(value, str) else name if value is True else f"{name}{value}")
    text = "-".join(re.sub(r"[^A-Za-z0-9_.+]+", "-", word).strip("-.") for word in words)
    return text[:_SLUG].strip("-.") or stage.name


class _Finder:
    """Finds the runs that a parameter needs, by an index over the needed stages' runs."""

    def __init__(
        self, stage: Stage, name: str, need: Need, grid: Grid, runs: Sequence[Run], first: Mapping[str, range]
    ) -> None:
        self._where = f"stage {stage.name!r} of grid {grid.path}, parameter {name!r}"
        self._need = need
        self._on = need.on if need.on is not None else self._shared(stage, grid)
        self._index: dict[str, list[int]] = {}
        for source in need.stages:
            self._check(stage, grid.stages[source])
            for one in first[source]:
                key = _key({name: runs[one].parameters[name] for name in self._on})
                self._index.setdefault(key, []).append(one)

    def __call__(self, parameters: Mapping[str, Any]) -> tuple[int, ...]:
        wanted = {theirs: parameters[mine] for theirs, mine in self._on.items()}
        found = self._index.get(_key(wanted), [])
        if self._need.many and found:
            return tuple(found)
        if len(found) != 1:
            said = ", ".join(f"{name}={value!r}" for name, value in wanted.items()) or "anything"
            many = f"{len(found)} fit; name what must agree in `on`" if found else "none fits"
            raise RunError(f"{self._where} needs a run of {'/'.join(self._need.stages)} with {said}: {many}")
        return tuple(found)

    def _shared(self, stage: Stage, grid: Grid) -> dict[str, str]:
        if self._need.many:
            return {}
        source = grid.stages[self._need.stages[0]]
        return {name: name for name in source.axes.names if name in stage.axes.names}

    def _check(self, stage: Stage, source: Stage) -> None:
        for theirs, mine in self._on.items():
            for one, name in ((source, theirs), (stage, mine)):
                if name not in one.cell.parameters:
                    raise RunError(f"{self._where}: `on` names {name!r}, which notebook {one.path} does not have")


def _key(values: Mapping[str, Any]) -> str:
    return json.dumps(values, sort_keys=True)
