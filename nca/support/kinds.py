"""Whether a value read from JSON or YAML is what an annotation says: `int`, `str | None`, `dict[str, list[int]]`."""

import ast
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from nca.errors import DataError

_Test = Callable[[Any], bool]

# an int passes for a float, a list for a tuple; a bool is no int
_PLAIN: dict[str, _Test] = {
    "None": lambda value: value is None,
    "bool": lambda value: isinstance(value, bool),
    "int": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "float": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "str": lambda value: isinstance(value, str),
    "list": lambda value: isinstance(value, list | tuple),
    "tuple": lambda value: isinstance(value, list | tuple),
    "dict": lambda value: isinstance(value, dict),
}


def admits(kind: str, value: Any) -> bool:
    """Whether a value read from YAML or JSON is of the type that an annotation says; what is no known type admits all.

    The annotation is read from its syntax tree, and nothing of it is evaluated.
    """
    return _test(kind)(value)


@lru_cache(maxsize=256)
def _test(kind: str) -> _Test:
    try:
        return _compiled(ast.parse(kind, mode="eval").body)
    except SyntaxError:
        return _anything


def _anything(value: Any) -> bool:
    return True


def _compiled(kind: ast.expr) -> _Test:
    match kind:
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _one_of(left, right)
        case ast.Constant(value=str() as quoted):
            return _test(quoted)
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return _PLAIN.get(name, _anything)
        case ast.Constant(value=None):
            return _PLAIN["None"]
        case ast.Subscript(value=ast.Name(id=name) | ast.Attribute(attr=name), slice=inner):
            return _generic(name, inner.elts if isinstance(inner, ast.Tuple) else [inner])
    return _anything


def _generic(name: str, inner: list[ast.expr]) -> _Test:
    """The test of `name[inner, ...]`."""
    match name:
        case "Literal":
            choices = [choice.value for choice in inner if isinstance(choice, ast.Constant)]
            return lambda value: any(type(value) is type(choice) and value == choice for choice in choices)
        case "Optional":
            return _one_of(*inner, ast.Constant(None))
        case "Union":
            return _one_of(*inner)
        case "list" | "List" | "tuple" | "Tuple" | "Sequence":
            member = _one_of(*inner)
            return lambda value: isinstance(value, list | tuple) and all(map(member, value))
        case "dict" | "Dict" | "Mapping":
            member = _compiled(inner[-1])
            return lambda value: isinstance(value, dict) and all(map(member, value.values()))
    return _anything


def _one_of(*kinds: ast.expr) -> _Test:
    tests = [_compiled(kind) for kind in kinds if not (isinstance(kind, ast.Constant) and kind.value is Ellipsis)]
    return lambda value: any(test(value) for test in tests)


def check_rows(rows: Sequence[Any], kinds: Mapping[str, str], where: str) -> None:
    """:func:`check_kinds` for each of the rows that stand in one place.

    Raises:
        DataError: One of them is not what it should be.
    """
    for number, row in enumerate(rows):
        check_kinds(row, kinds, f"row {number} of {where}")


def check_kinds(content: Any, kinds: Mapping[str, str], what: str) -> None:
    """Check that `content` is a mapping that has these names, each with a value of its kind.

    Raises:
        DataError: It is not; `what` says what `content` is, with the file where it stands.
    """
    if not isinstance(content, Mapping):
        raise DataError(f"{what} is not a mapping of names to values; make it again.")
    for name, kind in kinds.items():
        if name not in content:
            raise DataError(f"{what} lacks {name!r}; make it again.")
        if not admits(kind, content[name]):
            raise DataError(f"{what} has no {kind} for {name!r}; make it again.")
