"""The Toeplitz share, of convolutions, of chance and of mixtures of both."""

import pytest
import torch
from scipy.linalg import circulant, toeplitz

from nca.analysis.structure import toeplitz_share


def test_convolutions_are_all_toeplitz_whatever_their_main_diagonal():
    generator = torch.Generator().manual_seed(0)
    for made in (circulant(torch.randn(9, generator=generator)), toeplitz(range(1, 10), range(1, 10))):
        matrix = torch.as_tensor(made, dtype=torch.float64)
        assert toeplitz_share(matrix).item() == pytest.approx(1)
        assert toeplitz_share(matrix + torch.diag(torch.randn(9))).item() == pytest.approx(1)


def test_chance_is_two_over_n():
    drawn = torch.randn(8, 200, 200, generator=torch.Generator().manual_seed(0))
    assert toeplitz_share(drawn).mean().item() == pytest.approx(2 / 200, rel=0.05)
    assert torch.allclose(toeplitz_share(-3 * drawn), toeplitz_share(drawn))


def test_of_a_convolution_and_noise_the_share_is_the_convolutions():
    noise = torch.randn(300, 300, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    kernel = torch.as_tensor(circulant([0.0, *[1.0] * 4, *[0.0] * 295]), dtype=torch.float64)
    mixed = kernel / kernel.norm() + noise / noise.norm()
    assert toeplitz_share(mixed).item() == pytest.approx(0.5, abs=0.02)
