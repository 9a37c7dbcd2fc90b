"""`nca bench` and `nca cost`: the command line of what is timed and of what is predicted."""

import argparse
from shlex import quote
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    Verbs = argparse._SubParsersAction[argparse.ArgumentParser]


def add_arguments(verbs: "Verbs") -> None:
    """Add the verbs `bench` and `cost` to the command line."""
    bench = verbs.add_parser("bench", help="time a part of the package on this machine")
    parts = bench.add_subparsers(required=True, metavar="part")
    for add in (_couplings, _ensembles, _data, _check):
        add(parts)
    _cost(verbs)


def _couplings(verbs: "Verbs") -> None:
    verb = verbs.add_parser("couplings", help="the compositional strategy beside the products that it cannot avoid")
    verb.add_argument("--bins", type=int, nargs="+", default=[513, 1025, 2049], help="numbers of bins N")
    verb.add_argument("--depths", type=int, nargs="+", default=[2, 4], help="numbers of layers L'")
    verb.add_argument("--iterations", type=int, default=10, help="rounds; each times one iteration of each")
    verb.add_argument("--device", default="cpu", help="where to run, as torch names it")
    _kept(verb)
    verb.set_defaults(run=bench_couplings)


def _ensembles(verbs: "Verbs") -> None:
    verb = verbs.add_parser(
        "ensembles", help="many initialisations trained, and many segments analysed, at once beside a loop over them"
    )
    verb.add_argument("--bins", type=int, default=2049, help="number of bins N")
    verb.add_argument("--depth", type=int, default=2, help="number of layers L'")
    verb.add_argument("--instances", type=int, nargs="+", default=[1, 8, 50], help="initialisations at once")
    verb.add_argument("--batches", type=int, nargs="+", default=[1, 8, 32], help="segments at once")
    verb.add_argument(
        "--precisions", nargs="+", default=["float32", "tf32", "bfloat16"], help="of the products; tf32 on CUDA alone"
    )
    _in_turns(verb)
    _kept(verb)
    verb.set_defaults(run=bench_ensembles)


def _data(verbs: "Verbs") -> None:
    verb = verbs.add_parser("data", help="loading batches of a corpus of any size beside training on them, on the CPU")
    verb.add_argument(
        "--frames", type=int, nargs="+", default=[250_000, 500_000, 1_000_000], help="sizes of the corpus"
    )
    verb.add_argument("--bins", type=int, default=513, help="number of bins N")
    verb.add_argument("--precision", default="float32", help="of the spectra on disk, float32 or float16")
    verb.add_argument("--steps", type=int, default=50, help="training steps to time")
    verb.add_argument("--folder", help="where the corpus is written while it is needed")
    _kept(verb)
    verb.set_defaults(run=bench_data, device="cpu")


def _check(verbs: "Verbs") -> None:
    verb = verbs.add_parser("cost", help="what `nca cost` predicts beside what is measured, size by size")
    verb.add_argument("--bins", type=int, nargs="+", default=[257, 513, 641, 744, 1025], help="numbers of bins N")
    verb.add_argument(
        "--stages",
        nargs="+",
        default=["spectra", "training", "student", "compositional", "exact mapping", "exact mapping, deep"],
        help="of the cost model",
    )
    _in_turns(verb)
    _kept(verb)
    verb.set_defaults(run=check_cost)


def _cost(verbs: "Verbs") -> None:
    verb = verbs.add_parser("cost", help="predict time and memory of an experiment on a device")
    verb.add_argument("--profile", default="paper", help="paper, mir-1k or demo: how much of everything there is")
    verb.add_argument("--device", default="cpu", help="as torch names it, calibrated first; or h100, by its data sheet")
    verb.add_argument(
        "--precision", help="of the products: float32 unless told, tf32 for a device by its data sheet; or bfloat16"
    )
    for name in ("bins", "frames", "epochs", "instances", "segments"):
        verb.add_argument(f"--{name}", type=int, help=f"{name} in place of the profile's")
    verb.add_argument("--at-once", type=int, default=1, help="initialisations, and segments, at once")
    verb.add_argument("--rounds", type=int, default=3, help="of the calibration")
    _kept(verb)
    verb.set_defaults(run=cost)


def _in_turns(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--rounds", type=int, default=5, help="rounds in which all take turns")
    verb.add_argument("--device", default="cpu", help="where to run, as torch names it")


def _kept(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--json", metavar="FILE", help="keep what was found there, with machine, versions and code")
    verb.add_argument("--note", default="", help="to keep beside it, such as what else the machine was doing")


def bench_couplings(arguments: argparse.Namespace) -> None:
    from nca.bench import bench_couplings as measure

    table = measure(arguments.bins, arguments.depths, arguments.iterations, arguments.device)
    _report(arguments, {"rows": table})


def bench_ensembles(arguments: argparse.Namespace) -> None:
    from nca.bench.ensembles import bench_segments, bench_training

    rest = (arguments.precisions, arguments.rounds, arguments.device)
    training = bench_training(arguments.bins, arguments.depth, arguments.instances, *rest)
    segments = bench_segments(arguments.bins, arguments.depth, arguments.batches, *rest)
    _report(arguments, {"training": training, "segments": segments})


def bench_data(arguments: argparse.Namespace) -> None:
    from nca.bench.data import bench_data as measure

    table = measure(arguments.frames, arguments.bins, arguments.precision, arguments.steps, arguments.folder)
    _report(arguments, {"rows": table})


def check_cost(arguments: argparse.Namespace) -> None:
    from nca.cost.check import check_cost as measure

    _report(arguments, {"rows": measure(arguments.bins, arguments.stages, arguments.rounds, arguments.device)})


def cost(arguments: argparse.Namespace) -> None:
    from nca.cost.command import run

    run(arguments, command_line(arguments))


def command_line(arguments: argparse.Namespace) -> str:
    """The command line as it was typed."""
    return " ".join(["nca", *map(quote, arguments.line)])


def _report(arguments: argparse.Namespace, tables: "dict[str, pd.DataFrame]") -> None:
    """Print tables of this machine, and keep them as JSON where asked."""
    from nca.bench import machine
    from nca.recording import record_tables

    print(machine(arguments.device))
    for table in tables.values():
        print(table.to_string(index=False, float_format="{:.3g}".format))
    if arguments.json:
        record_tables(arguments.json, tables, machine(arguments.device), command_line(arguments), note=arguments.note)
