"""Small faults put into the package one at a time, and whether the fast tests of the room see them.

    .venv/bin/python tests/mutants.py --count 100 --seed 0

Each mutant is one change of a sign, a bound, a number, a flag, an argument or a statement, drawn by the seed. It is
never written to disk: a child process imports the changed source and runs the room's tests until one fails. A test
that starts a process of its own does not see the fault there. `--list` prints the mutants without running them.
"""

import argparse
import ast
import copy
import importlib.machinery
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

ROOT = Path(__file__).parents[1]
# by what a file's path begins with: the tests that `make test` runs of its room
ROOMS = {
    "nca/models.py": [
        "tests/test_models.py",
        "tests/test_temporal.py",
        "tests/couplings/test_own_networks.py",
        "tests/couplings/test_equations.py",
        "tests/couplings/test_residual.py",
        "tests/training/test_temporal_training.py",
        "tests/training/test_training.py",
    ],
    "nca/metrics.py": ["tests/test_metrics.py", "tests/analysis/test_diagnostics.py"],
    "nca/mapping.py": ["tests/test_mapping.py", "tests/couplings/test_residual.py", "tests/analysis/test_size.py"],
    "nca/couplings/": ["tests/couplings"],
    "nca/training/": [
        "tests/training/test_training.py",
        "tests/training/test_defaults.py",
        "tests/training/test_resume.py",
        "tests/training/test_temporal_training.py",
        "tests/training/test_published.py",
    ],
    "nca/spectra/": ["tests/spectra", "tests/data/test_recording.py"],
    "nca/analysis/tables.py": ["tests/analysis/test_diagnostics.py", "tests/analysis/test_summaries.py"],
    "nca/sweeps/identity.py": ["tests/sweeps/test_identity.py"],
    "nca/sweeps/store.py": ["tests/sweeps/test_store.py", "tests/sweeps/test_grid.py", "tests/corruption"],
}
LEFT_OUT = ("published", "__init__", "networks")
SWAPPED = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult, ast.Pow: ast.Mult,
    ast.MatMult: ast.Mult, ast.Mod: ast.FloorDiv,
}  # fmt: skip
RENAMED = {"min": "max", "max": "min", "any": "all", "all": "any", "mean": "sum", "sum": "mean", "relu": "abs"}
DROPPED = {"mT", "T"}
SECONDS = 300


def changes(tree: ast.Module) -> Iterator[tuple[ast.AST, str]]:
    """Every node that can be changed, and how, in a stable order."""
    for node in _code(tree):
        match node:
            case ast.Compare(ops=[op]) | ast.BinOp(op=op) | ast.BoolOp(op=op) | ast.AugAssign(op=op):
                if type(op) in SWAPPED:
                    yield node, "swap"
            case ast.UnaryOp(op=ast.Not() | ast.USub()) | ast.IfExp():
                yield node, "unwrap"
            case ast.Constant(value=bool() | int() | float()):
                yield node, "constant"
            case ast.Call(keywords=[_, *_]):
                yield node, "keyword"
            case ast.Name(id=name) | ast.Attribute(attr=name) if name in RENAMED:
                yield node, "rename"
            case ast.Attribute(attr=name) if name in DROPPED:
                yield node, "unwrap"
            case ast.Expr(value=ast.Call()):
                yield node, "delete"


def _code(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes that compute: no annotations, messages, imports or docstrings."""
    yield node
    for name, child in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list"):
            continue
        for each in child if isinstance(child, list) else [child]:
            if isinstance(each, ast.AST) and not isinstance(
                each, ast.Raise | ast.JoinedStr | ast.Import | ast.ImportFrom
            ):
                yield from _code(each)


def mutated(tree: ast.Module, number: int) -> tuple[str, str]:
    """The source with its change of that number, and what was changed, as a line says it."""
    tree = copy.deepcopy(tree)
    node, kind = list(changes(tree))[number]
    before = ast.unparse(node)
    new = _changed(node, kind)
    where = f"{node.lineno}: {before} -> {ast.unparse(new)}"
    for parent in ast.walk(tree):
        for name, child in ast.iter_fields(parent):
            if child is node:
                setattr(parent, name, new)
            elif isinstance(child, list):
                setattr(parent, name, [new if each is node else each for each in child])
    return ast.unparse(ast.fix_missing_locations(tree)), where


def _changed(node: ast.AST, kind: str) -> ast.AST:
    new = copy.deepcopy(node)
    match kind, new:
        case "swap", ast.Compare(ops=[op]):
            new.ops = [SWAPPED[type(op)]()]
        case "swap", _:
            new.op = SWAPPED[type(new.op)]()
        case "unwrap", ast.UnaryOp():
            return new.operand
        case "unwrap", ast.IfExp():
            return new.body
        case "unwrap", _:
            return new.value
        case "constant", ast.Constant(value=bool()):
            new.value = not new.value
        case "constant", _:
            new.value = new.value + 1 if isinstance(new.value, int) else 2 * new.value + 0.01
        case "keyword", _:
            new.keywords = new.keywords[:-1]
        case "rename", ast.Name():
            new.id = RENAMED[new.id]
        case "rename", _:
            new.attr = RENAMED[new.attr]
        case "delete", _:
            return ast.Pass()
    return new


def drawn(count: int, seed: int) -> list[tuple[Path, str, str]]:
    """So many mutants, as many of each room as of any other: file, source, and what was changed."""
    random, rooms = Random(seed), []
    for start in ROOMS:
        files = sorted(ROOT.glob(start if start.endswith(".py") else f"{start}*.py"))
        files = [file for file in files if not any(name in file.name for name in LEFT_OUT)]
        trees = {file: ast.parse(file.read_text(encoding="utf-8")) for file in files}
        rooms.append([(file, tree, i) for file, tree in trees.items() for i in range(len(list(changes(tree))))])
    chosen = [one for room in rooms for one in random.sample(room, min(len(room), -(-count // len(rooms))))]
    return [(file, *mutated(tree, number)) for file, tree, number in chosen[:count]]


def survives(file: Path, source: str) -> bool:
    """Whether the fast tests of the room pass with this source in the file's place, in a child of this process."""
    child = os.fork()
    if not child:
        os.setpgid(0, 0)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(1, 2)
        original = importlib.machinery.SourceFileLoader.get_code

        def get_code(loader: importlib.machinery.SourceFileLoader, name: str) -> object:
            return compile(source, loader.path, "exec") if Path(loader.path) == file else original(loader, name)

        importlib.machinery.SourceFileLoader.get_code = get_code
        import pytest

        signal.alarm(SECONDS)  # ends a child that hangs
        os._exit(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-m", "not slow and not timing", *_tests_of(file)]))
    return os.waitpid(child, 0)[1] == 0


def _tests_of(file: Path) -> list[str]:
    name = file.relative_to(ROOT).as_posix()
    return next(tests for start, tests in ROOMS.items() if name.startswith(start))


def _check_tests(files: set[Path]) -> None:
    """Leave if the tests of one of these files fail as it is: they would kill every mutant."""
    for tests, file in {" ".join(_tests_of(file)): file for file in files}.items():
        if not survives(file, file.read_text(encoding="utf-8")):
            sys.exit(f"Without any fault {tests} fails; mend that first.")


def main() -> int:
    """Print each mutant with what became of it, and the share that was killed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--list", action="store_true")
    given = parser.parse_args()
    os.chdir(ROOT)
    import pandas  # noqa: F401 -- once, before all children
    import pytest  # noqa: F401
    import torch

    torch.set_num_threads(1)
    mutants, alive = drawn(given.count, given.seed), 0
    if not given.list:
        _check_tests({file for file, _, _ in mutants})
    for number, (file, source, where) in enumerate(mutants, 1):
        lives = not given.list and survives(file, source)
        alive += lives
        print(number, "SURVIVES" if lives else "", f"{file.relative_to(ROOT)}:{where}", flush=True)
    if not given.list:
        print(f"{len(mutants) - alive} of {len(mutants)} killed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
