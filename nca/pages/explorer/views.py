"""What the explorer shows: matrices, each with its place in the sweep and its sounds."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from nca.analysis.local import LocalMapping
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
        lag: of the frames that the matrix reads: 0 is the same frame, 1 the one before; several become a slider.
        note: what is said of it beside its name.
        mask: the part of the matrix's diagonal `(bins,)` that is a mask's own, which readers can leave out; None for a
            matrix without one.
    """

    matrix: Matrix
    model: str = ""
    strategy: str = ""
    song: str = ""
    segment: int = 0
    audio: Mapping[str, bytes] = field(default_factory=dict)
    lag: int = 0
    note: str = ""
    mask: Tensor | None = None

    def gains(self) -> NDArray[np.float32] | None:
        """The mask's own term `(bins,)`, where there is one."""
        return None if self.mask is None else self.mask.detach().cpu().numpy().astype(np.float32)

    def numbers(self) -> NDArray[np.floating]:
        """The matrix as an array.

        Raises:
            ParameterError: where it is not square, or not finite.
        """
        values = self.matrix.detach().cpu().numpy() if isinstance(self.matrix, Tensor) else np.asarray(self.matrix)
        if values.dtype.kind not in "fiu":
            raise ParameterError(f"The explorer shows matrices of real numbers, not of {values.dtype}.")
        if values.ndim != 2 or values.shape[0] != values.shape[1] or not values.size:
            raise ParameterError(f"The explorer shows square matrices, not shape {values.shape}.")
        if not np.isfinite(values).all():
            raise ParameterError("The explorer shows finite numbers; this matrix has others.")
        return values


One = View | Couplings | LocalMapping | Matrix
Shown = One | Sequence[One] | Mapping[str, One]


def as_views(shown: Shown) -> list[View]:
    """Views of whatever `explore` accepts; leading dimensions of a matrix become segments, lags of a mapping a slider.

    Raises:
        ParameterError: for what is no matrix, and a mapping of some bands only.
    """
    if isinstance(shown, Mapping):
        return [view for label, each in shown.items() for view in _views(each, label)]
    several = shown if isinstance(shown, list | tuple) else [shown]
    return [view for each in several for view in _views(each, "")]


def _views(shown: Any, model: str) -> Iterator[View]:
    if isinstance(shown, View):
        yield shown
    elif isinstance(shown, LocalMapping):
        yield from _lags(shown, model)
    elif isinstance(shown, Couplings):
        yield from _segments(shown.matrix, model, shown.strategy)
    elif isinstance(shown, Tensor | np.ndarray):
        yield from _segments(shown, model, "")
    else:
        hint = "; read a file of them with nca.load_matrices" if isinstance(shown, str | Path) else ""
        raise ParameterError(f"{shown!r:.80} is no matrix, but a {type(shown).__name__}{hint}.")


def _segments(matrix: Matrix, model: str, strategy: str) -> Iterator[View]:
    if matrix.ndim < 2:
        raise ParameterError(f"The explorer shows square matrices, not shape {tuple(matrix.shape)}.")
    for segment, each in enumerate(matrix.reshape(-1, *matrix.shape[-2:])):
        yield View(each, model=model, strategy=strategy, segment=segment)


def _lags(mapping: LocalMapping, model: str) -> Iterator[View]:
    rows, bins = mapping.blocks.matrix.shape[-2:]
    if rows < bins:
        raise ParameterError(f"This local mapping has {rows} of {bins} bands; the explorer needs all, rows=None.")
    for lag in mapping.blocks.lags:
        mask, note = (mapping.mask if lag == 0 else None), f"{mapping.blocks.share(lag):.2%} of a row's energy"
        found = mapping.blocks.couplings(lag)
        yield View(found.matrix, model, found.strategy, lag=lag, note=note, mask=mask)
