"""Every plot of the book, in one style; notebooks call these and hold no plotting code of their own."""

import io
from collections.abc import Mapping, Sequence
from itertools import pairwise
from string import ascii_lowercase
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from cycler import cycler
from IPython import get_ipython
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.image import AxesImage
from matplotlib.patches import Circle, FancyArrowPatch
from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter
from PIL import Image
from torch import Tensor

from nca.diagnostics import Diagnostics
from nca.spectra import Geometry

COLOURS = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#E69F00",
)  # Okabe and Ito, colour-blind safe
SEQUENTIAL, DIVERGING = "viridis", "PuOr_r"
STYLE: dict[Any, Any] = {
    "figure.dpi": 100,
    "savefig.dpi": 200,
    "figure.facecolor": "white",
    "figure.constrained_layout.use": True,
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": cycler(color=COLOURS),
    "legend.frameon": False,
}


def use_style() -> None:
    """Set the book's style for the figures that follow, shown at twice the screen's pixels."""
    mpl.rcParams.update(STYLE)
    if shell := get_ipython():
        shell.display_formatter.formatters["image/png"].for_type(Figure, picture)


def picture(figure: Figure) -> tuple[bytes, dict[str, int]]:
    """The figure as a PNG of 256 colours, a third of the usual weight, and its size on the page in pixels."""
    rendered, small = io.BytesIO(), io.BytesIO()
    figure.savefig(rendered, format="png", dpi=STYLE["savefig.dpi"])
    image = Image.open(rendered).convert("RGB")
    image.quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(small, format="png", optimize=True)
    return small.getvalue(), {"width": image.width // 2, "height": image.height // 2}


def graphs() -> Figure:
    """Fig. 1: the graphical models of DAE, MSS-DAE and SF."""
    figure, axes = _subplots(1, 3, figsize=(8, 3.4), sharey=True)
    _graph(axes[0], "(a) DAE", ["$\\tilde{x}$", "$z$", "$\\hat{x}$"])
    _graph(axes[1], "(b) MSS-DAE", ["$\\tilde{x}$", "$z_1$", "$z_2$", "$z_3$", "$\\hat{x}$"])
    _graph(axes[2], "(c) SF", ["$\\tilde{x}$", "$z$", "$m \\odot \\tilde{x}$"], skip=True)
    return figure


def spectrogram(axis: Axes, magnitudes: Tensor, geometry: Geometry, title: str = "", floor: float = -60) -> AxesImage:
    """Magnitudes `(bins, frames)` in dB below their maximum, over seconds and kHz."""
    values = np.asarray(magnitudes.abs())
    level = 20 * np.log10(np.maximum(values / max(values.max(), 1e-12), 10 ** (floor / 20)))
    extent = (0, values.shape[1] / geometry.frame_rate, 0, values.shape[0] * geometry.bandwidth / 1000)
    image = axis.imshow(level, origin="lower", aspect="auto", cmap=SEQUENTIAL, extent=extent, vmin=floor, vmax=0)
    axis.set(title=title, xlabel="time in s", ylabel="frequency in kHz")
    return image


def spectrograms(named: Mapping[str, Tensor], geometry: Geometry) -> Figure:
    """Spectrograms side by side, with one colour bar."""
    figure, axes = _subplots(1, len(named), figsize=(3.2 * len(named), 2.9), sharey=True, squeeze=False)
    for axis, (title, magnitudes) in zip(axes[0], named.items(), strict=True):
        image = spectrogram(axis, magnitudes, geometry, title)
        axis.label_outer()
    figure.colorbar(image, ax=axes, label="dB below maximum")
    return figure


def histories(losses: Mapping[str, Sequence[Sequence[float]]]) -> Figure:
    """Mean training loss of every epoch, one line an initialisation, one panel a model."""
    figure, axes = _subplots(1, len(losses), figsize=(8, 2.6), sharey=True, squeeze=False)
    for axis, (model, runs), colour in zip(axes[0], losses.items(), COLOURS, strict=False):
        for run in runs:
            axis.plot(range(1, len(run) + 1), run, color=colour, alpha=0.8, marker=".")
        axis.set(title=f"{model}, {len(runs)} initialisations", xlabel="epoch")
    axes[0, 0].set(ylabel="mean squared error")
    return figure


def matrix(axis: Axes, values: Tensor, bandwidth: float, title: str = "", limit: float = 1.0) -> AxesImage:
    """A matrix over kHz in and out, signed, colours from -limit to limit."""
    side = values.shape[-1] * bandwidth / 1000
    image = axis.imshow(
        values,
        origin="lower",
        cmap=DIVERGING,
        vmin=-limit,
        vmax=limit,
        extent=(0, side, 0, side),
        interpolation="none",
    )
    axis.set(title=title, xlabel="mixture, kHz", ylabel="output, kHz")
    return image


def compositions(mean: Mapping[str, Tensor], geometry: Geometry, highest: float = 8000) -> Figure:
    """Fig. 2: linear compositions averaged over the initialisations, up to `highest` Hz."""
    bins = min(geometry.bins, round(highest / geometry.bandwidth))
    figure, axes = _subplots(1, len(mean), figsize=(8.4, 3), sharey=True)
    for axis, (model, values) in zip(axes, mean.items(), strict=True):
        shown = values[:bins, :bins]
        limit = np.quantile(np.abs(shown), 0.999).item()
        matrix(axis, shown / limit, geometry.bandwidth, f"{model} (colours to ±{limit:.2g})")
        axis.label_outer()
    figure.colorbar(axes[0].images[0], ax=axes, label="of the colour limit")
    return figure


def couplings(
    rows: Mapping[str, Mapping[str, tuple[Tensor, Tensor]]], geometry: Geometry, zoom: float = 1100
) -> Figure:
    """Fig. 3: a strategy a row, for each model its couplings, a zoom of the lowest `zoom` Hz and the estimate.

    `rows[strategy][model]` is the matrix `(bins, bins)`, shown divided by each row's greatest magnitude, and the
    spectral estimate `(bins, frames)` that it makes.
    """
    height, width = len(rows), len(next(iter(rows.values())))
    figure = Figure(figsize=(3.2 * width, 3.4 * height))
    panels = figure.subfigures(height, width, squeeze=False)
    letters = iter(ascii_lowercase)
    for line, (strategy, models) in zip(panels, rows.items(), strict=True):
        for panel, (model, (values, made)) in zip(line, models.items(), strict=True):
            _coupling(panel, values, made, geometry, zoom, f"({next(letters)}) {model}, {strategy}")
    return figure


def levels(table: pd.DataFrame, column: str, label: str, chance: float | None = None) -> Figure:
    """One dot a segment for every strategy and model, with the mean as a bar; `chance` as a line on a log axis."""
    models, strategies = sorted(set(table["model"])), list(dict.fromkeys(table["strategy"]))
    figure, axes = _subplots(1, len(models), figsize=(8.4, 0.35 * len(strategies) + 1.2), sharey=True, sharex=True)
    for axis, model, colour in zip(np.atleast_1d(axes), models, COLOURS, strict=False):
        for height, strategy in enumerate(strategies):
            chosen = table[(table["model"] == model) & (table["strategy"] == strategy)][column].dropna()
            axis.plot(chosen, [height] * len(chosen), "o", color=colour, alpha=0.5)
            axis.plot(chosen.mean(), height, "|", color="black", markersize=14)
        if chance is not None:
            axis.axvline(chance, color="grey", linestyle=":")
            axis.annotate("chance", (chance, 1), xycoords=("data", "axes fraction"), rotation=90, va="top", ha="right")
            axis.set_xscale("log")
            axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.xaxis.set_major_formatter(ScalarFormatter())
            axis.xaxis.set_minor_formatter(NullFormatter())
        axis.set(title=model, yticks=range(len(strategies)), yticklabels=strategies)
    np.atleast_1d(axes)[0].invert_yaxis()
    figure.supxlabel(label, fontsize=9)
    return figure


def profiles(named: Mapping[str, Tensor], bandwidth: float) -> Figure:
    """Mean magnitude of the entries over their distance from the diagonal, relative to the diagonal's own."""
    figure, axis = _subplots(figsize=(6, 3))
    for name, profile in named.items():
        distance = np.arange(1, len(profile) + 1) * bandwidth
        axis.loglog(distance, profile / profile[0], label=name)
    axis.set(xlabel="distance from the diagonal in Hz, one band added", ylabel="mean magnitude, diagonal = 1")
    axis.legend()
    return figure


def descents(losses: Mapping[str, Mapping[str, Tensor]]) -> Figure:
    """The L1 error of Eq. (15) over the iterations, relative to the first: `losses[model][strategy]`."""
    figure, axes = _subplots(1, len(losses), figsize=(8.4, 2.8), sharey=True, squeeze=False)
    for axis, (model, runs) in zip(axes[0], losses.items(), strict=True):
        for strategy, loss in runs.items():
            axis.semilogy(np.arange(1, len(loss) + 1), loss / loss[0], label=strategy)
        axis.set(title=model, xlabel="iteration")
    axes[0, 0].set(ylabel="L1 error, first = 1")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return figure


def diagnostics(found: Sequence[Diagnostics]) -> Figure:
    """What is known of each matrix: TOD-R, share in the null space, agreement with the exact mapping, and profile.

    Beside each TOD-R lies the spread of chance: two standard deviations about the TOD-R of shuffled columns.
    """
    figure, axes = _subplots(1, 4, figsize=(9, 0.3 * len(found) + 1.6))
    heights = range(len(found))
    for height, each in zip(heights, found, strict=True):
        axes[0].plot(np.nan if each.tod_ratio is None else each.tod_ratio, height, "o", color=COLOURS[0])
        axes[0].errorbar(each.chance, height, xerr=2 * (each.chance_deviation or 0), color="grey", capsize=2)
        axes[3].loglog([1, *(2**k + 1 for k in range(len(each.profile) - 1))], each.profile, label=each.strategy)
    for axis, name in ((axes[1], "null_space"), (axes[2], "exact_correlation")):
        axis.plot([getattr(each, name) for each in found], heights, "o", color=COLOURS[0])
    for axis, label in zip(
        axes, ("TOD-R, chance in grey", "share in the null space", "correlation with exact"), strict=False
    ):
        axis.set(xlabel=label, yticks=heights, yticklabels=[each.strategy for each in found])
        axis.invert_yaxis()
        axis.label_outer()
    axes[3].set(xlabel="distance in bands, one added", ylabel="mean magnitude")
    return figure


def _coupling(panel: SubFigure, values: Tensor, made: Tensor, geometry: Geometry, zoom: float, title: str) -> None:
    normal = values / values.abs().amax(-1, keepdim=True).clamp(min=1e-12)
    near = max(2, round(zoom / geometry.bandwidth))
    axes = panel.subplot_mosaic([["whole", "zoom"], ["made", "made"]], height_ratios=[1, 0.8])
    matrix(axes["whole"], normal, geometry.bandwidth, "couplings")
    matrix(
        axes["zoom"],
        normal[:near, :near],
        geometry.bandwidth,
        f"below {near * geometry.bandwidth / 1000:.1f} kHz",
    )
    axes["zoom"].set_ylabel("")
    spectrogram(axes["made"], made.clamp(min=0), geometry, "spectral estimate")
    panel.suptitle(title, fontsize=10)


def _graph(axis: Axes, title: str, nodes: Sequence[str], skip: bool = False) -> None:
    heights = np.linspace(0, 4, len(nodes))
    for below, above in pairwise(heights):
        axis.add_patch(FancyArrowPatch((0, below + 0.3), (0, above - 0.3), arrowstyle="-|>", mutation_scale=12))
    if skip:
        curve: dict[str, Any] = {
            "arrowstyle": "-|>",
            "mutation_scale": 12,
            "linestyle": "--",
            "connectionstyle": "arc3,rad=0.5",
        }
        axis.add_patch(FancyArrowPatch((0.28, 0.1), (0.28, 3.9), **curve))
    for height, name in zip(heights, nodes, strict=True):
        axis.add_patch(Circle((0, height), 0.3, facecolor="#e8eef4", edgecolor="black"))
        axis.text(0, height, name, ha="center", va="center", fontsize=11 if len(name) < 14 else 7)
    axis.set(title=title, xlim=(-1.5, 2), ylim=(-0.6, 4.6), aspect="equal")
    axis.axis("off")


def _subplots(rows: int = 1, columns: int = 1, *, figsize: tuple[float, float], **sharing: Any) -> tuple[Figure, Any]:
    """A figure with axes that no global state knows of: it is shown where a cell ends with it, and only there."""
    figure = Figure(figsize=figsize)
    return figure, figure.subplots(rows, columns, **sharing)
