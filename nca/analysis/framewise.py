"""Local mappings of many frames, one by one: what their mean converges to, and where frames and bands differ.

All frames have the same rows. What is drawn, frames or bands, has an error like that of :class:`Estimate`.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from nca.analysis.gathering import Estimate, ratio_estimate
from nca.analysis.local import LocalMapping
from nca.errors import DataError
from nca.support.files import write_bytes

SPANS = (0, 1, 2, 3, 9, 33)  # frames, or bands, from which on a group of distances begins
HERTZ = (0, 250, 500, 1000, 2000, 4000, 11025)  # where a group of bands begins and ends


@dataclass(frozen=True)
class Framewise:
    """The same rows of many frames' blocks.

    Attributes:
        frames, rows: which output frames `(frames,)` and bands `(rows,)`.
        matrix: of the same-frame block of each, `(frames, rows, bins)`.
        energy: mean share of a row's energy from each lag, as :class:`Blocks` has it, `(frames, 2 T - 1)`.
    """

    frames: Tensor
    rows: Tensor
    matrix: Tensor
    energy: Tensor

    @property
    def diagonal(self) -> Tensor:
        """C_t[i, i] of each row `(frames, rows)`."""
        return self.matrix[:, torch.arange(len(self.rows)), self.rows]

    def only(self, chosen: Tensor) -> "Framewise":
        """Some of the frames, by a mask or by positions."""
        return Framewise(self.frames[chosen], self.rows, self.matrix[chosen], self.energy[chosen])


def save_framewise(path: Path | str, mappings: Sequence[LocalMapping], start: int = 0) -> None:
    """Write the `blocks` and the `response` of mappings of one frame each, all of the same rows.

    Args:
        path: of the file.
        mappings: with one lag, 0.
        start: the song's frame with which the mapped excerpt begins, so that frames of several can be told apart.
    """
    tensors = {
        "frames": torch.tensor([start + mapping.frames[0] for mapping in mappings]),
        "rows": torch.tensor(mappings[0].rows),
    }
    for part in ("blocks", "response"):
        parts = [getattr(mapping, part) for mapping in mappings]
        tensors[part] = torch.stack([each.matrix[0] for each in parts])
        tensors[f"{part}_energy"] = torch.stack([each.energy.value for each in parts])
    write_bytes(path, safetensors.torch.save(tensors))


def load_framewise(paths: Sequence[Path | str], part: str = "blocks") -> Framewise:
    """The frames of several files of :func:`save_framewise` in their order in time.

    Args:
        paths: files of the same rows.
        part: `blocks` or `response`.

    Raises:
        DataError: where a file is missing or broken, or has other rows.
    """
    try:
        found = [safetensors.torch.load_file(path) for path in paths]
        if any(not torch.equal(each["rows"], found[0]["rows"]) for each in found):
            raise DataError(f"{paths[0]} and a file beside it are of different rows; load those of one draw.")
        frames, matrix, energy = (
            torch.cat([each[name] for each in found]) for name in ("frames", part, f"{part}_energy")
        )
    except (OSError, SafetensorError, KeyError) as error:
        raise DataError(
            f"{paths[0]} or a file beside it holds no mappings of frames ({error}); make them again."
        ) from error
    order = frames.argsort()
    return Framewise(frames[order], found[0]["rows"], matrix[order], energy[order])


def tod_ratio_of_rows(matrix: Tensor, rows: Tensor) -> Estimate:
    """TOD-R (Eq. 22) of a matrix of which some rows `(rows, bins)` are known, drawn from all."""
    bins, magnitude = matrix.shape[-1], matrix.double().abs()
    diagonal = magnitude[torch.arange(len(rows)), rows]
    return ratio_estimate([(diagonal, magnitude.sum(-1) - diagonal, bins)], math.sqrt(bins))


def tod_ratio_of_frames(mapping: Framewise) -> Tensor:
    """TOD-R of each frame's own block `(frames,)`, of the rows that are known."""
    return torch.stack([tod_ratio_of_rows(matrix, mapping.rows).value for matrix in mapping.matrix])


def convergence(mapping: Framewise) -> Iterator[dict[str, float]]:
    """TOD-R of the mean block over 1, 2, 4 ... frames, spread evenly over all that are known.

    For each number, `frames`, there are as many means as fit, each of other frames: `tod_ratio`, their mean; `spread`,
    their standard deviation (0 of one alone); `error` of the bands drawn, in the mean of these means.
    """
    total = len(mapping.frames)
    for count in (2**k for k in range(total.bit_length()) if 2**k <= total):
        step = total // count
        means = [mapping.matrix[first::step][:count].double().mean(0) for first in range(step)]
        found = [tod_ratio_of_rows(mean, mapping.rows) for mean in means]
        values = torch.stack([each.value for each in found])
        yield {
            "frames": count,
            "tod_ratio": values.mean().item(),
            "spread": values.std(correction=min(1, len(values) - 1)).item(),
            "error": torch.stack([each.error for each in found]).mean().item(),
        }


def lag_groups(mapping: Framewise, length: int) -> Iterator[dict[str, float]]:
    """Mean share of a row's energy by the distance in time of the frame that it comes from.

    For each group of lags, from `lag_from` to `lag_to`, past (above 0) and future apart: the `share`, and its `error`
    for frames drawn out of `length`.
    """
    now = mapping.energy.shape[-1] // 2
    alive = torch.ones(len(mapping.frames), dtype=torch.float64)
    for low, high in _spans(now + 1):
        for sign in (1, -1) if low else (1,):
            lags = now + sign * torch.arange(low, high)
            of = ratio_estimate([(mapping.energy[:, lags].sum(-1), alive, length)])
            ends = {"lag_from": sign * low, "lag_to": sign * (high - 1)}
            yield ends | {"share": of.value.item(), "error": of.error.item()}


def distance_groups(mapping: Framewise, length: int) -> Iterator[dict[str, float]]:
    """Mean share of the energy of a row's same-frame block by the distance |i - j| of the band that it comes from.

    For each group, from `bands_from` to `bands_to`: the `share`, and its `error` for frames drawn out of `length`, and
    rows drawn out of all.
    """
    bins = mapping.matrix.shape[-1]
    energy = mapping.matrix.double().square()
    alive = (energy.sum(-1) > 0).double()
    shares = energy / torch.where(alive > 0, energy.sum(-1), 1).unsqueeze(-1)
    distance = (mapping.rows[:, None] - torch.arange(bins)).abs()
    for low, high in _spans(bins):
        near = (shares * ((distance >= low) & (distance < high))).sum(-1)
        of = ratio_estimate([(near.sum(1), alive.sum(1), length), (near.sum(0), alive.sum(0), bins)])
        yield {"bands_from": low, "bands_to": high - 1, "share": of.value.item(), "error": of.error.item()}


def _spans(size: int) -> Iterator[tuple[int, int]]:
    """The groups of distances below `size`."""
    return pairwise([*(low for low in SPANS if low < size), size])


def hertz_groups(hertz: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Masks of the bands in each group of frequencies, and of all, with the group in words; `hertz` are theirs."""
    yield "all", torch.ones_like(hertz, dtype=torch.bool)
    for low, high in pairwise(HERTZ):
        yield f"{low} to {high} Hz", (hertz >= low) & (hertz < high)


def figures_of_bands(blocks: Framewise, response: Framewise, hertz: Tensor) -> Iterator[dict[str, float | str]]:
    """What a mask's mapping does in each group of frequencies, in the mean over frames.

    `mask`, the mean of m; `response_share`, the mean over rows of the norm of the response over the mask's value;
    `tod_ratio` and `response_tod_ratio` of the rows' own frames, pooled; `displacement`, the mean distance in Hz of the
    bands read and written by the response, weighted by its magnitude.

    Args:
        blocks, response: of the same frames and rows.
        hertz: of all bands `(bins,)`.
    """
    distance = (hertz[blocks.rows, None] - hertz).abs()
    mask = (blocks.diagonal - response.diagonal).double()
    share = response.matrix.double().norm(dim=-1) / mask
    magnitude = response.matrix.double().abs()
    for name, those in hertz_groups(hertz[blocks.rows]):
        if those.any():
            moved = (magnitude * distance)[:, those].sum() / magnitude[:, those].sum()
            yield {
                "hertz": name,
                "rows": int(those.sum()),
                "mask": mask[:, those].mean().item(),
                "response_share": share[:, those].mean().item(),
                "displacement": moved.item(),
                "tod_ratio": pooled_tod_ratio(blocks, those),
                "response_tod_ratio": pooled_tod_ratio(response, those),
            }


def pooled_tod_ratio(mapping: Framewise, those: Tensor) -> float:
    """TOD-R of some rows' same-frame blocks, their sums over frames taken before the ratio."""
    diagonal = mapping.diagonal[:, those].double().abs().sum()
    return (
        math.sqrt(mapping.matrix.shape[-1]) * diagonal / (mapping.matrix[:, those].double().abs().sum() - diagonal)
    ).item()
