"""Matrices as pictures of their lowest bands, small enough for a record: what Figs. 2 and 3 show, at any size."""

import base64
import math
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from nca.analysis.bands import lowest
from nca.couplings import compositional, linear_composition, student
from nca.mapping import mean_mapping
from nca.spectra import Segment
from nca.training import Trained

POOLED = 4  # bands a side of a point of the whole picture
ZOOM = 1100.0  # Hz: what Fig. 3 shows enlarged
LEVELS = 127
COMPOSITION = "linear composition"


@torch.no_grad()
def picture_rows(
    network: Trained, segment: Segment, iterations: int, precision: str | None = None
) -> list[dict[str, Any]]:
    """One row a matrix: both strategies of Algorithm 1, the mean exact mapping, and the linear composition of Fig. 2.

    Args:
        network: trained.
        segment: magnitudes in the network's geometry.
        iterations: of the strategies.
        precision: of their products, `float32` or `bfloat16`; None is the model's own.

    Returns:
        Rows with `song`, `segment`, `strategy` and two texts for :func:`picture`: `whole`, the lowest 8 kHz, of every
        4 x 4 entries the one of greatest magnitude; and `near`, all entries of the lowest 1.1 kHz.
    """
    model, mixture = network.model, segment.mixture / network.scale
    about = {"song": segment.song, "segment": segment.index}
    return [
        about | _pictured(*each, network.geometry.bandwidth) for each in _shown(model, mixture, iterations, precision)
    ]


def _shown(model: Any, mixture: Tensor, iterations: int, precision: str | None) -> Iterator[tuple[str, Tensor]]:
    """Name and matrix, rows divided by their peaks as in Fig. 3; of Fig. 2 by what a thousandth of entries exceed."""
    for strategy in (student, compositional):
        found = strategy(model, mixture, iterations=iterations, precision=precision)
        yield found.strategy, to_row_peaks(found.matrix)
    mapping, composed = mean_mapping(model, mixture), linear_composition(model).matrix
    yield mapping.strategy, to_row_peaks(mapping.matrix)
    limit = np.quantile(composed.abs(), 0.999).item()
    yield COMPOSITION, (composed / limit).clamp(-1, 1)


def to_row_peaks(values: Tensor) -> Tensor:
    """A matrix with each row divided by its greatest magnitude; a row of zeros stays as it is."""
    return values / values.abs().amax(-1, keepdim=True).clamp(min=1e-12)


def pooled(matrix: Tensor, side: int = POOLED) -> Tensor:
    """Of every `side` x `side` entries of a matrix the one of greatest magnitude, with its sign."""
    most, least = (max_pool2d(each[None], side, ceil_mode=True)[0] for each in (matrix, -matrix))
    return torch.where(most >= least, most, -least)


def as_text(matrix: Tensor) -> str:
    """A square matrix of values from -1 to 1 as text, in steps of 1 / 127."""
    levels = (matrix * LEVELS).round().to(torch.int8)
    return base64.b64encode(zlib.compress(levels.numpy().tobytes(), 9)).decode()


def picture(text: str) -> Tensor:
    """The matrix that :func:`as_text` wrote."""
    levels = np.frombuffer(zlib.decompress(base64.b64decode(text)), np.int8)
    side = math.isqrt(levels.size)
    return torch.from_numpy(levels.reshape(side, side) / LEVELS)


def _pictured(strategy: str, matrix: Tensor, bandwidth: float) -> dict[str, str]:
    whole, near = lowest(matrix, bandwidth), lowest(matrix, bandwidth, ZOOM)
    return {"strategy": strategy, "whole": as_text(pooled(whole)), "near": as_text(near)}
