"""Curves over the size of an experiment, a panel a network."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.ticker import LogLocator, NullFormatter, NullLocator

from nca.pages.figures import COLOURS, Picture, styled


@styled
def curves(
    rows: pd.DataFrame,
    x: str,
    y: str,
    line: str,
    labels: tuple[str, str],
    chance: str | None = None,
    paper: Mapping[str, tuple[float, float, float]] | None = None,
) -> Picture:
    """Figures over `x` on logarithmic axes: a panel a model, a line through the means for each value of `line`.

    Args:
        rows: one a matrix, with columns `model`, `x`, `y` and `line`; every row is a dot.
        x, y, line: names of columns.
        labels: of the axes.
        chance: column of the chance level, dotted.
        paper: for each model the x, the mean and the deviation that the paper has, in black.
    """
    models = sorted(set(rows["model"]))
    figure = Picture(figsize=(8.4, 3.2))
    panels = figure.subplots(1, len(models), sharex=True, sharey=True, squeeze=False)[0]
    for axis, model in zip(panels, models, strict=True):
        chosen = rows[rows["model"] == model]
        for colour, (name, each) in zip(COLOURS, chosen.groupby(line, sort=False), strict=False):
            mean = each.groupby(x)[y].mean()
            axis.loglog(each[x], each[y], "o", color=colour, alpha=0.35, markersize=3)
            axis.loglog(mean.index, mean, "-", color=colour, label=name)
        if chance:
            level = chosen.groupby(x)[chance].mean()
            axis.loglog(level.index, level, ":", color="grey", label="chance")
        if paper and model in paper:
            place, mean, deviation = paper[model]
            axis.errorbar(place, mean, deviation, fmt="D", color="black", markersize=4, capsize=3, label="paper")
        axis.set(title=model, xlabel=labels[0], xticks=np.sort(rows[x].unique()))
        axis.xaxis.set_minor_locator(NullLocator())
        axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        for side in (axis.xaxis, axis.yaxis):
            side.set_major_formatter("{x:.12g}")
            side.set_minor_formatter(NullFormatter())
        axis.tick_params(axis="x", labelrotation=45)
    panels[0].set(ylabel=labels[1])
    named = {label: handle for axis in panels for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)}
    figure.legend(named.values(), named.keys(), loc="outside lower center", ncols=len(named))
    return figure
