"""What a network of any kind does with a segment, in figures that its kind does not decide (Sec. 6)."""

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd
import torch
from scipy.stats import t as student_t
from torch import Tensor

from nca.analysis.local import Blocks, Choice, local_mapping
from nca.couplings import student
from nca.metrics import chance_tod_ratio, correlation, snr, tod_ratio
from nca.models import Masking
from nca.spectra import Segment
from nca.training import Trained

NEAR = 8  # frames before or after that count as near; 0.19 s
# each network of Sec. 6, and the paper's that makes what it makes, a voice or a mask
KIN = {"residual-DAE": "DAE", "context-DAE": "DAE", "GRU-mask": "SF", "CNN-mask": "SF"}


def future_row(
    network: Trained, segment: Segment, frames: Choice = None, rows: Choice = None, seed: int = 0, iterations: int = 600
) -> dict[str, Any]:
    """The exact local mapping of a network's voice on one segment, and the student beside it, as one flat row.

    Args:
        network: trained.
        segment: magnitudes in the network's geometry.
        frames, rows: of the mapping, as :func:`nca.local_mapping` takes them.
        seed: of what is drawn of them; the same seed draws the same for every network.
        iterations: of the student.

    Returns:
        `model`, `seed`, `song`, `segment`, `weights` (their number), `mask` (whether the network makes one) and
        `chance` of TOD-R. Of the complete mapping, and with `response_` before it without the mask's own term:
        `tod_ratio` and `displacement` in Hz, each with its `_error`, and the shares of a row's energy from the frame
        itself (`same`), from up to `NEAR` frames `before` and `after`, and from `beyond`. `offset_share` is
        |J x - y| / |y|. Of the student of the voice: its TOD-R, its SNR to the voice in dB, and its correlation with
        the mean of the exact same-frame rows.
    """
    model, mixture = network.model, segment.mixture / network.scale
    mask, hertz = isinstance(model, Masking), network.geometry.bandwidth
    found = local_mapping(model, mixture, mask, frames=frames, rows=rows, seed=seed)
    return {
        "model": model.name,
        "seed": network.seed,
        "song": segment.song,
        "segment": segment.index,
        "weights": sum(parameter.numel() for parameter in model.parameters()),
        "mask": mask,
        "chance": chance_tod_ratio(len(mixture)),
        **_figures(found.blocks, hertz),
        **{f"response_{name}": value for name, value in _figures(found.response, hertz).items()},
        "offset_share": found.offset_share,
        **_student(network, mixture, found.blocks.matrix[0], found.rows, iterations),
    }


def _figures(blocks: Blocks, hertz: float) -> dict[str, float]:
    near = range(1, NEAR + 1)
    shares = {"same": blocks.share(0), "before": blocks.share(*near), "after": blocks.share(*(-lag for lag in near))}
    return {
        "tod_ratio": blocks.tod_ratio.value.item(),
        "tod_ratio_error": blocks.tod_ratio.error.item(),
        "displacement": hertz * blocks.displacement.value.item(),
        "displacement_error": hertz * blocks.displacement.error.item(),
        **shares,
        "beyond": 1 - sum(shares.values()),
    }


@torch.no_grad()
def _student(
    network: Trained, mixture: Tensor, exact: Tensor, rows: tuple[int, ...], iterations: int
) -> dict[str, float]:
    model = network.model
    found = student(lambda x: model(x), mixture, iterations=iterations)
    return {
        "student_tod_ratio": tod_ratio(found.matrix).item(),
        "student_snr": snr(model(mixture), found(mixture)).item(),
        "student_correlation": correlation(found.matrix[list(rows)], exact).item(),
    }


def ratios(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """A figure of each network of Sec. 6 over that of the paper's network of its kind.

    Networks of one seed were measured on one segment, on the same frames and bands, and are compared pair by pair.

    Args:
        rows: of :func:`future_row`, the same seeds of all networks of `KIN`.
        column: of a positive figure.

    Returns:
        A row a network: `kin`, the geometric mean of the `ratio` over the seeds, and its interval of 95 % confidence by
        Student's t, from `low` to `high`.
    """
    wide = rows.pivot(index="seed", columns="model", values=column).map(math.log)
    found = {}
    for model, kin in KIN.items():
        difference = wide[model] - wide[kin]
        half = student_t.ppf(0.975, len(difference) - 1) * difference.sem()
        mean = difference.mean()
        found[model] = {"kin": kin, "ratio": mean, "low": mean - half, "high": mean + half}
    table = pd.DataFrame(found).T
    bounds = ["ratio", "low", "high"]
    table[bounds] = table[bounds].astype(float).map(math.exp)
    return table


def verdict(rows: pd.DataFrame, column: str, models: Sequence[str] = tuple(KIN)) -> str:
    """In words, of which networks the interval of :func:`ratios` leaves out 1, and of which it does not."""
    compared = ratios(rows, column).loc[list(models)]
    beyond = (compared.low > 1) | (compared.high < 1)
    named = {"deviates": list(compared.index[beyond]), "no deviation shown": list(compared.index[~beyond])}
    return "; ".join(f"{words}: {', '.join(names)}" for words, names in named.items() if names)
