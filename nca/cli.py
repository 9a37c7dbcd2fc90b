"""The console command `nca`: one subcommand a verb, each a thin call into the package."""

import argparse
import sys
from collections.abc import Sequence
from shlex import quote
from typing import TYPE_CHECKING

from nca.errors import NCAError
from nca.sweeps import command as sweeping

if TYPE_CHECKING:
    import pandas as pd


def corpus(arguments: argparse.Namespace) -> None:
    from nca.corpus import make_corpus

    make_corpus(arguments.folder, songs=arguments.songs, seconds=arguments.seconds, seed=arguments.seed)


def tracks(arguments: argparse.Namespace) -> None:
    from nca.tracks import open_tracks

    for track in open_tracks(arguments.folder, arguments.subset):
        remark = "  (no voice: left out of training and scores)" if track.voiceless else ""
        print(f"{track.seconds:8.1f} s  {track.rate} Hz  {track.name}{remark}")


def single(arguments: argparse.Namespace) -> None:
    from nca.single import run_notebook

    print(run_notebook(arguments.notebook, arguments.out, dict(map(sweeping.assignment, arguments.set))))


def book(arguments: argparse.Namespace) -> None:
    from nca.book import make_book

    overrides = dict(map(sweeping.assignment, arguments.set))
    print(make_book(arguments.songs, arguments.seconds, arguments.seed, overrides))


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


def bench_cost(arguments: argparse.Namespace) -> None:
    from nca.cost.check import check_cost

    _report(arguments, {"rows": check_cost(arguments.bins, arguments.stages, arguments.rounds, arguments.device)})


def cost(arguments: argparse.Namespace) -> None:
    from nca.cost.command import run

    run(arguments, _command(arguments))


def _command(arguments: argparse.Namespace) -> str:
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
        record_tables(arguments.json, tables, machine(arguments.device), _command(arguments))


def record(arguments: argparse.Namespace) -> None:
    from nca.recording import record_store

    record_store(arguments.store, arguments.file, arguments.command)


def parser() -> argparse.ArgumentParser:
    """The command line, one subparser a verb."""
    top = argparse.ArgumentParser(prog="nca", description=__doc__.splitlines()[0])
    verbs = top.add_subparsers(required=True, metavar="command")

    make = verbs.add_parser("corpus", help="synthesise the demo corpus in MUSDB18's folder layout")
    make.add_argument("folder", help="where the songs go; made if absent")
    _corpus_size(make)
    make.set_defaults(run=corpus)

    sweeping.add_arguments(verbs)

    listing = verbs.add_parser("tracks", help="read every song of a data set (MUSDB18, MIR-1K) and list it")
    listing.add_argument("folder", nargs="?", help="root of the data set; MUSDB_PATH if left out")
    listing.add_argument("--subset", default="test", help="train or test")
    listing.set_defaults(run=tracks)

    one = verbs.add_parser("run", help="run one notebook once, with parameters of your own")
    one.add_argument("notebook", help="a text notebook such as notebooks/train.md")
    one.add_argument("--out", required=True, help="folder for what it leaves; must not exist yet")
    one.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="set a parameter")
    one.set_defaults(run=single)

    clock = verbs.add_parser("bench", help="time a part of the package on this machine")
    clocks = clock.add_subparsers(required=True, metavar="part")
    couplings = clocks.add_parser(
        "couplings", help="the compositional strategy beside the products that it cannot avoid"
    )
    couplings.add_argument("--bins", type=int, nargs="+", default=[513, 1025, 2049], help="numbers of bins N")
    couplings.add_argument("--depths", type=int, nargs="+", default=[2, 4], help="numbers of layers L'")
    couplings.add_argument("--iterations", type=int, default=10, help="rounds; each times one iteration of each")
    couplings.add_argument("--device", default="cpu", help="where to run, as torch names it")
    couplings.add_argument("--json", metavar="FILE", help="write the table there as well")
    couplings.set_defaults(run=bench_couplings)
    ensembles = clocks.add_parser(
        "ensembles", help="many initialisations trained, and many segments analysed, at once beside a loop over them"
    )
    ensembles.add_argument("--bins", type=int, default=2049, help="number of bins N")
    ensembles.add_argument("--depth", type=int, default=2, help="number of layers L'")
    ensembles.add_argument("--instances", type=int, nargs="+", default=[1, 8, 50], help="initialisations at once")
    ensembles.add_argument("--batches", type=int, nargs="+", default=[1, 8, 32], help="segments at once")
    ensembles.add_argument(
        "--precisions", nargs="+", default=["float32", "tf32", "bfloat16"], help="of the products; tf32 on CUDA alone"
    )
    ensembles.add_argument("--rounds", type=int, default=5, help="rounds in which all take turns")
    ensembles.add_argument("--device", default="cpu", help="where to run, as torch names it")
    ensembles.add_argument("--json", metavar="FILE", help="write the tables there as well")
    ensembles.set_defaults(run=bench_ensembles)
    data = clocks.add_parser("data", help="loading batches of a corpus of any size beside training on them, on the CPU")
    data.add_argument(
        "--frames", type=int, nargs="+", default=[250_000, 500_000, 1_000_000], help="sizes of the corpus"
    )
    data.add_argument("--bins", type=int, default=513, help="number of bins N")
    data.add_argument("--precision", default="float32", help="of the spectra on disk, float32 or float16")
    data.add_argument("--steps", type=int, default=50, help="training steps to time")
    data.add_argument("--folder", help="where the corpus is written while it is needed")
    data.add_argument("--json", metavar="FILE", help="write the table there as well")
    data.set_defaults(run=bench_data, device="cpu")

    truth = clocks.add_parser("cost", help="what `nca cost` predicts beside what is measured, size by size")
    truth.add_argument("--bins", type=int, nargs="+", default=[257, 513, 641, 744, 1025], help="numbers of bins N")
    truth.add_argument(
        "--stages",
        nargs="+",
        default=["spectra", "training", "student", "compositional", "exact mapping", "exact mapping, deep"],
        help="of the cost model",
    )
    truth.add_argument("--rounds", type=int, default=5, help="rounds in which all take turns")
    truth.add_argument("--device", default="cpu", help="where to run, as torch names it")
    truth.add_argument("--json", metavar="FILE", help="write the table there as well")
    truth.set_defaults(run=bench_cost)

    guess = verbs.add_parser("cost", help="predict time and memory of an experiment on a device")
    guess.add_argument("--profile", default="paper", help="paper, mir-1k or demo: how much of everything there is")
    guess.add_argument(
        "--device", default="cpu", help="as torch names it, calibrated first; or h100, by its data sheet"
    )
    guess.add_argument("--precision", default="tf32", help="of the products, for a device by its data sheet")
    for name in ("bins", "frames", "epochs", "instances", "segments"):
        guess.add_argument(f"--{name}", type=int, help=f"{name} in place of the profile's")
    guess.add_argument("--at-once", type=int, default=1, help="initialisations, and segments, at once")
    guess.add_argument("--rounds", type=int, default=3, help="of the calibration")
    guess.add_argument("--json", metavar="FILE", help="write the prediction there as well")
    guess.set_defaults(run=cost)

    keep = verbs.add_parser("record", help="keep what a long sweep found as one JSON file that a page can read")
    keep.add_argument("store", help="of the sweep")
    keep.add_argument("file", help="such as book/records/judged.json")
    keep.add_argument("--command", required=True, help="with which the store is made again")
    keep.set_defaults(run=record)

    page = verbs.add_parser("book", help="make the demo book: corpus, sweep, tables, pages")
    _corpus_size(page)
    page.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="set a parameter in all notebooks"
    )
    page.set_defaults(run=book)
    return top


def _corpus_size(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--songs", type=int, default=24, help="how many songs, train and test together")
    verb.add_argument("--seconds", type=float, default=20.0, help="length of a song in seconds")
    verb.add_argument("--seed", type=int, default=0, help="the same seed gives the same bytes")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand; a named error is printed as one sentence with exit code 2."""
    line = list(sys.argv[1:] if arguments is None else arguments)
    chosen = parser().parse_args(line, argparse.Namespace(line=line))
    try:
        return chosen.run(chosen) or 0
    except NCAError as error:
        print(f"nca: {error}", file=sys.stderr)
        return 2
