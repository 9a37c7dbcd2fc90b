"""Which modules of a package a piece of code depends on, found from its imports without importing anything.

`from nca import DAE` passes through the package's `__init__`, which imports everything; so a name is followed to the
module that defines it, and only that module counts.
"""

import ast
import importlib.util
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from nca.errors import RunError

# modules that show, steer or word things, and in which no number of a run is made
WITHOUT_NUMBERS = ("nca.pages", "nca.cli", "nca.sweeps", "nca.errors", "nca.support.files", "nca.support.kinds")


class Imports(NamedTuple):
    """What one source says of others.

    Attributes:
        plain: Of `import a.b as c`: its name, and the name that it binds or None.
        taken: Of `from ..a import b as c`: the dotted module, its level, the name there, and the name that it binds.
        attributes: For each name, the dotted attributes read from it; an empty one where it is used by itself.
    """

    plain: list[tuple[str, str | None]]
    taken: list[tuple[str, int, str, str]]
    attributes: dict[str, set[str]]


def closure(code: str, packages: Iterable[str] = ("nca",), without: Iterable[str] = WITHOUT_NUMBERS) -> dict[str, Path]:
    """The modules of `packages` that `code` reaches through imports, and theirs in turn: dotted name to source file.

    Args:
        code: Python source, for instance all code cells of a notebook.
        packages: Top-level packages whose source counts; anything else is covered by versions.
        without: Modules left out, with everything below them.

    Raises:
        RunError: A package cannot be found, or code or a module cannot be parsed.
    """
    roots = {package: _root(package) for package in packages}
    without = tuple(without)
    found: dict[str, Path] = {}
    waiting = list(_reached(_imports(code, "the notebook's code"), "", roots))
    while waiting:
        name = waiting.pop()
        file = _file(name, roots)
        if name in found or file is None or _below(name, without):
            continue
        found[name] = file
        waiting += _reached(_module(file), name, roots)
    return dict(sorted(found.items()))


def libraries(code: str, modules: Iterable[Path]) -> set[str]:
    """The top-level names of everything that `code` or one of the module files imports, anywhere in them."""
    found = [_imports(code, "the notebook's code"), *(_module(file) for file in modules)]
    names = [name for each in found for name in (*(name for name, _ in each.plain), *(name for name, *_ in each.taken))]
    return {name.split(".")[0] for name in names}


@lru_cache(maxsize=16)
def _root(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.origin:
        raise RunError(f"package {package!r} is not installed here; correct `packages` in the grid file or install it")
    return Path(spec.origin)


def _below(name: str, parents: Iterable[str]) -> bool:
    return any(name == parent or name.startswith(f"{parent}.") for parent in parents)


def _file(name: str, roots: dict[str, Path]) -> Path | None:
    """The source of a dotted module name; None if no such module is in the packages."""
    package, *rest = name.split(".")
    if package not in roots or (rest and roots[package].name != "__init__.py"):
        return None
    if not rest:
        return roots[package]
    path = roots[package].parent.joinpath(*rest)
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


def _imports(code: str, where: str) -> Imports:
    try:
        nodes = list(ast.walk(ast.parse(code)))
    except SyntaxError as error:
        raise RunError(f"{where} cannot be parsed, line {error.lineno}: {error.msg}") from None
    plain = [(alias.name, alias.asname) for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    taken = [
        (node.module or "", node.level, alias.name, alias.asname or alias.name)
        for node in nodes
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    ]
    return Imports(plain, taken, _attributes(nodes))


def _module(file: Path) -> Imports:
    """What a module imports: its source, or the stub beside it from which a package loads its names on demand."""
    stub = file.with_suffix(".pyi")
    source = stub if stub.exists() else file
    return _parsed(source, source.stat().st_mtime_ns)


@lru_cache(maxsize=512)
def _parsed(file: Path, changed: int) -> Imports:
    return _imports(file.read_text(encoding="utf-8"), str(file))


def _reached(imports: Imports, module: str, roots: dict[str, Path]) -> Iterator[str]:
    """The modules that the imports of one module (or of a notebook, `module` empty) lead to directly."""
    for name, asname in imports.plain:
        bound = asname or name.split(".")[0]
        yield from _used(name if asname else bound, imports.attributes.get(bound, set()), roots)
        if not _is_package(name, roots):
            yield name
    package = _is_package(module, roots)
    for source, level, name, bound in imports.taken:
        inner = f"{_absolute(source, level, module, package)}.{name}"
        yield from _used(inner, imports.attributes.get(bound, set()), roots)


def _used(imported: str, attributes: set[str], roots: dict[str, Path]) -> Iterator[str]:
    """What an imported module or name leads to; of a package, what its attributes lead to that are read here."""
    if _is_package(imported, roots):
        yield from (_defining(f"{imported}.{rest}".rstrip("."), roots) for rest in attributes)
    else:
        yield _defining(imported, roots)


def _defining(name: str, roots: dict[str, Path]) -> str:
    """The module that defines what a dotted name says; a package itself where that stays unclear."""
    module, *rest = name.split(".")
    while rest and _is_package(module, roots):
        inner, origin = f"{module}.{rest[0]}", _reexports(module, roots).get(rest[0])
        if _file(inner, roots):
            module, rest = inner, rest[1:]
        elif origin and origin != inner:
            return _defining(".".join([origin, *rest[1:]]), roots)
        else:
            break
    return module


def _reexports(package: str, roots: dict[str, Path]) -> dict[str, str]:
    """Names that a package takes from other modules: name to dotted name there."""
    file = _file(package, roots)
    return {
        bound: f"{_absolute(source, level, package, True)}.{name}"
        for source, level, name, bound in (_module(file).taken if file else ())
    }


def _is_package(name: str, roots: dict[str, Path]) -> bool:
    file = _file(name, roots)
    return file is not None and file.name == "__init__.py"


def _absolute(source: str, level: int, module: str, package: bool) -> str:
    """The dotted source of a from-import, relative ones resolved against `module`."""
    if not level:
        return source
    parts = module.split(".")
    return ".".join([*parts[: len(parts) - level + package], *([source] if source else [])])


def _attributes(nodes: Iterable[ast.AST]) -> dict[str, set[str]]:
    read: dict[str, set[str]] = {}
    seen: set[ast.AST] = set()
    for node in nodes:  # an attribute comes before what it is read from
        chain: list[str] = []
        while isinstance(node, ast.Attribute) and node not in seen:
            seen.add(node)
            chain.insert(0, node.attr)
            node = node.value
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node not in seen:
            seen.add(node)
            read.setdefault(node.id, set()).add(".".join(chain))
    return read


def module_files(names: Iterable[str]) -> dict[str, Path]:
    """The source files, here, of modules given by their dotted names."""
    roots = {package: _root(package) for package in {name.split(".")[0] for name in names}}
    return {name: file for name in names if (file := _file(name, roots)) is not None}
