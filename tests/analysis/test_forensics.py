"""Readings of the paper, each against a direct computation of what it says."""

import math

import pytest
import torch
from samples import trained_like

from nca.analysis.forensics import AVERAGED, couplings_of, figures_both_ways, standardise
from nca.couplings import Couplings, identity, linear_composition, student
from nca.errors import ParameterError
from nca.metrics import snr, tod_ratio
from nca.spectra import Segment


def segment(frames: int = 40) -> Segment:
    generator = torch.Generator().manual_seed(1)
    mixture, voice = (torch.rand(12, frames, generator=generator) * (k + 1) for k in range(2))
    return Segment("a", 0, 0, mixture, voice)


def deviations() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.full((12, 1), 2.0), torch.full((12, 1), 5.0)


def test_unit_variance_of_the_corpus():
    piece = segment()
    common, own = (standardise(piece, deviations(), variance, "corpus") for variance in ("mixture", "own"))
    torch.testing.assert_close(common.mixture, piece.mixture / 2)
    torch.testing.assert_close((common.voice, own.voice), (piece.voice / 2, piece.voice / 5))
    torch.testing.assert_close(own.voice * own.scale, piece.voice)


@pytest.mark.parametrize("variance", ["mixture", "own"])
def test_unit_variance_of_the_segment(variance):
    seen = standardise(segment(), deviations(), variance, "segment")
    torch.testing.assert_close(seen.mixture.std(1, correction=0), torch.ones(12))
    has_it = torch.allclose(seen.voice.std(1, correction=0), torch.ones(12), atol=1e-5)
    assert has_it == (variance == "own")
    with pytest.raises(ParameterError, match="statistics 'song'"):
        standardise(segment(), deviations(), variance, "song")


def test_two_signals_of_unit_variance_differ_by_their_correlation_alone():
    """10 log10(1 / (2 - 2 r)) dB, where means count as well: what own variance makes of the identity."""
    seen = standardise(segment(4000), deviations(), "own", "segment")
    x, y = seen.mixture, seen.voice
    r = (x * y).mean() / y.square().mean()
    ratio = x.square().mean() / y.square().mean()
    assert snr(y, x).item() == pytest.approx(-10 * math.log10(1 - 2 * r + ratio), abs=1e-3)


def test_averages_over_initialisations():
    models = [trained_like("MSS-DAE", seed=k) for k in range(3)]
    mixture = torch.rand(12, 5, dtype=torch.float64)
    found = {name: couplings_of(name, models, 1, mixture) for name in AVERAGED}
    matrices = [linear_composition(model).matrix for model in models]
    mean = found["linear composition (mean of matrices)"]
    torch.testing.assert_close(mean.matrix, sum(matrices) / 3)
    product = torch.eye(12, dtype=torch.float64)
    for layer in zip(*(model.weights for model in models), strict=True):
        product = sum(layer) / 3 @ product
    torch.testing.assert_close(found["linear composition (of mean weights)"].matrix, product)
    assert [each.strategy for each in found.values()] == list(AVERAGED)
    alone = couplings_of("student", models, 1, mixture, iterations=3)
    torch.testing.assert_close(alone.matrix, student(models[1], mixture, iterations=3, seed=1).matrix)


@pytest.mark.parametrize("name", ["DAE", "SF"])
def test_the_figures_of_a_matrix(name):
    model, seen = trained_like(name).float(), standardise(segment(), deviations(), "own", "corpus")
    couplings = Couplings("student", torch.rand(12, 12))
    row, output = figures_both_ways(model, couplings, seen), model(seen.mixture)
    made = couplings.matrix @ seen.mixture * (seen.mixture if name == "SF" else 1)
    assert row["snr_model"] == pytest.approx(snr(output, made).item())
    assert row["snr_voice_back"] == pytest.approx(snr(segment().voice, made * 5).item(), rel=1e-5)
    assert row["snr_model_voice"] == pytest.approx(snr(seen.voice, output).item())
    assert row["tod_ratio_shown"] == pytest.approx(tod_ratio(couplings.matrix[:4, :4]).item())  # 744 of 2049 is 36 %
    assert figures_both_ways(model, identity(12), seen)["tod_ratio"] is None
