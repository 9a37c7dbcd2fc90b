"""The console command `nca`: one subcommand a verb, each a thin call into the package."""

import argparse
import sys
from collections.abc import Sequence

from nca.errors import NCAError
from nca.sweeps import command as sweeping


def corpus(arguments: argparse.Namespace) -> None:
    from nca.corpus import make_corpus

    make_corpus(arguments.folder, songs=arguments.songs, seconds=arguments.seconds, seed=arguments.seed)


def book(arguments: argparse.Namespace) -> None:
    from nca.book import make_book

    print(make_book())


def parser() -> argparse.ArgumentParser:
    """The command line, one subparser a verb."""
    top = argparse.ArgumentParser(prog="nca", description=__doc__.splitlines()[0])
    verbs = top.add_subparsers(required=True, metavar="command")

    make = verbs.add_parser("corpus", help="synthesise the demo corpus in MUSDB18's folder layout")
    make.add_argument("folder", help="where the songs go; made if absent")
    make.add_argument("--songs", type=int, default=20, help="how many songs, train and test together")
    make.add_argument("--seconds", type=float, default=20.0, help="length of a song in seconds")
    make.add_argument("--seed", type=int, default=0, help="the same seed gives the same bytes")
    make.set_defaults(run=corpus)

    sweeping.add_arguments(verbs)

    page = verbs.add_parser("book", help="make the demo book: corpus, sweep, tables, pages")
    page.set_defaults(run=book)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand; a named error is printed as one sentence with exit code 2."""
    chosen = parser().parse_args(arguments)
    try:
        return chosen.run(chosen) or 0
    except NCAError as error:
        print(f"nca: {error}", file=sys.stderr)
        return 2
