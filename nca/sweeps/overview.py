"""What a sweep has done so far, seen from any terminal: the plan beside the store."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nca.sweeps import store
from nca.sweeps.planning import Plan, plan


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
        return sum(counts[0] for counts in self.stages.values())

    @property
    def failed(self) -> int:
        return sum(counts[1] for counts in self.stages.values())

    @property
    def left(self) -> int:
        """Runs that are neither done nor failed nor running."""
        return sum(counts[3] for counts in self.stages.values())


def status(grid_path: str | Path, overrides: Mapping[str, Any] | None = None) -> Status:
    """The state of every run of a grid, while a sweep runs or after it has ended; changes nothing.

    Raises:
        RunError, ParameterError, DataError: As :func:`nca.sweeps.plan`.
    """
    laid_out = plan(grid_path, overrides)
    held = _claimed(laid_out)
    found = Status({name: [0, 0, 0, 0] for name in laid_out.grid.stages})
    for run in laid_out.runs:
        folder = laid_out.folder(run)
        if store.is_done(folder):
            state = 0
        elif run.digest[: store.DIGEST] in held:
            state = 2
            found.running.append(f"{run.stage}/{run.name}")
        elif failure := store.failure_of(folder):
            state = 1
            found.failures.append(f"{folder}: {failure['kind']}, {failure['reason']}")
        else:
            state = 3
        found.stages[run.stage][state] += 1
    return found


def _claimed(laid_out: Plan) -> set[str]:
    """The digests, as in folder names, of runs that a living process has claimed."""
    root = laid_out.grid.store
    if not (root / ".unfinished").is_dir():
        return set()
    attempts = {name.split("-")[0] for name in os.listdir(root / ".unfinished")}
    return {digest for digest in attempts if store.is_claimed(root, digest)}
