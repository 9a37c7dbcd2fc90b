"""The console command `nca`: one subcommand a verb, each a thin call into the package."""

import argparse
import sys
from collections.abc import Sequence

from nca import clocks
from nca.errors import NCAError
from nca.sweeps import command as sweeping


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

    clocks.add_arguments(verbs)

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
