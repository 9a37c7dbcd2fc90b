"""Spectral transportation (Sec. 6, future research): the least movement that turns mixture spectra into voice spectra.

Both spectra of a frame, scaled to unit mass, are distributions over frequency. The optimal transport plan is the matrix
P >= 0 with row sums y and column sums x of least cost sum_ij P_ij |f_i - f_j|. Lying as couplings lie (rows written,
columns read), it is compared with them by the same measures: no plan that turns x into y moves mass less far, so
couplings that move it much further do more than the two spectra ask for.
"""

import numpy as np
import ot
import torch
from torch import Tensor

from nca.errors import DataError, ParameterError


def transport_plan(mixture: Tensor, voice: Tensor) -> Tensor:
    """Mean over the frames of the optimal transport plans `(bins, bins)`, float64, of total mass 1.

    Its mean displacement (:func:`nca.analysis.displacement.displacement`) is the mean over the frames of the
    Wasserstein distance, in one dimension bandwidth * sum_k |F_x(k) - F_y(k)| with the cumulated spectra F.

    Args:
        mixture, voice: magnitudes `(bins, frames)`; frames in which either is silent are left out.

    Raises:
        ParameterError: for spectra of unequal shapes, or magnitudes below 0.
        DataError: where no frame is left.
    """
    if mixture.shape != voice.shape or min(mixture.min(), voice.min()) < 0:
        raise ParameterError("Transport needs magnitudes of equal shapes, none below 0; clamp an estimate first.")
    x, y = (signal.detach().cpu().double().numpy().T for signal in (mixture, voice))
    sounding = (x.sum(1) > 0) & (y.sum(1) > 0)
    if not sounding.any():
        raise DataError("Every frame is silent in mixture or voice, so there is nothing to transport; take another.")
    band, plan = np.arange(x.shape[1], dtype=np.float64), np.zeros((x.shape[1],) * 2)
    for frame, target in zip(x[sounding], y[sounding], strict=True):
        moved = ot.emd_1d(band, band, target / target.sum(), frame / frame.sum(), metric="euclidean", dense=False)
        plan[moved.row, moved.col] += moved.data
    return torch.from_numpy(plan / plan.sum())
