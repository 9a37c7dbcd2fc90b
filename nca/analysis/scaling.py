"""How a figure goes with the size of an experiment: power laws fitted in least squares, with their uncertainty."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import t

from nca.errors import DataError

CONFIDENCE = 0.95


@dataclass(frozen=True)
class PowerLaw:
    """log y = a_level + sum_k b_k log x_k, with errors that are normal and independent from row to row.

    Attributes:
        terms: `estimate`, standard `error`, and the limits `low` and `high` of the 95 % interval of every b_k and a.
        residual: standard deviation of log y about the fit.
        freedom: rows less terms.
    """

    terms: pd.DataFrame
    residual: float
    freedom: int
    _covariance: np.ndarray
    _factors: tuple[str, ...]

    def predict(self, at: Mapping[str, float], level: float | str | None = None) -> tuple[float, float, float]:
        """y at one point, with the 95 % interval in which one further row is expected: `(y, low, high)`.

        It knows the scatter of the rows and of the terms; that the law holds beyond the rows is assumed.

        Args:
            at: value of every factor.
            level: where the law was fitted with levels, which of them.

        Raises:
            DataError: for a level without rows.
        """
        x = pd.Series(0.0, self.terms.index)
        x[list(self._factors)] = [np.log(at[name]) for name in self._factors]
        constant = "constant" if level is None else level
        if constant not in x.index:
            raise DataError(f"The law was fitted without rows of level {constant}; there is nothing to predict from.")
        x[constant] = 1.0
        centre = x @ self.terms["estimate"]
        spread = self.residual * np.sqrt(1 + x.to_numpy() @ self._covariance @ x.to_numpy())
        reach = t.ppf((1 + CONFIDENCE) / 2, self.freedom) * spread
        return float(np.exp(centre)), float(np.exp(centre - reach)), float(np.exp(centre + reach))


def power_law(rows: pd.DataFrame, value: str, factors: Sequence[str], levels: str | None = None) -> PowerLaw:
    """Fit a power law to positive values in ordinary least squares of their logarithms.

    Args:
        rows: one a network: rows that share a network are no independent evidence, so average them before.
        value: column of y.
        factors: columns of x_k.
        levels: a column whose every value gets a constant of its own, where no law over it is assumed.

    Raises:
        DataError: where there are no more rows than terms, or the rows do not vary enough to tell the terms apart.
    """
    design = np.log(rows[list(factors)].astype(float))
    constants = pd.get_dummies(rows[levels], dtype=float) if levels else pd.DataFrame({"constant": 1.0}, rows.index)
    design, y = pd.concat([design, constants], axis=1), np.log(rows[value].to_numpy(dtype=float))
    X = design.to_numpy()
    freedom = len(X) - X.shape[1]
    if freedom < 1 or np.linalg.matrix_rank(X) < X.shape[1]:
        raise DataError(f"{len(X)} rows do not determine {X.shape[1]} terms of a power law; give more, or fewer terms.")
    inverse = np.linalg.inv(X.T @ X)
    estimate = inverse @ X.T @ y
    residual = float(np.sqrt(((y - X @ estimate) ** 2).sum() / freedom))
    error = residual * np.sqrt(np.diag(inverse))
    reach = t.ppf((1 + CONFIDENCE) / 2, freedom) * error
    columns = {"estimate": estimate, "error": error, "low": estimate - reach, "high": estimate + reach}
    return PowerLaw(pd.DataFrame(columns, design.columns), residual, freedom, inverse, tuple(factors))
