"""Measures of how far couplings carry energy, on matrices whose answer is known."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from samples import spectra

from nca.analysis.bands import flow, lowest, quiet, share, unscaled
from nca.analysis.displacement import band_distance, displacement, excess, near_share, octave_displacement
from nca.analysis.transport import transport_plan
from nca.errors import DataError, ParameterError
from nca.metrics import tod_ratio

WIDTH = 10.77  # Hz


def random_matrix(bins, seed=0):
    return torch.randn(bins, bins, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def shifted(bins, by):
    """Ones at row = column + by alone."""
    return torch.diag(torch.ones(bins - abs(by), dtype=torch.float64), -by)


def kernel(bins, reach=100.0):
    """A smooth kernel over frequency, exp(-|f - g| / reach) with a slow slope, sampled at `bins` bands of WIDTH Hz."""
    f = torch.arange(bins, dtype=torch.float64) * WIDTH
    return torch.exp(-(f[:, None] - f).abs() / reach) * torch.cos(f / 20000)


def test_a_diagonal_matrix_moves_nothing():
    matrix = torch.diag(torch.rand(40) + 0.1)
    assert displacement(matrix, WIDTH).value.item() == 0
    assert octave_displacement(matrix).value.item() == 0
    assert near_share(matrix, WIDTH, 0).value.item() == 1
    assert excess(near_share(matrix, WIDTH, 0)).item() == pytest.approx(1)
    assert displacement(matrix, WIDTH).deviations.item() < -3


@given(st.integers(-8, 8), st.integers(12, 30))
def test_a_shifted_matrix_moves_as_far_as_it_is_shifted(by, bins):
    matrix = shifted(bins, by)
    assert displacement(matrix, WIDTH).value.item() == pytest.approx(abs(by) * WIDTH)
    assert near_share(matrix, WIDTH, abs(by) * WIDTH + 1e-6).value.item() == 1
    assert near_share(matrix, WIDTH, abs(by) * WIDTH - WIDTH / 2).value.item() == 0


def test_a_matrix_that_doubles_every_frequency_moves_an_octave():
    matrix = torch.zeros(65, 65)
    matrix[2 * torch.arange(1, 33), torch.arange(1, 33)] = torch.rand(32) + 0.1
    assert octave_displacement(matrix).value.item() == pytest.approx(1)


@pytest.mark.parametrize("half", [1, 3])
def test_a_banded_matrix(half):
    bins, distance = 30, band_distance(30)
    matrix = (distance <= half).double()
    counts = [bins, *(2 * (bins - d) for d in range(1, half + 1))]
    expected = sum(d * count for d, count in enumerate(counts)) / sum(counts)
    assert displacement(matrix, WIDTH).value.item() == pytest.approx(expected * WIDTH)
    assert near_share(matrix, WIDTH, half * WIDTH).value.item() == pytest.approx(1)


@pytest.mark.parametrize("bins", [7, 64])
def test_a_constant_matrix_is_chance(bins):
    matrix = torch.full((bins, bins), -3.0)
    found = displacement(matrix, WIDTH)
    assert found.value.item() == pytest.approx((bins**2 - 1) / (3 * bins) * WIDTH)
    for level in (found, octave_displacement(matrix), near_share(matrix, WIDTH, 25)):
        assert level.value.item() == pytest.approx(level.chance.item()) == pytest.approx(level.independent.item())
        assert level.deviation.item() == pytest.approx(0, abs=1e-9)
    assert excess(near_share(matrix, WIDTH, 25)).item() == pytest.approx(0, abs=1e-12)


def test_random_matrices_lie_within_the_spread_of_chance():
    measures = (lambda c: displacement(c, WIDTH), octave_displacement, lambda c: near_share(c, WIDTH, 50))
    for measure in measures:
        level = measure(torch.stack([random_matrix(48, seed) for seed in range(40)]))
        assert level.deviations.abs().max() < 4
        assert level.deviations.std().item() == pytest.approx(1, abs=0.35)
        assert level.value.mean().item() == pytest.approx(level.independent[0].item(), rel=0.02)


def test_chance_and_spread_are_those_of_shuffled_columns():
    matrix = random_matrix(24) * torch.rand(24, 1, dtype=torch.float64) * torch.rand(24, dtype=torch.float64)
    generator = torch.Generator().manual_seed(1)
    drawn = torch.stack([matrix[:, torch.randperm(24, generator=generator)] for _ in range(4000)])
    for measure in (lambda c: displacement(c, WIDTH), lambda c: near_share(c, WIDTH, 30)):
        expected, level = measure(drawn).value, measure(matrix)
        assert level.chance.item() == pytest.approx(expected.mean().item(), rel=0.01)
        assert level.deviation.item() == pytest.approx(expected.std().item(), rel=0.05)


@given(st.floats(1e-3, 1e3), st.integers(0, 1000))
def test_scale_and_sign_change_nothing(factor, seed):
    matrix = random_matrix(16, seed)
    for measure in (lambda c: displacement(c, WIDTH), octave_displacement, lambda c: near_share(c, WIDTH, 30)):
        one, other = measure(matrix), measure(-factor * matrix)
        for name in ("value", "chance", "deviation", "independent"):
            assert getattr(one, name).item() == pytest.approx(getattr(other, name).item(), rel=1e-9, abs=1e-12)


def test_of_a_smooth_kernel_n_changes_the_tod_ratio_and_not_the_displacement():
    small, large = kernel(257), kernel(513)
    assert (tod_ratio(large) / tod_ratio(small)).item() == pytest.approx(math.sqrt(2), rel=0.03)
    pairs = [(displacement(small, WIDTH), displacement(large, WIDTH))]
    pairs.append((near_share(small, WIDTH, 100), near_share(large, WIDTH, 100)))
    for one, other in pairs:
        assert one.value.item() == pytest.approx(other.value.item(), rel=0.03)
    assert pairs[0][0].value.item() == pytest.approx(100, rel=0.06)  # of exp(-d / 100 Hz) the mean distance is 100 Hz
    assert excess(pairs[1][0]).item() == pytest.approx(excess(pairs[1][1]).item(), rel=0.05)


def test_matrices_that_have_no_distance_are_refused():
    with pytest.raises(ParameterError, match="square"):
        displacement(torch.ones(2, 3), WIDTH)
    with pytest.raises(ParameterError, match="at least two"):
        octave_displacement(torch.ones(1, 1))


def test_the_lowest_bands_are_the_744_of_figure_2():
    assert lowest(torch.empty(2049, 2049, device="meta"), 44100 / 4096).shape == (744, 744)
    assert lowest(torch.empty(513, 513, device="meta"), 11025 / 1024).shape == (513, 513)


def test_shares_of_rows_and_columns():
    matrix = torch.tensor([[1.0, -2.0], [3.0, 4.0]])
    first = torch.tensor([True, False])
    assert share(matrix).item() == 1
    assert share(matrix, rows=first).item() == pytest.approx(0.3)
    assert share(matrix, columns=~first).item() == pytest.approx(0.6)
    assert share(matrix, first, first).item() == pytest.approx(0.1)


def test_quiet_bands_and_couplings_of_magnitudes():
    scale = torch.tensor([[1.0], [0.1], [0.0005]])
    assert quiet(scale).tolist() == [False, False, True]
    matrix, mixture = random_matrix(3).float(), spectra(3, 5).float()
    torch.testing.assert_close(unscaled(matrix, scale) @ (scale * mixture), scale * (matrix @ mixture))
    with pytest.raises(ParameterError, match="above 0"):
        unscaled(matrix, scale * 0)


def test_the_flow_of_nonnegative_couplings_ends_in_the_mean_output():
    matrix, mixture = random_matrix(6).abs(), spectra(6, 9)
    torch.testing.assert_close(flow(matrix, mixture).sum(-1), (matrix @ mixture).mean(-1))


@given(st.integers(2, 12), st.integers(1, 4), st.integers(0, 1000))
def test_the_plan_moves_as_little_as_the_closed_form_says(bins, frames, seed):
    mixture, voice = spectra(bins, frames, seed) + 0.01, spectra(bins, frames, seed + 1) + 0.01
    plan = transport_plan(mixture, voice)
    x, y = (signal / signal.sum(0) for signal in (mixture, voice))
    distance = (x.cumsum(0) - y.cumsum(0)).abs().sum(0).mean() * WIDTH
    assert displacement(plan, WIDTH).value.item() == pytest.approx(distance.item(), rel=1e-6, abs=1e-9)
    torch.testing.assert_close(plan.sum(0), x.mean(1))
    torch.testing.assert_close(plan.sum(1), y.mean(1))


def test_the_plan_of_a_shift_is_the_shift():
    mixture = torch.zeros(20, 3)
    mixture[2:9] = torch.rand(7, 3) + 0.1
    plan = transport_plan(mixture, mixture.roll(4, 0))
    assert displacement(plan, WIDTH).value.item() == pytest.approx(4 * WIDTH)
    assert transport_plan(mixture, mixture).diagonal().sum().item() == pytest.approx(1)


def test_silent_frames_are_left_out_of_the_plan():
    mixture, voice = spectra(8, 4), spectra(8, 4, 6)
    silent = torch.cat([mixture, mixture[:, :1]], 1), torch.cat([voice, 0 * voice[:, :1]], 1)
    torch.testing.assert_close(transport_plan(*silent), transport_plan(mixture, voice))
    with pytest.raises(DataError, match="silent"):
        transport_plan(mixture, 0 * voice)
    with pytest.raises(ParameterError, match="clamp"):
        transport_plan(mixture, -voice)
