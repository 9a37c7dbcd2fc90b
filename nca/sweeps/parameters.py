"""A notebook's parameters: their names, types and defaults, read from its parameters cell without running any of it."""

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import nbformat

from nca.errors import ParameterError
from nca.support.kinds import admits


@dataclass(frozen=True)
class Parameter:
    """One assignment of a parameters cell, `name: kind = default`; the kind is the default's where none is written."""

    name: str
    default: Any
    kind: str


@dataclass(frozen=True)
class Cell:
    """The parameters cell: its parameters in order, and whatever else it executes."""

    parameters: dict[str, Parameter]
    rest: str


def parameters_cell(notebook: nbformat.NotebookNode, name: str) -> Cell:
    """The parameters of `notebook` (called `name` in errors), in the order in which its cell assigns them.

    Raises:
        ParameterError: There is no cell tagged `parameters`, it is not Python, or it assigns no literal value.
    """
    for cell in notebook.cells:
        if cell.cell_type == "code" and "parameters" in cell.metadata.get("tags", []):
            return _parsed(cell.source, name)
    raise ParameterError(f"notebook {name} has no cell tagged `parameters`; a sweep sets parameters only there")


def _parsed(source: str, name: str) -> Cell:
    try:
        statements = ast.parse(source).body
    except SyntaxError as error:
        raise ParameterError(f"the parameters cell of notebook {name} is not Python: {error.msg}") from None
    read = [(statement, _parameter(statement)) for statement in statements]
    parameters = {parameter.name: parameter for _, parameter in read if parameter}
    if not parameters:
        raise ParameterError(f"the parameters cell of notebook {name} assigns no literal value to any name")
    return Cell(parameters, "\n".join(ast.unparse(statement) for statement, parameter in read if not parameter))


def _parameter(statement: ast.stmt) -> Parameter | None:
    """The parameter that a statement defines; None for imports, computations and everything else."""
    match statement:
        case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=ast.expr() as value):
            kind = ast.unparse(annotation)
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            kind = ""
        case _:
            return None
    try:
        default = ast.literal_eval(value)
    except ValueError:
        return None
    return Parameter(name, default, kind or ("Any" if default is None else type(default).__name__))


def check(parameters: Mapping[str, Parameter], given: Mapping[str, Any], where: str) -> None:
    """Judge names and values against the parameters cell.

    Raises:
        ParameterError: A name that the cell lacks, or a value that its type does not admit.
    """
    for name, value in given.items():
        if name not in parameters:
            raise ParameterError(f"{where} has no parameter {name!r}{suggestion(str(name), parameters)}")
        if not admits(parameters[name].kind, value):
            text = "; put it in quotes" if admits(parameters[name].kind, str(value)) else ""
            raise ParameterError(
                f"{where}: parameter {name!r} is {parameters[name].kind} and cannot be {value!r}{text}"
            )


def suggestion(name: str, known: Iterable[str]) -> str:
    """The rest of a sentence about an unknown name: the nearest known one, or all of them."""
    known = list(known)
    close = get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; it has {', '.join(known) or 'none'}"
