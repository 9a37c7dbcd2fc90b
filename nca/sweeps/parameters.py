"""A notebook's parameters: their names, types and defaults, read from its own parameters cell without running it."""

import ast
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import nbformat

from nca.errors import ParameterError

_TYPES: dict[str, Any] = {one.__name__: one for one in (int, float, str, bool, list, tuple, dict)}
_TYPES.update(Any=Any, Literal=typing.Literal, Optional=typing.Optional, Union=typing.Union)


@dataclass(frozen=True)
class Parameter:
    """One assignment of a parameters cell: `name: kind = default`; the kind is the default's where none is written."""

    name: str
    default: Any
    kind: Any


@dataclass(frozen=True)
class Cell:
    """The parameters cell: its parameters in order, and whatever else it executes."""

    parameters: dict[str, Parameter]
    rest: str


def parameters_cell(notebook: nbformat.NotebookNode, name: str) -> Cell:
    """The parameters of `notebook` (called `name` in errors), in the order in which its cell assigns them.

    Raises:
        ParameterError: There is no cell tagged `parameters`, or a parameter's default is not a literal.
    """
    for cell in notebook.cells:
        if cell.cell_type == "code" and "parameters" in cell.metadata.get("tags", []):
            return _parse(cell.source, name)
    raise ParameterError(f"notebook {name} has no cell tagged `parameters`; a sweep sets parameters only there")


def _parse(source: str, name: str) -> Cell:
    found, rest = {}, []
    for statement in ast.parse(source).body:
        parameter = _parameter(statement)
        if parameter is None:
            rest.append(ast.unparse(statement))
        else:
            found[parameter.name] = parameter
    if not found:
        raise ParameterError(f"the parameters cell of notebook {name} assigns no literal value to any name")
    return Cell(found, "\n".join(rest))


def _parameter(statement: ast.stmt) -> Parameter | None:
    """The parameter that a statement defines; None for imports, computations and everything else."""
    target: ast.expr
    annotation: ast.expr | None
    if isinstance(statement, ast.AnnAssign):
        target, annotation = statement.target, statement.annotation
    elif isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target, annotation = statement.targets[0], None
    else:
        return None
    if not isinstance(target, ast.Name) or statement.value is None:
        return None
    try:
        default = ast.literal_eval(statement.value)
    except ValueError:
        return None
    return Parameter(target.id, default, _kind(annotation, default))


def _kind(annotation: ast.expr | None, default: Any) -> Any:
    if annotation is None:
        return Any if default is None else type(default)
    try:
        # annotations are type expressions over the names above: nothing of the notebook is executed
        return eval(ast.unparse(annotation), {"__builtins__": {}}, _TYPES)
    except Exception:
        return Any


def check(parameters: Mapping[str, Parameter], given: Mapping[str, Any], where: str) -> None:
    """Judge names and values against the parameters cell.

    Raises:
        ParameterError: A name that the cell lacks, or a value that its type does not admit. An int passes for a float,
            a list for a tuple; a bool is no int.
    """
    for name, value in given.items():
        if name not in parameters:
            raise ParameterError(f"{where} has no parameter {name!r}{suggestion(name, parameters)}")
        parameter = parameters[name]
        if not admits(parameter.kind, value):
            kind = (
                getattr(parameter.kind, "__name__", str(parameter.kind))
                if isinstance(parameter.kind, type)
                else parameter.kind
            )
            raise ParameterError(f"{where}: parameter {name!r} is {kind} and cannot be {value!r}")


def suggestion(name: str, known: Iterable[str]) -> str:
    """The rest of a sentence about an unknown name: the nearest known one, or all of them."""
    known = list(known)
    close = get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; it has {', '.join(known) or 'none'}"


def admits(kind: Any, value: Any) -> bool:
    """Whether a value read from YAML or JSON is of a Python type expression."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return True
    if origin in (typing.Union, types.UnionType):
        return any(admits(one, value) for one in inner)
    if origin is typing.Literal:
        return any(type(value) is type(one) and value == one for one in inner)
    if kind is None or kind is type(None):
        return value is None
    if origin is dict:
        return isinstance(value, dict) and all(admits(inner[1], one) for one in value.values())
    if origin in (list, tuple):
        members = [one for one in inner if one is not Ellipsis]
        return isinstance(value, list | tuple) and all(any(admits(k, v) for k in members) for v in value)
    if isinstance(value, bool) or kind is bool:
        return kind is bool and isinstance(value, bool)
    if kind is float:
        return isinstance(value, int | float)
    return isinstance(value, list | tuple) if kind in (list, tuple) else isinstance(value, kind)
