"""The plan of a sweep: every run with its identity and the runs that it builds on, before anything runs."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nca.errors import RunError
from nca.support.devices import check_device
from nca.support.digests import FileDigests, digest_of
from nca.sweeps import store
from nca.sweeps.grid import Grid, Need, Stage, read_grid
from nca.sweeps.identity import question, run_identity, stage_identity

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
        name: The run's folder within its stage's: the one that has its digest already, or a readable new one.
    """

    stage: str
    digest: str
    parameters: dict[str, Any]
    data: dict[str, str]
    needs: dict[str, tuple[int, ...]]
    name: str


@dataclass(frozen=True)
class Plan:
    """A sweep laid out: runs in an order in which each follows those that it needs.

    Attributes:
        grid: The grid file.
        common: For each stage, what the identities of its runs share.
        runs: Those of all stages.
    """

    grid: Grid
    common: dict[str, dict[str, Any]]
    runs: list[Run]

    def folder(self, run: Run) -> Path:
        """Where a run lies once it is done."""
        return self.grid.store / run.stage / run.name

    def upstream(self, run: Run) -> dict[str, list[str]]:
        """The sorted digests of the runs that `run` builds on, by parameter."""
        return _digests(run.needs, self.runs)

    def arguments(self, run: Run) -> dict[str, Any]:
        """The parameters of `run` with the folders of its needs, as the notebook gets them (but for `out`)."""
        needs = self.grid.stages[run.stage].needs
        folders = {name: [str(self.folder(self.runs[one])) for one in found] for name, found in run.needs.items()}
        return run.parameters | {name: found if needs[name].many else found[0] for name, found in folders.items()}


def plan(
    grid_path: str | Path,
    overrides: Mapping[str, Any] | None = None,
    devices: Sequence[str] = (),
    stages: Sequence[str] = (),
) -> Plan:
    """Lay out the sweep of a grid file; reads notebooks, package sources and data, and runs nothing.

    Args:
        grid_path: The grid file.
        overrides: Parameters set in every stage whose notebook has them.
        devices: Devices of one kind, such as `cuda:0` and `cuda:1`. Every run whose notebook has the parameter
            `device` is one on that kind, `cuda`; which of them it gets is no part of what it is.
        stages: The stages to run, with those that they need; default all.

    Raises:
        RunError: The grid does not hold together. DataError: missing data.
        ParameterError: A parameter or its value, or one of `devices` that this machine does not have.
    """
    for device in devices:
        check_device(device)
    grid = read_grid(grid_path, with_device(dict(overrides or {}), devices), stages)
    digests = FileDigests(grid.store / ".digests.json")
    common = {name: stage_identity(stage, grid.packages) for name, stage in grid.stages.items()}
    answered = _recorded(grid)
    runs: list[Run] = []
    first: dict[str, range] = {}
    for stage in grid.stages.values():
        start = len(runs)
        finders = {name: _Finder(stage, name, need, grid, runs, first) for name, need in stage.needs.items()}
        there = store.names(grid.store / stage.name)
        asked = _runs(stage, common[stage.name], finders, digests, runs, there)
        distinct = {run.digest: run for run in asked}.values()  # overlapping rows can name a run twice
        runs += [run for run in distinct if question(run.stage, run.parameters) not in answered]
        first[stage.name] = range(start, len(runs))
    if grid.store.is_dir():
        digests.save()
    return Plan(grid, common, runs)


def with_device(overrides: dict[str, Any], devices: Sequence[str]) -> dict[str, Any]:
    """The overrides with the kind of the devices, `cuda`, as the parameter `device`.

    Raises:
        RunError: for devices of several kinds, or an override of `device` beside them.
    """
    if not devices:
        return overrides
    kind, *others = {device.partition(":")[0] for device in devices}
    if others:
        raise RunError(f"the devices {', '.join(devices)} are of several kinds; sweep once for each kind")
    if "device" in overrides:
        raise RunError("the parameter 'device' is set, and devices are given beside it; give one of the two")
    return overrides | {"device": kind}


def _recorded(grid: Grid) -> set[str]:
    """What the grid's record answers; a run that others build on has to be made wherever its folder is not."""
    if grid.recorded is None or not grid.recorded.exists():
        return set()
    needed = {name for stage in grid.stages.values() for name in stage.needed}
    kept = [run for run in store.read_archive(grid.recorded)["runs"] if run["stage"] not in needed]
    return {question(run["stage"], run["parameters"]) for run in kept}


def _runs(
    stage: Stage,
    common: dict[str, Any],
    finders: "dict[str, _Finder]",
    digests: FileDigests,
    before: Sequence[Run],
    there: Mapping[str, str],
) -> Iterator[Run]:
    known: dict[str, str] = {}
    for chosen in stage.axes:
        parameters = _effective(stage, chosen)
        for path in (str(parameters[name]) for name in stage.data):
            known[path] = known.get(path) or digests.below(Path(path))
        data = {name: known[str(parameters[name])] for name in stage.data}
        needs = {name: finder(parameters) for name, finder in finders.items()}
        digest = run_identity(common, parameters | data, _digests(needs, before))
        short = digest[: store.DIGEST]
        name = there.get(short) or f"{_readable(stage, parameters)}-{short}"
        yield Run(stage.name, digest, parameters, data, needs, name)


def _digests(needs: Mapping[str, Sequence[int]], runs: Sequence[Run]) -> dict[str, list[str]]:
    return {name: sorted(runs[one].digest for one in found) for name, found in needs.items()}


def _effective(stage: Stage, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Chosen values over defaults, in the notebook's order, in one spelling: 1 and 1.0 are one float."""
    kept = {}
    for name, parameter in stage.cell.parameters.items():
        if name != "out" and name not in stage.needs:
            value = chosen.get(name, parameter.default)
            if isinstance(value, int) and parameter.kind == "float":
                value = float(value)
            kept[name] = list(value) if isinstance(value, tuple) else value
    return kept


def _readable(stage: Stage, parameters: Mapping[str, Any]) -> str:
    """Those of the parameters that tell the stage's runs apart, as far as they fit into a folder's name."""
    words = []
    for name, value in parameters.items():
        if (
            name not in stage.axes.telling
            or name in stage.data
            or value is None
            or value is False
            or isinstance(value, list | dict)
        ):
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
        self._on = _agreement(stage, need, grid)
        self._index: dict[str, list[int]] = {}
        for source in need.stages:
            self._check(stage, grid.stages[source])
            for one in first[source]:
                key = digest_of([runs[one].parameters[name] for name in self._on])
                self._index.setdefault(key, []).append(one)

    def __call__(self, parameters: Mapping[str, Any]) -> tuple[int, ...]:
        wanted = {theirs: parameters[mine] for theirs, mine in self._on.items()}
        found = self._index.get(digest_of(list(wanted.values())), [])
        if len(found) != 1 and not (self._need.many and found):
            said = ", ".join(f"{name}={value!r}" for name, value in wanted.items()) or "anything"
            many = f"{len(found)} fit; name what must agree in `on`" if found else "none fits"
            raise RunError(f"{self._where} needs a run of {'/'.join(self._need.stages)} with {said}: {many}")
        return tuple(found)

    def _check(self, stage: Stage, source: Stage) -> None:
        for theirs, mine in self._on.items():
            for one, name in ((source, theirs), (stage, mine)):
                if name not in one.cell.parameters:
                    raise RunError(f"{self._where}: `on` names {name!r}, which notebook {one.path} does not have")


def _agreement(stage: Stage, need: Need, grid: Grid) -> dict[str, str]:
    """The parameters of the needed runs, each with that of `stage` which must equal it."""
    if need.on is not None or need.many:
        return need.on or {}
    return {name: name for name in grid.stages[need.stages[0]].axes.names if name in stage.axes.names}
