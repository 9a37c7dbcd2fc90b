"""What the figures show is what they were given: axes in the right units, rows normalised, every run a line."""

import io

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from samples import trained_like

from nca import figures
from nca.diagnostics import diagnose
from nca.mapping import mean_mapping
from nca.spectra import Geometry
from nca.strategies import by_strategy

SMALL = Geometry(rate=2000, fft=64, window=32, hop=8)
BINS = SMALL.bins


def test_spectrograms_are_in_seconds_kilohertz_and_decibels():
    magnitudes = torch.full((BINS, 50), 0.1)
    magnitudes[4, 10] = 10.0
    figure = figures.spectrograms({"a": magnitudes, "b": magnitudes}, SMALL)
    image = figure.axes[0].images[0]
    assert image.get_extent() == pytest.approx((0, 50 / SMALL.frame_rate, 0, BINS * SMALL.bandwidth / 1000))
    level = image.get_array()
    assert (level[4, 10], level[0, 0]) == (pytest.approx(0), pytest.approx(-40))
    assert [axis.get_title() for axis in figure.axes[:2]] == ["a", "b"]


def test_every_initialisation_is_a_line():
    figure = figures.histories({"DAE": [[3.0, 2.0], [4.0, 1.0, 0.5]], "SF": [[1.0]]})
    assert [[list(line.get_ydata()) for line in axis.lines] for axis in figure.axes] == [
        [[3.0, 2.0], [4.0, 1.0, 0.5]],
        [[1.0]],
    ]


def test_couplings_are_divided_by_each_rows_peak_and_enlarged():
    matrix = torch.randn(BINS, BINS, generator=torch.Generator().manual_seed(0))
    pair = (matrix, torch.rand(BINS, 9))
    figure = figures.couplings(
        {"student": {"DAE": pair, "SF": pair}, "other": {"DAE": pair, "SF": pair}}, SMALL, zoom=250
    )
    titles = [panel.get_suptitle() for panel in figure.subfigs]
    assert titles == ["(a) DAE, student", "(b) SF, student", "(c) DAE, other", "(d) SF, other"]
    whole, near = (axis.images[0].get_array() for axis in figure.axes[:2])
    np.testing.assert_allclose(np.abs(whole).max(axis=1), 1)
    np.testing.assert_allclose(near, whole[:8, :8])


def test_compositions_stop_at_the_highest_frequency():
    figure = figures.compositions({"DAE": torch.eye(BINS), "SF": torch.eye(BINS)}, SMALL, highest=500)
    assert figure.axes[0].images[0].get_array().shape == (16, 16)


def test_levels_show_every_segment_the_mean_and_chance():
    rows = pd.DataFrame({"model": "DAE", "strategy": ["a", "a", "b"], "tod_ratio": [0.1, 0.3, 0.5]})
    (axis,) = figures.levels(rows, "tod_ratio", "TOD-R", chance=0.05).axes
    dots = [list(line.get_xdata()) for line in axis.lines if line.get_marker() == "o"]
    means = [line.get_xdata()[0] for line in axis.lines if line.get_marker() == "|"]
    assert dots == [[0.1, 0.3], [0.5]]
    assert means == pytest.approx([0.2, 0.5])
    assert any(list(line.get_xdata()) == [0.05, 0.05] for line in axis.lines)


def test_profiles_and_descents_are_relative_to_their_first_value():
    falling = torch.tensor([4.0, 2.0])
    for drawn in (figures.profiles({"a": falling}, 10.0), figures.descents({"DAE": {"a": falling}})):
        assert list(drawn.axes[0].lines[0].get_ydata()) == [1.0, 0.5]


def test_the_graphs_of_figure_1():
    figure = figures.graphs()
    assert [axis.get_title() for axis in figure.axes] == ["(a) DAE", "(b) MSS-DAE", "(c) SF"]
    assert [len(axis.texts) for axis in figure.axes] == [3, 5, 3]
    dashed = [patch for axis in figure.axes for patch in axis.patches if patch.get_linestyle() == "--"]
    assert len(dashed) == 1


def test_a_picture_is_light_and_at_twice_the_screens_pixels():
    matrix = torch.randn(BINS, BINS, generator=torch.Generator().manual_seed(0))
    figure = figures.compositions({"DAE": matrix, "SF": matrix}, SMALL)
    content, size = figures.picture(figure)
    image = Image.open(io.BytesIO(content))
    assert image.size == (2 * size["width"], 2 * size["height"]) == (1680, 600)
    assert image.mode == "P"
    usual = io.BytesIO()
    figure.savefig(usual, format="png", dpi=200)
    assert len(content) < len(usual.getvalue())
    shown = np.asarray(image.convert("RGB"), dtype=float)
    difference = np.abs(shown - np.asarray(Image.open(usual).convert("RGB"), dtype=float))
    assert difference.mean() < 2


def test_diagnostics_show_every_matrix_once():
    model, mixture = trained_like("DAE", BINS).float(), torch.rand(BINS, 9, generator=torch.Generator().manual_seed(0))
    exact = mean_mapping(model, mixture)
    found = [
        diagnose(model, by_strategy(name, model, mixture, iterations=2), mixture, mixture, exact)
        for name in ("student", "identity", "mean exact mapping")
    ]
    tod, null, agreement, profile = figures.diagnostics(found).axes
    dots = [line.get_xdata()[0] for line in tod.lines if line.get_marker() == "o"]
    np.testing.assert_equal(dots, [found[0].tod_ratio, np.nan, found[2].tod_ratio])  # the identity has no finite one
    assert [label.get_text() for label in tod.get_yticklabels()] == [each.strategy for each in found]
    assert list(null.lines[0].get_xdata()) == [each.null_space for each in found]
    assert agreement.lines[0].get_xdata()[2] == pytest.approx(1)
    assert [tuple(line.get_ydata()) for line in profile.lines] == [each.profile for each in found]
