"""What a plan needs of the data and of this machine, seen before anything runs."""

import sys
from pathlib import Path

from tqdm import tqdm

from nca.support.devices import check_device
from nca.sweeps import meaning, store
from nca.sweeps.identity import PLACES
from nca.sweeps.planning import Plan


def check(laid_out: Plan, here: bool) -> None:
    """Refuse what no run could use, and warn on standard error of data that can change unnoticed.

    Args:
        laid_out: The plan.
        here: Whether this machine runs it, so that it has to have the devices.

    Raises:
        ParameterError: For a song that the data do not have, or a device that is not here.
    """
    for stage in laid_out.grid.stages.values():
        if stage.uses_package:
            runs = (run.parameters for run in laid_out.runs if run.stage == stage.name)
            meaning.check_songs(runs, f"stage {stage.name!r} of grid {laid_out.grid.path}")
    for sentence in unwatched(laid_out):
        tqdm.write(f"nca: {sentence}", file=sys.stderr)
    if here:
        asked = [run for run in laid_out.runs if "device" in run.parameters and not store.is_done(laid_out.folder(run))]
        for device in sorted({str(run.parameters["device"]) for run in asked}):
            check_device(device)


def unwatched(laid_out: Plan) -> list[str]:
    """A sentence for each parameter that is a path to something that is there, and that the grid does not call data."""
    found: dict[tuple[str, str], str] = {}
    for run in laid_out.runs:
        for name, value in run.parameters.items():
            known = name in run.data or name in PLACES or (run.stage, name) in found
            if not known and isinstance(value, str) and _outside(value, laid_out.grid.store):
                found[run.stage, name] = value
    return [
        f"stage {stage!r}: what is in {value} can change unnoticed, since {name!r} is not named in `data:`"
        for (stage, name), value in found.items()
    ]


def _outside(value: str, store: Path) -> bool:
    """Whether a text is a path to something that is there and not in the store; a bare name is at most a folder's."""
    path = Path(value)
    there = value and ("/" in value or path.is_dir()) and path.exists()
    return bool(there) and not path.resolve().is_relative_to(store.resolve())
