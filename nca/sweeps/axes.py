"""The axes of a stage: what a grid file says about its parameters, expanded into one mapping of values a run."""

import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nca.errors import RunError


class Axes:
    """The product of a stage's parameters, once for each of its rows; overrides replace what both say.

    Raises:
        RunError: A rule that is none of `range`, `draw` and `value`, or one with the wrong content.
    """

    def __init__(
        self, parameters: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], overrides: Mapping[str, Any], where: str
    ) -> None:
        if not isinstance(parameters, Mapping):
            raise RunError(f"`parameters` of {where} is not a mapping of names to values")
        if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
            raise RunError(f"`rows` of {where} is not a list of mappings")
        overrides = {name: {"value": value} for name, value in overrides.items()}
        self._where = where
        self._rows = [
            {name: self._axis(name, value) for name, value in {**parameters, **row, **overrides}.items()}
            for row in rows
        ]
        self.names = tuple(dict.fromkeys(name for row in self._rows for name in row))
        for row in self._rows:
            self._judge_draws(row)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for row in self._rows:
            axes = {name: axis for name, axis in row.items() if isinstance(axis, list)}
            draws = {name: axis for name, axis in row.items() if isinstance(axis, Draw)}
            for values in itertools.product(*axes.values()):
                chosen = dict(zip(axes, values, strict=True))
                yield chosen | {name: draw(name, chosen) for name, draw in draws.items()}

    def values(self) -> Iterator[dict[str, Any]]:
        """Every value of every parameter at least once, without the product: enough to judge types."""
        for row in self._rows:
            for name, axis in row.items():
                for value in axis.choices if isinstance(axis, Draw) else axis:
                    yield {name: value}

    def _axis(self, name: str, value: Any) -> "list[Any] | Draw":
        where = f"parameter {name!r} of {self._where}"
        if isinstance(value, list):
            if not value:
                raise RunError(f"{where} has no values")
            return value
        if not isinstance(value, Mapping):
            return [value]
        if set(value) == {"value"}:
            return [value["value"]]
        if set(value) == {"range"}:
            return _range(value["range"], where)
        if "draw" in value and set(value) <= {"draw", "by", "seed"}:
            return Draw(value, where)
        raise RunError(
            f"{where}: a rule is {{range: ..}}, {{draw: .., by: [..]}} or {{value: ..}}, not {dict(value)!r}"
        )

    def _judge_draws(self, row: "Mapping[str, list[Any] | Draw]") -> None:
        for name, axis in row.items():
            for by in axis.by if isinstance(axis, Draw) else []:
                if not isinstance(row.get(by), list):
                    raise RunError(
                        f"parameter {name!r} of {self._where} is drawn by {by!r}, which this stage does not set"
                    )


class Draw:
    """The seed rule `{draw: [start, stop], by: [names]}`: one integer, the same wherever the named values are the same.

    The first eight bytes of the SHA-256 of name, seed and values, taken modulo the number of choices.
    """

    def __init__(self, rule: Mapping[str, Any], where: str) -> None:
        self.choices = _range(rule["draw"], where)
        self.by: list[str] = rule.get("by") or []
        self._seed = rule.get("seed", 0)
        if not isinstance(self.by, list) or not self.by:
            raise RunError(f"{where} is drawn, and needs `by:` with the names of the parameters that it is drawn for")

    def __call__(self, name: str, values: Mapping[str, Any]) -> int:
        text = json.dumps([name, self._seed, {by: values[by] for by in self.by}], sort_keys=True)
        return self.choices[int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") % len(self.choices)]


def _range(value: Any, where: str) -> list[int]:
    bounds = value if isinstance(value, list) else [value]
    whole = all(isinstance(bound, int) and not isinstance(bound, bool) for bound in bounds)
    if not whole or not 1 <= len(bounds) <= 3 or bounds[2:] == [0] or not range(*bounds):
        raise RunError(
            f"{where}: a range is [start, stop] or [start, stop, step] in integers and not empty, not {value!r}"
        )
    return list(range(*bounds))
