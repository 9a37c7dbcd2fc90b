"""What the figures show is what they were given: axes in the right units, rows normalised, every run a line."""

import io

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from nca.analysis.pictures import to_row_peaks
from nca.pages import figures
from nca.spectra import Geometry

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


def test_deviations_show_a_line_a_cell():
    named = {"nearest": [1.0, -3.0], "default": [40.0, 0.0]}
    (axis,) = figures.deviations(["a", "b"], ([-1, -3], [50, 2]), named).axes
    dots = {line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in axis.lines}
    assert dots == {name: (values, [0, 1]) for name, values in named.items()}
    (bars,) = axis.collections
    assert [bar.vertices[:, 0].tolist() for bar in bars.get_paths()] == [[-1, 50], [-3, 2]]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["a", "b"]


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
    figure.draw_without_rendering()  # the layout settles at the second drawing
    content, size = figures.png(figure)
    image = Image.open(io.BytesIO(content))
    assert image.size == (2 * size["width"], 2 * size["height"]) == (1680, 600)
    assert image.mode == "P"
    usual = io.BytesIO()
    figure.savefig(usual, format="png", dpi=200)
    assert len(content) < len(usual.getvalue())
    shown = np.asarray(image.convert("RGB"), dtype=float)
    difference = np.abs(shown - np.asarray(Image.open(usual).convert("RGB"), dtype=float))
    assert difference.mean() < 2


def test_a_file_shows_a_picture_where_no_pixel_is_further_off_than_rounding_takes_it(tmp_path):
    def png(levels):
        written = io.BytesIO()
        Image.fromarray(levels.astype(np.uint8)).save(written, format="png")
        return written.getvalue()

    levels = np.full((4, 5, 3), 100)
    path = tmp_path / "shown.png"
    assert not figures.shows(path, png(levels))
    path.write_bytes(png(levels))
    for off, same in ((0, True), (16, True), (-16, True), (17, False)):
        other = levels.copy()
        other[3, 4, 2] += off
        assert figures.shows(path, png(other)) == same, off
    assert not figures.shows(path, png(levels[:, 1:]))
    path.write_bytes(png(levels)[:20])
    assert not figures.shows(path, png(levels))


def test_figures_change_no_setting_and_show_themselves_as_small_pictures():
    before = dict(mpl.rcParams)
    figure = figures.graphs()
    data, size = figure._repr_png_()
    assert dict(mpl.rcParams) == before
    assert Image.open(io.BytesIO(data)).mode == "P"
    assert size == {"width": 800, "height": 340}
    assert figure.axes[0].title.get_fontsize() == figures.STYLE["axes.titlesize"]


def test_matrices_are_over_kilohertz_with_the_mixture_below_and_the_output_beside():
    axis = figures.compositions({"DAE": torch.eye(BINS), "SF": torch.eye(BINS)}, SMALL, highest=500).axes[0]
    assert axis.images[0].get_extent() == pytest.approx((0, 16 * SMALL.bandwidth / 1000) * 2)
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("mixture, kHz", "output, kHz")
    assert figures.normalised(torch.eye(4), 1000.0).axes[0].images[0].get_extent() == [0, 4, 0, 4]


def test_rows_go_to_their_own_peaks_and_columns_do_not():
    values = torch.tensor([[1.0, -4.0], [0.5, 0.25]])
    expected = [[0.25, -1.0], [1.0, 0.5]]
    np.testing.assert_allclose(to_row_peaks(values), expected)
    np.testing.assert_allclose(figures.normalised(values, 10.0).axes[0].images[0].get_array(), expected)


def test_pictures_are_a_line_a_strategy_and_a_column_a_model():
    rows = {name: {"DAE": torch.eye(4), "SF": -torch.eye(4)} for name in ("student", "compositional")}
    figure = figures.pictures(rows, 1100.0)
    assert [axis.get_title() for axis in figure.axes] == [
        "DAE, student",
        "SF, student",
        "DAE, compositional",
        "SF, compositional",
    ]
    assert figure.axes[1].images[0].get_array()[0, 0] == -1
    assert figure.axes[0].images[0].get_extent() == pytest.approx((0, 1.1) * 2)


def test_the_stroke_of_levels_is_the_mean_and_not_the_median():
    rows = pd.DataFrame({"model": "DAE", "strategy": "a", "tod_ratio": [0.1, 0.2, 0.9]})
    (axis,) = figures.levels(rows, "tod_ratio", "TOD-R").axes
    assert [line.get_xdata()[0] for line in axis.lines if line.get_marker() == "|"] == pytest.approx([0.4])
