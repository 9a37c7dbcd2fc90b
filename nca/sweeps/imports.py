"""Which modules of a package a piece of code depends on, found from its imports without importing anything.

`from nca import DAE` passes through the package's `__init__`, which imports everything; so a name is followed to the
module that defines it, and only that module counts.
"""

import ast
import importlib.util
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

from nca.errors import RunError

# modules that show, steer or word things, and in which no number of a run is made
WITHOUT_NUMBERS = ("nca.figures", "nca.explorer", "nca.cli", "nca.sweeps", "nca.errors", "nca.files")


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
    waiting = list(_reached(_tree(code, "the notebook's code"), "", roots))
    while waiting:
        name = waiting.pop()
        file = _file(name, roots)
        if name in found or file is None or _below(name, without):
            continue
        found[name] = file
        waiting += _reached(_module(file, file.stat().st_mtime_ns), name, roots)
    return dict(sorted(found.items()))


def libraries(code: str, modules: Iterable[Path]) -> set[str]:
    """The top-level names of everything that `code` or one of the module files imports, anywhere in them."""
    trees = [_tree(code, "the notebook's code"), *(_module(file, file.stat().st_mtime_ns) for file in modules)]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    plain = {alias.name.split(".")[0] for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return plain | {(node.module or "").split(".")[0] for node in nodes if isinstance(node, ast.ImportFrom)}


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


def _tree(code: str, where: str) -> ast.Module:
    try:
        return ast.parse(code)
    except SyntaxError as error:
        raise RunError(f"{where} cannot be parsed, line {error.lineno}: {error.msg}") from None


@lru_cache(maxsize=512)
def _module(file: Path, changed: int) -> ast.Module:
    return _tree(file.read_text(encoding="utf-8"), str(file))


def _reached(tree: ast.Module, module: str, roots: dict[str, Path]) -> Iterator[str]:
    """The modules that the imports of one module (or of a notebook, `module` empty) lead to directly."""
    attributes = _attributes(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                bound = alias.asname or alias.name.split(".")[0]
                path = alias.name if alias.asname else bound
                if path.split(".")[0] in roots:
                    yield from _used(path, bound, attributes, roots)
                    yield from [] if alias.asname or _package(alias.name, roots) else [alias.name]
        elif isinstance(node, ast.ImportFrom):
            source = _absolute(node, module, _package(module, roots))
            if source.split(".")[0] in roots:
                for alias in node.names:
                    yield from _imported(source, alias, attributes, roots)


def _imported(
    source: str, alias: ast.alias, attributes: dict[str, set[str] | None], roots: dict[str, Path]
) -> Iterator[str]:
    """What `from source import alias` leads to; an imported package counts by those of its names that are used."""
    whole = f"{source}.{alias.name}"
    if _package(whole, roots):
        yield from _used(whole, alias.asname or alias.name, attributes, roots)
    else:
        yield from _defining(source, alias.name, roots)


def _package(name: str, roots: dict[str, Path]) -> bool:
    file = _file(name, roots)
    return file is not None and file.name == "__init__.py"


def _absolute(node: ast.ImportFrom, module: str, package: bool) -> str:
    """The dotted source of a from-import, relative ones resolved against `module`."""
    if not node.level:
        return node.module or ""
    up = node.level - package
    parts = module.split(".")
    return ".".join([*parts[: len(parts) - up], *([node.module] if node.module else [])])


def _attributes(tree: ast.Module) -> dict[str, set[str] | None]:
    """For each name: the dotted attributes read from it; None if the name is also used by itself."""
    read: dict[str, set[str] | None] = {}
    inner = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and id(node) not in inner:
            chain, base = [node.attr], node.value
            while isinstance(base, ast.Attribute):
                inner.add(id(base))
                chain.append(base.attr)
                base = base.value
            if isinstance(base, ast.Name):
                inner.add(id(base))
                known = read.setdefault(base.id, set())
                if known is not None:
                    known.add(".".join(reversed(chain)))
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and id(node) not in inner:
            read[node.id] = None
    return read


def _used(path: str, bound: str, attributes: dict[str, set[str] | None], roots: dict[str, Path]) -> Iterator[str]:
    """The modules behind an imported module or package `path`, known here as `bound`."""
    if not _package(path, roots):
        yield path
        return
    names = attributes.get(bound, set())
    if names is None:
        yield path
        return
    for dotted in names:
        source, rest = path, dotted.split(".")
        while len(rest) > 1 and _package(f"{source}.{rest[0]}", roots):
            source, rest = f"{source}.{rest[0]}", rest[1:]
        yield from _defining(source, rest[0], roots)


def _defining(source: str, name: str, roots: dict[str, Path], seen: frozenset[str] = frozenset()) -> Iterator[str]:
    """The module that defines `name` as found in module `source`; the whole of `source` where that stays unclear."""
    if _file(f"{source}.{name}", roots) is not None:
        yield f"{source}.{name}"
        return
    file = _file(source, roots)
    if file is None or file.name != "__init__.py" or source in seen:
        yield source
        return
    origin = _reexports(file, file.stat().st_mtime_ns, source).get(name)
    if origin is None:
        yield source
    else:
        yield from _defining(*origin, roots, seen | {source})


@lru_cache(maxsize=128)
def _reexports(file: Path, changed: int, package: str) -> dict[str, tuple[str, str]]:
    """Names that a package's `__init__` takes from other modules: name to (module, its name there)."""
    found: dict[str, tuple[str, str]] = {}
    for node in ast.walk(_module(file, changed)):
        if isinstance(node, ast.ImportFrom):
            source = _absolute(node, package, True)
            if source.split(".")[0] == package.split(".")[0]:
                found |= {alias.asname or alias.name: (source, alias.name) for alias in node.names}
    return found


def module_files(names: Iterable[str]) -> dict[str, Path]:
    """The source files, here, of modules given by their dotted names."""
    roots = {package: _root(package) for package in {name.split(".")[0] for name in names}}
    return {name: file for name in names if (file := _file(name, roots)) is not None}
