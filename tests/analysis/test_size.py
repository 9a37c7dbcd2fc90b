"""The figures of one network on one segment are those of the functions behind them, asked for the right matrix."""

import json
import math
from dataclasses import replace

import pytest
import torch
from samples import spectra, trained_like

from nca.analysis.displacement import displacement
from nca.analysis.size import figures, size_rows
from nca.couplings.chain import layers
from nca.errors import ParameterError
from nca.mapping import mean_jacobian, mean_mapping
from nca.metrics import snr, tod_ratio
from nca.spectra import Geometry, Segment
from nca.training import Trained

SMALL = Geometry(rate=2000, fft=64, window=32, hop=8)


@pytest.fixture(params=["DAE", "MSS-DAE", "SF"])
def network(request):
    scale = torch.linspace(2, 0.001, SMALL.bins).unsqueeze(-1)
    return Trained(trained_like(request.param, SMALL.bins).float(), scale, scale, SMALL, 0, [1.0], [1e-3])


@pytest.fixture
def segment(network):
    mixture, voice = (spectra(SMALL.bins, 20, seed).float() * network.scale for seed in (5, 6))
    return Segment("a song", 2, 40, mixture, voice)


def test_each_row_is_of_its_own_matrix(network, segment):
    rows = {row["strategy"]: row for row in size_rows(network, segment)}
    mixture = segment.mixture / network.scale
    exact = mean_mapping(network.model, mixture)
    row = rows.pop("mean exact mapping")
    assert row["tod_ratio"] == row["tod_ratio_8k"] == pytest.approx(tod_ratio(exact.matrix).item())
    assert row["displacement"] == pytest.approx(displacement(exact.matrix, SMALL.bandwidth).value.item())
    assert (row["song"], row["segment"], row["bins"], row["tod_ratio_257"]) == ("a song", 2, 33, None)
    assert row["high_rows"] == 0
    assert row["quiet_bands"] == 1  # the last, at 0.001 of 2
    assert row["quiet_rows"] == pytest.approx((exact.matrix[-1].abs().sum() / exact.matrix.abs().sum()).item())
    assert row["snr_model_voice"] == pytest.approx(snr(segment.voice / network.scale, network.model(mixture)).item())
    assert row["snr_identity_model"] == pytest.approx(snr(network.model(mixture), mixture).item())
    assert row["snr_identity_voice"] == pytest.approx(snr(segment.voice / network.scale, mixture).item())
    row = rows.pop("linear composition")
    product = torch.linalg.multi_dot([layer.weight for layer in reversed(layers(network.model))])
    assert row["tod_ratio"] == pytest.approx(tod_ratio(product).item(), rel=1e-5)
    assert set(rows) == ({"mean exact Jacobian"} if network.model.name == "SF" else set())


def test_like_is_compared_with_like(network, segment):
    rows = {row["strategy"]: row for row in size_rows(network, segment)}
    if network.model.name == "SF":
        assert "carried" not in rows["mean exact mapping"]  # a mask carries nothing
        row = rows["mean exact Jacobian"]
        matrix = mean_jacobian(network.model, segment.mixture / network.scale).matrix
        assert row["target"] == "voice"
        assert row["tod_ratio"] == pytest.approx(tod_ratio(matrix).item())
        assert row["carried"] > 0
    else:
        assert rows["mean exact mapping"]["carried"] > 0


def test_strategies_are_run_by_their_names(network, segment):
    rows = size_rows(network, segment, ["student", "compositional (published gate)"], iterations=2)
    assert [row["strategy"] for row in rows[-2:]] == ["student", "compositional (published gate)"]
    with pytest.raises(ParameterError, match="no strategy 'teacher'"):
        size_rows(network, segment, ["teacher"])


def test_bands_are_counted_from_below():
    matrix = torch.rand(600, 600) + torch.eye(600) * 10
    found = figures(matrix, torch.ones(600, 1), bandwidth=20.0)
    assert found["tod_ratio_257"] == pytest.approx(tod_ratio(matrix[:257, :257]).item())
    assert found["tod_ratio_744"] is None
    assert found["tod_ratio_8k"] == pytest.approx(tod_ratio(matrix[:401, :401]).item())
    assert found["chance_8k"] == pytest.approx(math.sqrt(401) / 400)
    assert found["high_rows"] == pytest.approx(199 / 600, abs=0.01)
    assert found["displacement"] < found["displacement_chance"]


@pytest.mark.parametrize("network", ["DAE", "MSS-DAE", "SF"], indirect=True)
def test_a_silent_network_has_rows_without_the_figures_that_do_not_exist(network, segment):
    with torch.no_grad():
        network.model.weights[-1].zero_()
        network.model.biases[-1].fill_(-1)
    rows = json.loads(json.dumps(size_rows(network, segment, ["student"], iterations=2), allow_nan=False))
    exact = next(row for row in rows if row["strategy"] == "mean exact mapping")
    assert exact["tod_ratio"] is exact["snr_model"] is exact["transport"] is exact["displacement"] is None
    assert exact["snr_voice"] == pytest.approx(0)  # of an estimate that is nothing at all
    assert exact["chance"] == pytest.approx(33**0.5 / 32)


def test_a_segment_without_a_voice_has_no_ratio_to_it(network, segment):
    quiet = replace(segment, voice=torch.zeros_like(segment.voice))
    rows = size_rows(network, quiet)
    assert all(row["snr_voice"] is None and row["snr_model_voice"] is None for row in rows)
    assert all(math.isfinite(row["snr_model"]) for row in rows)
