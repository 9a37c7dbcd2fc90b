"""Curves show every row as a dot, means as lines, and the paper where it stands."""

import pandas as pd
import pytest

from nca.pages.curves import curves


def test_a_panel_a_network_with_dots_means_chance_and_the_paper():
    rows = pd.DataFrame({"model": ["DAE"] * 4 + ["SF"] * 2, "bins": [257, 257, 513, 513, 257, 513]})
    rows = rows.assign(
        counted="all", ratio=[0.4, 0.6, 0.2, 0.3, 0.1, 0.05], chance=[0.06, 0.06, 0.04, 0.04, 0.06, 0.04]
    )
    figure = curves(rows, "bins", "ratio", "counted", ("N", "TOD-R"), "chance", {"SF": (2049, 0.03, 0.01)})
    dae, sf = figure.axes
    dots, means, chance = dae.lines
    assert list(dots.get_ydata()) == [0.4, 0.6, 0.2, 0.3]
    assert list(means.get_xdata()) == [257, 513]
    assert list(means.get_ydata()) == pytest.approx([0.5, 0.25])
    assert list(chance.get_ydata()) == pytest.approx([0.06, 0.04])
    assert (dae.get_title(), sf.get_title()) == ("DAE", "SF")
    assert any(list(line.get_xdata()) == [2049] for line in sf.lines)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["all", "chance", "paper"]
    figure._repr_png_()
    assert dae.yaxis.get_major_formatter()(0.05) == "0.05"  # beside 0.1, whatever else is on the axis
    assert dae.xaxis.get_major_formatter()(2_646_000) == "2646000"
