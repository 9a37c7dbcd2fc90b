"""What a sweep has done so far, seen from any terminal: the plan beside the store."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nca.sweeps import store
from nca.sweeps.planning import plan

_DONE, _FAILED, _RUNNING, _LEFT = range(4)


@dataclass
class Status:
    """Counts of a sweep's runs, by stage `(done, failed, running, left)` and in all.

    Attributes:
        failures: Folder and reason of each failed run.
        running: Stage and name of each run that some sweep is executing now.
    """

    stages: dict[str, list[int]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    running: list[str] = field(default_factory=list)

    @property
    def done(self) -> int:
        return self._sum(_DONE)

    @property
    def failed(self) -> int:
        return self._sum(_FAILED)

    @property
    def left(self) -> int:
        """Runs that are neither done nor failed nor running."""
        return self._sum(_LEFT)

    def _sum(self, state: int) -> int:
        return sum(counts[state] for counts in self.stages.values())


def status(
    grid_path: str | Path,
    overrides: Mapping[str, Any] | None = None,
    devices: Sequence[str] = (),
    stages: Sequence[str] = (),
) -> Status:
    """The state of every run of a grid, while a sweep runs or after it has ended; changes nothing.

    Raises:
        RunError, ParameterError, DataError: As :func:`nca.sweeps.planning.plan`.
    """
    laid_out = plan(grid_path, overrides, devices, stages)
    claimed = store.claimed(laid_out.grid.store)
    found = Status({name: [0, 0, 0, 0] for name in laid_out.grid.stages})
    for run in laid_out.runs:
        folder, state = laid_out.folder(run), _LEFT
        if store.is_done(folder):
            state = _DONE
        elif run.digest[: store.DIGEST] in claimed:
            state = _RUNNING
            found.running.append(f"{run.stage}/{run.name}")
        elif failure := store.failure_of(folder):
            state = _FAILED
            found.failures.append(f"{folder}: {failure['kind']}, {failure['reason']}")
        found.stages[run.stage][state] += 1
    return found
