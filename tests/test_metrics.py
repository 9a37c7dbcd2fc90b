"""Eq. (22) and what goes beside it, against sums over single numbers and known limits."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from samples import spectra

from nca.errors import ParameterError, SilentReferenceError
from nca.metrics import (
    chance_tod_ratio,
    correlation,
    diagonal_profile,
    null_space_share,
    octave_profile,
    shuffled_tod_ratios,
    si_sdr,
    snr,
    tod_ratio,
)


def slow_tod_ratio(matrix):
    bins = len(matrix)
    trace = sum(abs(matrix[i][i]) for i in range(bins))
    rest = sum(abs(matrix[i][j]) for i in range(bins) for j in range(bins) if i != j)
    return math.sqrt(bins) * trace / rest


@given(st.integers(2, 9), st.integers(0, 10**6), st.floats(1e-3, 1e3))
def test_tod_ratio_is_equation_22_and_blind_to_scale_and_sign(bins, seed, factor):
    matrix = torch.randn(bins, bins, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    assert tod_ratio(matrix).item() == pytest.approx(slow_tod_ratio(matrix.tolist()), rel=1e-12)
    assert tod_ratio(-factor * matrix).item() == pytest.approx(tod_ratio(matrix).item(), rel=1e-9)


def test_limits_of_the_tod_ratio():
    assert tod_ratio(torch.eye(4)).item() == math.inf
    assert tod_ratio(torch.ones(9, 9) - torch.eye(9)).item() == 0
    assert tod_ratio(torch.ones(9, 9)).item() == pytest.approx(3 * 9 / 72) == chance_tod_ratio(9)
    assert tod_ratio(torch.ones(1, 1)).item() == chance_tod_ratio(1) == math.inf
    with pytest.raises(ParameterError, match="square"):
        tod_ratio(torch.ones(2, 3))


@pytest.mark.parametrize("bins", [64, 513])
def test_chance_is_the_tod_ratio_of_random_matrices(bins):
    drawn = torch.randn(4, bins, bins, generator=torch.Generator().manual_seed(0))
    assert tod_ratio(drawn).mean().item() == pytest.approx(chance_tod_ratio(bins), rel=0.05)


def test_chance_at_the_papers_size_is_its_student_row():
    assert round(chance_tod_ratio(2049), 3) == 0.022


def test_snr_of_a_planted_error():
    reference = spectra(batch=(3,))
    noise = reference / 10
    np.testing.assert_allclose(snr(reference, reference + noise), 20.0, rtol=1e-12)
    assert snr(reference, reference).isinf().all()


def test_si_sdr_forgets_the_scale_and_counts_what_is_orthogonal():
    time = torch.arange(4000, dtype=torch.float64) / 4000
    voice, other = torch.sin(2 * math.pi * 40 * time), torch.cos(2 * math.pi * 40 * time)
    assert si_sdr(voice, 3 * (voice + 0.1 * other)).item() == pytest.approx(20, abs=1e-6)


def test_a_silent_reference_is_a_named_error():
    silent = torch.zeros(4, 3)
    with pytest.raises(SilentReferenceError, match="leave this segment out"):
        snr(silent, silent + 1)
    with pytest.raises(SilentReferenceError, match="leave this song out"):
        si_sdr(silent[0], silent[0] + 1)
    half = torch.stack([torch.ones(4, 3), silent])  # of several, one silent reference is enough
    for ratio in (snr, si_sdr):
        with pytest.raises(SilentReferenceError):
            ratio(half, half + 1)


def test_null_space_share_of_known_matrices():
    mixture = spectra(bins=10, frames=4)
    basis = torch.linalg.qr(mixture).Q
    inside, outside = basis @ basis.T, torch.eye(10, dtype=torch.float64) - basis @ basis.T
    assert null_space_share(inside, mixture).item() == pytest.approx(0, abs=1e-12)
    assert null_space_share(outside, mixture).item() == pytest.approx(1, abs=1e-12)
    random = torch.randn(200, 10, 10, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    assert null_space_share(random, mixture).mean().item() == pytest.approx(0.6, abs=0.03)
    assert null_space_share(random, spectra(10, 30)).max().item() == pytest.approx(0, abs=1e-10)


def test_single_precision_noise_is_no_direction_of_its_own():
    """Four frames twice, the second time with float32's rounding: the null space is that of four."""
    four = spectra(bins=10, frames=4)
    noisy = torch.cat([four, (four * (1 + 1e-7 * torch.rand(10, 4))).float().double()], dim=-1)
    matrix = torch.randn(10, 10, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    assert null_space_share(matrix, noisy).item() == pytest.approx(null_space_share(matrix, four).item(), abs=1e-4)


def test_null_space_counts_equal_frames_once():
    mixture = spectra(bins=6, frames=1).expand(6, 5)
    random = torch.randn(6, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    direction = mixture[:, :1] / mixture[:, :1].norm()
    expected = 1 - ((random @ direction).norm() / random.norm()).item() ** 2
    assert null_space_share(random, mixture).item() == pytest.approx(expected, rel=1e-6)


def test_correlation_and_diagonal_profile():
    a, b = (torch.randn(5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(s)) for s in (0, 1))
    assert correlation(a, b).item() == pytest.approx(np.corrcoef(a.flatten(), b.flatten())[0, 1])
    assert correlation(a, 3 - 2 * a).item() == pytest.approx(-1)
    slow = [np.mean([abs(a[i, j].item()) for i in range(5) for j in range(5) if abs(i - j) == d]) for d in range(5)]
    np.testing.assert_allclose(diagonal_profile(a), slow, rtol=1e-12)


def test_octaves_of_the_profile_gather_its_distances():
    a = torch.randn(11, 11, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    octaves = [(0, 0), (1, 1), (2, 3), (4, 7), (8, 10)]
    near = [[abs(a[i, j].item()) for i in range(11) for j in range(11) if lo <= abs(i - j) <= hi] for lo, hi in octaves]
    np.testing.assert_allclose(octave_profile(a), [np.mean(each) for each in near], rtol=1e-12)
    assert octave_profile(torch.ones(1, 1)).tolist() == [1]


def test_shuffled_columns_are_chance_whatever_the_scales_of_rows_and_columns():
    generator = torch.Generator().manual_seed(0)
    scales = 10 ** torch.randn(2, 200, dtype=torch.float64, generator=generator)
    noise = torch.randn(200, 200, dtype=torch.float64, generator=generator)
    for matrix in (noise, noise * scales[0][:, None], noise * scales[0][:, None] * scales[1]):
        drawn = shuffled_tod_ratios(matrix, draws=200)
        assert drawn.shape == (200,)
        assert abs(drawn.mean() - chance_tod_ratio(200)) < 4 * drawn.std() / 200**0.5
        assert abs(tod_ratio(matrix) - drawn.mean()) < 5 * drawn.std()
    diagonal = noise + 3 * torch.eye(200)
    assert tod_ratio(diagonal) > shuffled_tod_ratios(diagonal).max()
    draws = [shuffled_tod_ratios(noise, 3, seed=seed) for seed in (4, 4, 5)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_a_diagonal_matrix_has_an_infinite_ratio_whatever_its_entries():
    gains = 10 ** torch.randn(20, 513, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert (tod_ratio(torch.diag_embed(gains)) == math.inf).all()
    assert (tod_ratio(torch.diag_embed(gains.float())) == math.inf).all()
    matrix = torch.diag_embed(gains[0])
    matrix[3, 5] = 1e-12
    assert tod_ratio(matrix).item() == pytest.approx(513**0.5 * gains[0].sum().item() / 1e-12, rel=1e-9)
    kept = matrix.clone()
    tod_ratio(matrix)
    assert torch.equal(matrix, kept)


@pytest.mark.parametrize(
    "measure",
    [tod_ratio, shuffled_tod_ratios, diagonal_profile, octave_profile, correlation, null_space_share, snr],
)
def test_every_measure_of_a_batch_is_that_of_each_matrix(measure):
    matrices, others = torch.randn(2, 3, 2, 7, 7, generator=torch.Generator().manual_seed(0))
    two = measure in (correlation, null_space_share, snr)
    whole = measure(matrices, others) if two else measure(matrices)
    for place in np.ndindex(3, 2):
        alone = measure(matrices[place], others[place]) if two else measure(matrices[place])
        torch.testing.assert_close(whole[place], alone, rtol=1e-6, atol=1e-6)


def test_si_sdr_of_a_batch_is_that_of_each_waveform():
    references, estimates = torch.randn(2, 3, 2, 50, generator=torch.Generator().manual_seed(0))
    whole = si_sdr(references, estimates)
    for place in np.ndindex(3, 2):
        torch.testing.assert_close(whole[place], si_sdr(references[place], estimates[place]))


@pytest.mark.parametrize("measure", [tod_ratio, diagonal_profile, octave_profile])
def test_what_is_measured_stays_on_the_matrixs_device(measure):
    assert measure(torch.ones(6, 6, device="meta")).device.type == "meta"


def test_a_hundred_shuffles_from_seed_0_are_drawn_unless_told_otherwise():
    matrix = torch.randn(6, 6, generator=torch.Generator().manual_seed(0))
    assert torch.equal(shuffled_tod_ratios(matrix), shuffled_tod_ratios(matrix, draws=100, seed=0))


def test_ratios_are_of_double_precision_whatever_is_measured():
    matrix = torch.full((300, 300), 0.1)
    assert tod_ratio(matrix).item() == pytest.approx(chance_tod_ratio(300), rel=1e-12)
    assert shuffled_tod_ratios(matrix, 1).item() == pytest.approx(chance_tod_ratio(300), rel=1e-12)
    assert correlation(matrix + torch.eye(300), torch.eye(300)).item() == pytest.approx(1, rel=1e-9)
    assert {each.dtype for each in (snr(matrix, 2 * matrix), si_sdr(matrix[0], matrix[1]))} == {torch.float64}


def test_only_square_matrices_have_a_tod_ratio():
    for shape in ((3,), (2, 3), (3, 2, 3)):
        with pytest.raises(ParameterError, match=r"square matrices, not for shape \(" + str(shape[0])):
            tod_ratio(torch.ones(shape))


def test_half_of_a_waveform_in_the_estimate_is_0_db_and_nothing_of_it_minus_infinity():
    voice, other = torch.tensor([1.0, 1, -1, -1]), torch.tensor([1.0, -1, 1, -1])
    assert si_sdr(voice, voice + other).item() == pytest.approx(0, abs=1e-12)
    assert si_sdr(voice, other).item() == -math.inf
    assert si_sdr(voice, 0 * voice).item() == -math.inf


def test_silence_and_zeros_are_a_number_infinity_or_nan_by_name():
    voice, zeros = spectra(), torch.zeros(12, 12, dtype=torch.float64)
    assert snr(voice, 0 * voice).item() == pytest.approx(0)
    assert si_sdr(voice, 0 * voice).tolist() == [-math.inf] * 12
    assert si_sdr(voice[0], 2 * voice[0]) > 150
    other = torch.ones_like(zeros)
    for absent in (tod_ratio(zeros), correlation(zeros, other), null_space_share(zeros, voice)):
        assert absent.isnan()
    assert null_space_share(other, 0 * voice) == 1
    assert (octave_profile(zeros) == 0).all()
