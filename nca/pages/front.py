"""The picture of the front page: the same question put to three networks in two ways (Table 1, Eq. 22)."""

import pandas as pd
from torch import Tensor

from nca.analysis.pictures import to_row_peaks
from nca.analysis.tables import MODELS, PAPER
from nca.data import real_song
from nca.mapping import mean_jacobian, mean_mapping
from nca.pages.figures import COLOURS, Picture, matrix, styled
from nca.spectra import analyse, segments
from nca.training.trained import pretrained

HIGHEST = 2000.0  # Hz of the matrices shown
LINES = {("DAE", "output"): "DAE, to the voice", ("MSS-DAE", "output"): "MSS-DAE, to the voice"}
LINES |= {("SF", "output"): "SF, to its mask", ("SF", "voice"): "SF, to the voice"}


@styled
def found(exact: pd.DataFrame) -> Picture:
    """Exact mappings of the DAE and of SF, to its mask and to its voice, above the TOD-R of all with chance.

    The matrices are those of the pretrained networks on the real song.

    Args:
        exact: rows of the exact mappings at one number of bands, of :func:`nca.pages.findings.at_most_bands`.
    """
    figure = Picture(figsize=(7, 5.6))
    above, below = figure.subfigures(2, 1, squeeze=False, height_ratios=[1.15, 1])[:, 0]
    axes = above.subplots(1, 3, sharey=True)
    for axis, (title, values, bandwidth) in zip(axes, _matrices(), strict=True):
        matrix(axis, to_row_peaks(values), bandwidth, title)
        axis.label_outer()
    axis = below.subplots()
    lines = [key for key in LINES if ((exact.model == key[0]) & (exact.target == key[1])).any()]
    for height, (model, target) in enumerate(lines):
        ratios = exact[(exact.model == model) & (exact.target == target)].tod_ratio
        axis.plot(ratios, [height] * len(ratios), "o", color=COLOURS[0], alpha=0.5)
        axis.annotate(f"{ratios.mean():.2f}", (ratios.max(), height), (12, 0), textcoords="offset points", va="center")
        if (model, target) != ("SF", "voice"):
            mean, deviation = PAPER["table-1"]["compositional"][MODELS.index(model)]
            axis.errorbar(mean, height - 0.25, xerr=deviation, fmt="D", color="black", markersize=4, capsize=2)
    chance = exact.chance.iloc[0]
    axis.axvline(chance, color="grey", linestyle=":")
    axis.annotate("chance", (chance, 1), xycoords=("data", "axes fraction"), rotation=90, va="top", ha="right")
    axis.set(xscale="log", yticks=range(len(lines)), yticklabels=[LINES[key] for key in lines])
    axis.set(xlabel=f"TOD-R of the exact mapping at N = {exact.bins.iloc[0]}; diamonds: the paper's Table 1")
    axis.set(ylim=(len(lines) - 0.5, -0.6), xticks=(ticks := [0.02, 0.1, 0.5, 2, 10]), xticklabels=map(str, ticks))
    return figure


def _matrices() -> list[tuple[str, Tensor, float]]:
    shown = []
    for model, maps in (("DAE", [mean_mapping]), ("SF", [mean_mapping, mean_jacobian])):
        network = pretrained(model)
        mixture = segments(analyse(real_song(), network.geometry))[0].mixture / network.scale
        bins = round(HIGHEST / network.geometry.bandwidth)
        for each in maps:
            couplings = each(network.model, mixture)
            goal = "to its mask" if model == "SF" and couplings.target != "voice" else "to the voice"
            shown.append((f"{model}, {goal}", couplings.matrix[:bins, :bins], network.geometry.bandwidth))
    return shown
