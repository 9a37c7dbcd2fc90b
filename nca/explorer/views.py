"""What the explorer shows: matrices, each with its place in the sweep and its sounds."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from nca.couplings import Couplings
from nca.errors import ParameterError

Matrix = Tensor | NDArray[np.floating]


@dataclass(frozen=True)
class View:
    """One couplings matrix `(bins, bins)`: rows are output bands, columns input bands.

    Attributes:
        matrix: a tensor or array.
        model, strategy, song, segment: what readers pick it by; an attribute in which all views agree is not offered.
        audio: label -> encoded sound (:func:`encode`): mixture, true voice, the model's, the one through the couplings.
    """

    matrix: Matrix
    model: str = ""
    strategy: str = ""
    song: str = ""
    segment: int = 0
    audio: Mapping[str, bytes] = field(default_factory=dict)

    def numbers(self) -> NDArray[np.floating]:
        """The matrix as an array.

        Raises:
            ParameterError: where it is not square, or not finite.
        """
        values = self.matrix.detach().cpu().numpy() if isinstance(self.matrix, Tensor) else np.asarray(self.matrix)
        if values.ndim != 2 or values.shape[0] != values.shape[1] or not values.size:
            raise ParameterError(f"The explorer shows square matrices, not shape {values.shape}.")
        if not np.isfinite(values).all():
            raise ParameterError("The explorer shows finite numbers; this matrix has others.")
        return values


Shown = View | Couplings | Matrix | Sequence["View | Couplings | Matrix"] | Mapping[str, "View | Couplings | Matrix"]


def as_views(shown: Shown) -> list[View]:
    """Views of whatever `explore` accepts; leading dimensions of a matrix become segments."""
    if isinstance(shown, Mapping):
        return [view for label, each in shown.items() for view in _views(each, label)]
    several = shown if isinstance(shown, Sequence) else [shown]
    return [view for each in several for view in _views(each, "")]


def _views(shown: View | Couplings | Matrix, model: str) -> Iterator[View]:
    if isinstance(shown, View):
        yield shown
        return
    strategy, matrix = (shown.strategy, shown.matrix) if isinstance(shown, Couplings) else ("", shown)
    if matrix.ndim < 2:
        raise ParameterError(f"The explorer shows square matrices, not shape {tuple(matrix.shape)}.")
    for segment, each in enumerate(matrix.reshape(-1, *matrix.shape[-2:])):
        yield View(each, model=model, strategy=strategy, segment=segment)
