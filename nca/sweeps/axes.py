"""The axes of a stage: what a grid file says about its parameters, expanded into one mapping of values a run."""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nca.errors import RunError
from nca.support.digests import seeded_choice

MOST = 10**6  # runs of a stage, and values of a range: a larger number is a slip of the pen


class Axes:
    """The product of a stage's parameters, once for each of its rows; overrides replace what both say.

    Attributes:
        names: Of all parameters that the stage sets.
        telling: Those that tell its runs from one another or that an override sets.

    Raises:
        RunError: A rule that is none of `range`, `draw` and `value`, or one with the wrong content.
    """

    def __init__(
        self,
        parameters: Mapping[str, Any],
        rows: Sequence[Mapping[str, Any]],
        overrides: Mapping[str, list[Any]],
        where: str,
    ) -> None:
        if not isinstance(parameters, Mapping):
            raise RunError(f"`parameters` of {where} is not a mapping of names to values")
        if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
            raise RunError(f"`rows` of {where} is not a list of mappings")
        self._where = where
        self._rows = [
            {name: self._axis(name, value) for name, value in {**parameters, **row, **overrides}.items()}
            for row in rows
        ]
        self.names = tuple(dict.fromkeys(name for row in self._rows for name in row))
        self.telling = {name for name in self.names if name in overrides or self._varies(name)}
        for row in self._rows:
            self._judge_draws(row)
        lengths = [[len(axis) for axis in row.values() if isinstance(axis, list)] for row in self._rows]
        if (runs := sum(map(math.prod, lengths))) > MOST:
            raise RunError(f"{where} has {runs} runs, more than {MOST}; shorten its axes")

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

    def _varies(self, name: str) -> bool:
        """Whether runs differ in a parameter; one that only some rows set has its default in the others."""
        axes = [row.get(name) for row in self._rows]
        values = [repr(each) for axis in axes for each in (axis.choices if isinstance(axis, Draw) else axis or [])]
        return len(set(values)) > 1 or None in axes

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

    By :func:`nca.support.digests.seeded_choice`, with name, seed and values as the key.
    """

    def __init__(self, rule: Mapping[str, Any], where: str) -> None:
        self.choices = _range(rule["draw"], where)
        self.by: list[str] = rule.get("by") or []
        self._seed = rule.get("seed", 0)
        if not isinstance(self.by, list) or not self.by:
            raise RunError(f"{where} is drawn, and needs `by:` with the names of the parameters that it is drawn for")

    def __call__(self, name: str, values: Mapping[str, Any]) -> int:
        by = {one: values[one] for one in self.by}
        return self.choices[seeded_choice(len(self.choices), name, self._seed, by)]


def _range(value: Any, where: str) -> list[int]:
    bounds = value if isinstance(value, list) else [value]
    whole = all(isinstance(bound, int) and not isinstance(bound, bool) for bound in bounds)
    if not whole or not 1 <= len(bounds) <= 3 or bounds[2:] == [0] or not range(*bounds):
        raise RunError(
            f"{where}: a range is [start, stop] or [start, stop, step] in integers and not empty, not {value!r}"
        )
    if range(*bounds)[MOST:]:
        raise RunError(f"{where}: the range {value!r} has more than {MOST} values; shorten it")
    return list(range(*bounds))
