"""`nca bench` and `nca cost`: each measurement is a function, and its signature and docstring are its command line."""

import argparse
import inspect
import re
from collections.abc import Callable, Sequence
from pkgutil import resolve_name
from shlex import quote
from typing import TYPE_CHECKING, Any, get_args, get_origin, get_type_hints

if TYPE_CHECKING:
    from nca.bench.timing import Report

    Verbs = argparse._SubParsersAction[Any]

# By the name of the command: the function, and what `--help` says of it.
MEASUREMENTS = {
    "couplings": (
        "nca.bench.couplings:bench_couplings",
        "the compositional strategy beside the products that it cannot avoid",
    ),
    "ensembles": (
        "nca.bench.ensembles:bench_ensembles",
        "many initialisations trained, and many segments analysed, at once beside a loop over them",
    ),
    "mapping": (
        "nca.bench.mapping:bench_mapping",
        "rows of the exact local mapping of a network of Spleeter's size, and the memory that they take",
    ),
    "data": (
        "nca.bench.data:bench_data",
        "loading batches of a corpus of any size beside training on them, on the CPU",
    ),
    "cost": ("nca.bench.validation:check_cost", "what `nca cost` predicts beside what is measured, size by size"),
}
PREDICTIONS = {"cost": ("nca.bench.prediction:predict_cost", "predict time and memory of an experiment on a device")}


class FunctionParser(argparse.ArgumentParser):
    """A command whose options are read from its `function` when it is chosen: `nca --help` does not wait for torch."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        if function := self.get_default("function"):
            add_options(self, resolve_name(function))
        return super().parse_known_args(args, namespace)


def add_arguments(verbs: "Verbs") -> None:
    """Add the verbs `bench` and `cost` to the command line."""
    bench = verbs.add_parser("bench", help="time a part of the package on this machine")
    parts = bench.add_subparsers(required=True, metavar="part")
    for group, commands in ((parts, MEASUREMENTS), (verbs, PREDICTIONS)):
        for name, (function, summary) in commands.items():
            group.add_parser(name, help=summary).set_defaults(run=run, function=function)


def add_options(verb: argparse.ArgumentParser, function: Callable[..., "Report"]) -> None:
    """Add an option for every parameter of a function, and those of the record."""
    verb.description = (inspect.getdoc(function) or "").split("\n")[0]
    hints, explained = get_type_hints(function), explanations(function)
    for name, parameter in inspect.signature(function).parameters.items():
        verb.add_argument(
            f"--{name.replace('_', '-')}",
            default=parameter.default,
            help=explained[name].replace("%", "%%"),
            **converter(hints[name]),
        )
    verb.add_argument("--json", metavar="FILE", help="keep what was found there, with machine, versions and code")
    verb.add_argument("--note", default="", help="to keep beside it, such as what else the machine was doing")


def explanations(function: Callable[..., Any]) -> dict[str, str]:
    """What the section `Args:` of a Google docstring says of each parameter."""
    found = re.search(r"^Args:\n((?: +.*\n?)+)", inspect.getdoc(function) or "", re.MULTILINE)
    entries = re.findall(r"^ {4}(\w+): (.*(?:\n {5,}.*)*)", found[1] if found else "", re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in entries}


def converter(hint: Any) -> dict[str, Any]:
    """How argparse reads a value of a type: `Sequence[int]` is several, `int | None` is an int."""
    several = get_origin(hint) is Sequence
    kinds = [kind for kind in get_args(hint) or (hint,) if kind is not type(None)]
    return {"type": kinds[-1], "nargs": "+"} if several else {"type": kinds[-1]}


def run(arguments: argparse.Namespace) -> None:
    """Call the function of the chosen command, print what it found, and keep it as JSON where asked."""
    from nca.sweeps.archive import record_tables

    function = resolve_name(arguments.function)
    found = function(**{name: getattr(arguments, name) for name in inspect.signature(function).parameters})
    print(found.text)
    if arguments.json:
        about = {**found.about, "note": arguments.note}
        record_tables(arguments.json, found.tables, found.machine, command_line(arguments), **about)


def command_line(arguments: argparse.Namespace) -> str:
    """The command line as it was typed."""
    return " ".join(["nca", *map(quote, arguments.line)])
