"""`nca sweep`: the command line of sweeps."""

import argparse
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nca.errors import RunError
from nca.sweeps.values import assignment

if TYPE_CHECKING:
    from nca.sweeps.engine import Summary

_SHOWN = 20  # reasons printed at most; the store has them all


def add_arguments(verbs: "argparse._SubParsersAction[Any]") -> None:
    """Add the verb `sweep` to the command line."""
    verb = verbs.add_parser("sweep", help="run a grid of notebooks; go on where an earlier sweep stopped")
    verb.add_argument("grid", help="the grid file")
    verb.add_argument("--dry-run", action="store_true", help="judge the grid, say what would run, and run nothing")
    verb.add_argument("--status", action="store_true", help="say what is done, failed, running and left; run nothing")
    verb.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="set a parameter in every stage that has it; several values, such as model=DAE,SF, are swept over",
    )
    verb.add_argument(
        "--workers", type=_count, metavar="N", help="runs at a time on this machine (default: one a core)"
    )
    verb.add_argument(
        "--devices", default="", metavar="A,B", help="devices such as cuda:0,cuda:1, one run at a time on each"
    )
    verb.add_argument(
        "--scheduler", metavar="ADDRESS", help="an existing Dask cluster, such as tcp://host:8786 or tls://.."
    )
    verb.add_argument(
        "--sbatch",
        metavar="OPTIONS",
        help="submit the sweep to SLURM and return; options of sbatch, as in --sbatch='--time=8:00:00 --mem=16G'",
    )
    verb.add_argument(
        "--jobs", type=_count, default=8, metavar="N", help="with --sbatch: jobs at a time of each stage (default: 8)"
    )
    verb.add_argument("--retry-failed", action="store_true", help="run again what failed before")
    verb.add_argument(
        "--stage", action="append", default=[], metavar="NAME", help="run this stage alone, with those that it needs"
    )
    verb.add_argument(
        "--prune",
        nargs="*",
        metavar="GRID",
        help="list the runs of the store that neither this grid needs nor others named here; run nothing",
    )
    verb.add_argument("--yes", action="store_true", help="with --prune: remove them")
    verb.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Do what the arguments of `nca sweep` say; 0 if all runs are done, 1 if some failed or are left."""
    devices = [device.strip() for device in arguments.devices.split(",") if device.strip()]
    if sum(map(bool, (devices, arguments.workers, arguments.scheduler))) > 1:
        raise RunError("--workers, --devices and --scheduler exclude one another: give one of them")
    if arguments.sbatch is not None and arguments.scheduler:
        raise RunError("--sbatch and --scheduler exclude one another: each job is a sweep of its own")
    planned = {"overrides": dict(map(assignment, arguments.set)), "devices": devices, "stages": arguments.stage}
    if arguments.prune is not None:
        return _prune([arguments.grid, *arguments.prune], planned, arguments.yes)
    if arguments.status:
        return _status(arguments.grid, planned)
    if arguments.dry_run:
        return _dry_run(arguments.grid, planned, bool(arguments.scheduler))
    if arguments.sbatch is not None:
        return _submit(arguments, planned)
    from nca.sweeps.engine import sweep

    rest = {name: getattr(arguments, name) for name in ("workers", "scheduler", "retry_failed")}
    try:
        summary = sweep(arguments.grid, **planned, **rest)
    except KeyboardInterrupt:
        print("stopped; the same command goes on where it stopped", file=sys.stderr)
        return 130
    return _report(summary)


def _report(summary: "Summary") -> int:
    for reason in summary.reasons[:_SHOWN]:
        print(reason, file=sys.stderr)
    if len(summary.reasons) > _SHOWN:
        print(f"... and {len(summary.reasons) - _SHOWN} more; see runs.csv in the store", file=sys.stderr)
    print(f"{summary.done} done, {summary.skipped} done before, {summary.failed} failed, {summary.left} left")
    return 0 if summary.complete else 1


def _status(grid: str, planned: dict[str, Any]) -> int:
    from nca.sweeps.state import status

    found = status(grid, **planned)
    print(f"{'stage':<24}{'done':>8}{'failed':>8}{'running':>8}{'left':>8}")
    for name, counts in found.stages.items():
        print(f"{name:<24}" + "".join(f"{count:>8}" for count in counts))
    for line in found.running:
        print(f"running: {line}")
    for line in found.failures:
        print(f"failed: {line}")
    return 0


def _dry_run(grid: str, planned: dict[str, Any], elsewhere: bool) -> int:
    from nca.sweeps import store
    from nca.sweeps.checks import check
    from nca.sweeps.planning import plan

    laid_out = plan(grid, **planned)
    check(laid_out, here=not elsewhere)
    todo = {name: [0, 0] for name in laid_out.grid.stages}
    for one in laid_out.runs:
        done = int(store.is_done(laid_out.folder(one)))
        todo[one.stage][done] += 1
        if not done:
            print(laid_out.folder(one))
    for name, (left, before) in todo.items():
        print(f"{name}: {left} to run, {before} done")
    return 0


def _submit(arguments: argparse.Namespace, planned: dict[str, Any]) -> int:
    from nca.sweeps.checks import check
    from nca.sweeps.planning import plan, with_device
    from nca.sweeps.slurm import submit

    planned["overrides"] = with_device(planned["overrides"], planned.pop("devices"))  # those of the jobs' machines
    command = [str(Path(sys.executable).with_name("nca")), "sweep", arguments.grid]
    command += [f"--set={setting}" for setting in arguments.set]
    command += [f"--{name}={value}" for name in ("devices", "workers") if (value := getattr(arguments, name))]
    command += ["--retry-failed"] if arguments.retry_failed else []
    laid_out = plan(arguments.grid, **planned)
    check(laid_out, here=False)
    numbers = submit(laid_out, command, shlex.split(arguments.sbatch), arguments.jobs)
    for stage, number in numbers.items():
        print(f"{stage}: job {number}")
    print("submitted; --status says how far it is" if numbers else "nothing is left to run")
    return 0


def _prune(grids: list[str], planned: dict[str, Any], confirmed: bool) -> int:
    from nca.sweeps.planning import plan
    from nca.sweeps.pruning import remove, unneeded

    if planned["stages"]:
        raise RunError("--prune takes all stages of its grids: leave out --stage")
    plans = [plan(grid, **planned) for grid in grids]
    folders = unneeded(plans)
    print(*folders, sep="\n", end="\n" if folders else "")
    if confirmed:
        print(f"{len(remove(plans[0].grid.store, folders))} runs removed")
    else:
        print(f"{len(folders)} runs that no grid given needs; --yes removes them")
    return 0


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a number of at least 1, not {text!r}")
    return int(text)
