"""Every plot of the book, in one style that changes no global setting; notebooks hold no plotting code of their own."""

import io
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.figure import Figure, SubFigure
from matplotlib.image import AxesImage
from matplotlib.patches import Circle, FancyArrowPatch
from matplotlib.ticker import LogLocator, NullFormatter
from numpy.typing import ArrayLike
from PIL import Image
from torch import Tensor

from nca.analysis.pictures import to_row_peaks
from nca.spectra import Geometry

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")  # Okabe and Ito, colour-blind safe
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


styled = mpl.rc_context(STYLE)


class Picture(Figure):
    """A figure in the book's style, which a page shows at twice the screen's pixels."""

    @styled
    def draw(self, renderer: RendererBase) -> None:
        super().draw(renderer)

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        return png(self)


def png(figure: Figure) -> tuple[bytes, dict[str, int]]:
    """The figure as a PNG of 256 colours, a third of the usual size, and its width and height on the page in pixels."""
    rendered, small = io.BytesIO(), io.BytesIO()
    figure.savefig(rendered, format="png", dpi=STYLE["savefig.dpi"])
    image = Image.open(rendered).convert("RGB")
    image.quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(small, format="png", optimize=True)
    return small.getvalue(), {"width": image.width // 2, "height": image.height // 2}


def shows(path: Path, picture: bytes) -> bool:
    """Whether a file shows this picture, but for the few levels of 256 by which machines round colours differently."""
    try:
        files = [io.BytesIO(each) for each in (path.read_bytes(), picture)]
        there, here = (np.asarray(Image.open(file).convert("RGB"), int) for file in files)
    except OSError:  # no file, or not a picture
        return False
    return there.shape == here.shape and bool(np.abs(there - here).max() <= 16)


@styled
def graphs() -> Picture:
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


@styled
def spectrograms(named: Mapping[str, Tensor], geometry: Geometry) -> Picture:
    """Spectrograms side by side, with one colour bar."""
    figure, axes = _subplots(1, len(named), figsize=(3.2 * len(named), 2.9), sharey=True, squeeze=False)
    for axis, (title, magnitudes) in zip(axes[0], named.items(), strict=True):
        image = spectrogram(axis, magnitudes, geometry, title)
        axis.label_outer()
    figure.colorbar(image, ax=axes, label="dB below maximum")
    return figure


@styled
def histories(losses: Mapping[str, Sequence[Sequence[float]]]) -> Picture:
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
    look: dict[str, Any] = {"origin": "lower", "cmap": DIVERGING, "interpolation": "none"}
    image = axis.imshow(values, vmin=-limit, vmax=limit, extent=(0, side, 0, side), **look)
    axis.set(title=title, xlabel="mixture, kHz", ylabel="output, kHz")
    return image


@styled
def normalised(values: Tensor, bandwidth: float) -> Picture:
    """One matrix `(bins, bins)`, each row divided by its greatest magnitude."""
    figure, axis = _subplots(figsize=(4, 3.6))
    figure.colorbar(matrix(axis, to_row_peaks(values), bandwidth, "each row to its peak"), ax=axis)
    return figure


@styled
def compositions(mean: Mapping[str, Tensor], geometry: Geometry, highest: float = 8000) -> Picture:
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


@styled
def pictures(rows: Mapping[str, Mapping[str, Tensor]], highest: float) -> Picture:
    """Matrices up to `highest` Hz, a line a strategy and a column a model: `rows[strategy][model]`, from -1 to 1."""
    columns = len(next(iter(rows.values())))
    figure, axes = _subplots(
        len(rows), columns, figsize=(8.4, 2.7 * len(rows)), sharex=True, sharey=True, squeeze=False
    )
    for line, (strategy, models) in zip(axes, rows.items(), strict=True):
        for axis, (model, values) in zip(line, models.items(), strict=True):
            matrix(axis, values, highest / len(values), f"{model}, {strategy}")
            axis.label_outer()
    return figure


@styled
def couplings(
    rows: Mapping[str, Mapping[str, tuple[Tensor, Tensor]]], geometry: Geometry, zoom: float = 1100
) -> Picture:
    """Fig. 3: for each strategy and model a row with its couplings, a zoom of the lowest `zoom` Hz and the estimate.

    `rows[strategy][model]` is the matrix `(bins, bins)`, shown divided by each row's greatest magnitude, and the
    spectral estimate `(bins, frames)` that it makes.
    """
    shown = [(f"{model}, {strategy}", *each) for strategy, models in rows.items() for model, each in models.items()]
    figure = Picture(figsize=(7.6, 2.6 * len(shown)))
    panels = figure.subfigures(len(shown), 1, squeeze=False)[:, 0]
    for letter, panel, (name, values, made) in zip(ascii_lowercase, panels, shown, strict=False):
        _coupling(panel, values, made, geometry, zoom, f"({letter}) {name}")
    return figure


@styled
def levels(table: pd.DataFrame, column: str, label: str, chance: float | None = None) -> Picture:
    """One dot a segment for every strategy and model, with the mean as a bar; `chance` as a line on a log axis."""
    models, strategies = sorted(set(table["model"])), list(dict.fromkeys(table["strategy"]))
    figure, axes = _subplots(1, len(models), figsize=(8.4, 0.35 * len(strategies) + 1.2), sharey=True, sharex=True)
    subs = (1, 3) if table[column].max() > 30 * table[column].min() else (1, 2, 5)
    for axis, model, colour in zip(np.atleast_1d(axes), models, COLOURS, strict=False):
        for height, strategy in enumerate(strategies):
            chosen = table[(table["model"] == model) & (table["strategy"] == strategy)][column].dropna()
            axis.plot(chosen, [height] * len(chosen), "o", color=colour, alpha=0.5)
            axis.plot(chosen.mean(), height, "|", color="black", markersize=14)
        if chance is not None:
            line = axis.axvline(chance, color="grey", linestyle=":", label="chance")
            axis.set_xscale("log")
            axis.xaxis.set_major_locator(LogLocator(subs=subs))
            axis.xaxis.set_major_formatter("{x:g}")
            axis.xaxis.set_minor_formatter(NullFormatter())
        axis.set(title=model, yticks=range(len(strategies)), yticklabels=strategies)
    np.atleast_1d(axes)[0].invert_yaxis()
    figure.supxlabel(label, fontsize=9)
    if chance is not None:
        figure.legend(handles=[line], loc="outside upper right")
    return figure


@styled
def deviations(cells: Sequence[str], span: tuple[ArrayLike, ArrayLike], named: Mapping[str, ArrayLike]) -> Picture:
    """How far each cell of the tables lies from the paper, in its standard deviations: a line a cell.

    Args:
        cells: names of the cells.
        span: least and greatest deviation of each cell over all combinations of readings, a grey bar.
        named: deviations of each cell under some combinations, a dot each.
    """
    figure, axis = _subplots(figsize=(8, 0.24 * len(cells) + 1.2))
    height = np.arange(len(cells))
    axis.axvspan(-2, 2, color=COLOURS[2], alpha=0.15, label="within two deviations")
    axis.hlines(height, *span, color="lightgrey", linewidth=6, label="all combinations")
    for (name, values), marker, colour in zip(named.items(), "osD^", COLOURS, strict=False):
        axis.plot(values, height, marker, color=colour, markersize=5, label=name)
    axis.set_xscale("symlog", linthresh=10)
    axis.set(yticks=height, yticklabels=cells, xlabel="distance from the paper in its standard deviations")
    axis.invert_yaxis()
    figure.legend(loc="outside lower center", ncols=2)
    return figure


@styled
def profiles(named: Mapping[str, Tensor], bandwidth: float) -> Picture:
    """Mean magnitude of the entries over their distance from the diagonal, relative to the diagonal's own."""
    figure, axis = _subplots(figsize=(6, 3))
    for name, profile in named.items():
        distance = np.arange(1, len(profile) + 1) * bandwidth
        axis.loglog(distance, profile / profile[0], label=name)
    axis.set(xlabel="distance from the diagonal in Hz, one band added", ylabel="mean magnitude, diagonal = 1")
    axis.legend()
    return figure


@styled
def descents(losses: Mapping[str, Mapping[str, Tensor]]) -> Picture:
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


def _coupling(panel: SubFigure, values: Tensor, made: Tensor, geometry: Geometry, zoom: float, title: str) -> None:
    normal = to_row_peaks(values)
    near = max(2, round(zoom / geometry.bandwidth))
    whole, enlarged, estimate = panel.subplots(1, 3)
    matrix(whole, normal, geometry.bandwidth, "couplings")
    matrix(enlarged, normal[:near, :near], geometry.bandwidth, f"below {near * geometry.bandwidth / 1000:.1f} kHz")
    spectrogram(estimate, made.clamp(min=0), geometry, "spectral estimate")
    panel.suptitle(title, fontsize=10)


def _graph(axis: Axes, title: str, nodes: Sequence[str], skip: bool = False) -> None:
    heights = np.linspace(0, 4, len(nodes))
    for below, above in pairwise(heights):
        axis.add_patch(FancyArrowPatch((0, below + 0.3), (0, above - 0.3), arrowstyle="-|>", mutation_scale=12))
    if skip:
        curve: dict[str, Any] = {"linestyle": "--", "connectionstyle": "arc3,rad=0.5"}
        axis.add_patch(FancyArrowPatch((0.28, 0.1), (0.28, 3.9), arrowstyle="-|>", mutation_scale=12, **curve))
    for height, name in zip(heights, nodes, strict=True):
        axis.add_patch(Circle((0, height), 0.3, facecolor="#e8eef4", edgecolor="black"))
        axis.text(0, height, name, ha="center", va="center", fontsize=11 if len(name) < 14 else 7)
    axis.set(title=title, xlim=(-1.5, 2), ylim=(-0.6, 4.6), aspect="equal")
    axis.axis("off")


def _subplots(rows: int = 1, columns: int = 1, *, figsize: tuple[float, float], **sharing: Any) -> tuple[Picture, Any]:
    """A figure with axes that no global state knows of: it is shown where a cell ends with it, and only there."""
    figure = Picture(figsize=figsize)
    return figure, figure.subplots(rows, columns, **sharing)
