"""`nca sweep`: the command line of sweeps."""

import argparse
import sys
from typing import TYPE_CHECKING, Any

from nca.errors import RunError
from nca.sweeps import yamltext

if TYPE_CHECKING:
    from nca.sweeps.engine import Summary

_SHOWN = 20  # reasons printed at most; the store has them all


def add_arguments(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb `sweep` to the command line."""
    verb = verbs.add_parser("sweep", help="run a grid of notebooks; go on where an earlier sweep stopped")
    verb.add_argument("grid", help="the grid file")
    verb.add_argument("--dry-run", action="store_true", help="judge the grid, say what would run, and run nothing")
    verb.add_argument("--status", action="store_true", help="say what is done, failed, running and left; run nothing")
    verb.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="set a parameter in every stage that has it"
    )
    verb.add_argument(
        "--workers", type=_count, metavar="N", help="runs at a time on this machine (default: one a core)"
    )
    verb.add_argument(
        "--devices", default="", metavar="A,B", help="devices such as cuda:0,cuda:1, one run at a time on each"
    )
    verb.add_argument("--scheduler", metavar="ADDRESS", help="an existing Dask cluster, such as tcp://host:8786")
    verb.add_argument("--retry-failed", action="store_true", help="run again what failed before")
    verb.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Do what the arguments of `nca sweep` say; 0 if all runs are done, 1 if some failed or are left."""
    overrides = dict(assignment(text) for text in arguments.set)
    if arguments.status:
        return _status(arguments.grid, overrides)
    if arguments.dry_run:
        return _dry_run(arguments.grid, overrides)
    from nca.sweeps.engine import sweep

    devices = [device.strip() for device in arguments.devices.split(",") if device.strip()]
    if sum(map(bool, (devices, arguments.workers, arguments.scheduler))) > 1:
        raise RunError("--workers, --devices and --scheduler exclude one another: give one of them")
    try:
        summary = sweep(
            arguments.grid, overrides, arguments.workers, devices, arguments.scheduler, arguments.retry_failed
        )
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


def _status(grid: str, overrides: dict[str, Any]) -> int:
    from nca.sweeps.overview import status

    found = status(grid, overrides)
    print(f"{'stage':<24}{'done':>8}{'failed':>8}{'running':>8}{'left':>8}")
    for name, counts in found.stages.items():
        print(f"{name:<24}" + "".join(f"{count:>8}" for count in counts))
    for line in found.running:
        print(f"running: {line}")
    for line in found.failures:
        print(f"failed: {line}")
    return 0


def _dry_run(grid: str, overrides: dict[str, Any]) -> int:
    from nca.sweeps import store
    from nca.sweeps.planning import plan

    laid_out = plan(grid, overrides)
    todo = {name: [0, 0] for name in laid_out.grid.stages}
    for one in laid_out.runs:
        done = int(store.is_done(laid_out.folder(one)))
        todo[one.stage][done] += 1
        if not done:
            print(laid_out.folder(one))
    for name, (left, before) in todo.items():
        print(f"{name}: {left} to run, {before} done")
    return 0


def assignment(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise RunError(f"--set takes NAME=VALUE, not {text!r}")
    try:
        return name.strip(), yamltext.load(value)
    except Exception:
        raise RunError(f"the value of --set {text!r} is not YAML; quote it") from None


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return count
