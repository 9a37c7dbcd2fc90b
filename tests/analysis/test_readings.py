"""Other readings of what is there already, against slow and direct computations."""

from dataclasses import replace

import pandas as pd
import pytest
import torch
from samples import trained_like

from nca.analysis.readings import beside, first_halved, halvings, instance_ratios, scaled_back, spreads
from nca.analysis.runs import SegmentCouplings
from nca.couplings import Couplings, student
from nca.mapping import mean_mapping
from nca.metrics import snr, tod_ratio
from nca.spectra import Geometry, Segment
from nca.training import Trained


def segment_and_network(silent: bool = False) -> tuple[Segment, Trained]:
    generator = torch.Generator().manual_seed(0)
    mixture, scale = (
        torch.rand(12, 9, generator=generator).double(),
        torch.rand(12, 1, generator=generator).double() + 1,
    )
    voice = mixture * (0 if silent else 0.5)
    network = Trained(trained_like("SF"), scale + 1, torch.ones(12, 1), Geometry(2000, 22, 22, 8), 0, [], [])
    return Segment("a", 0, 0, mixture, voice), network


def test_scaled_back_is_the_ratio_of_what_would_be_heard():
    segment, network = segment_and_network()
    x = segment.mixture / network.scale
    matrices = {
        "student": student(network.model, x, iterations=3),
        "identity": Couplings("identity", torch.eye(12).double(), "voice"),
    }
    ours, mixture = scaled_back(SegmentCouplings(network, "a", 0, matrices), segment)
    made = (matrices["student"].matrix @ x) * x * network.scale
    heard = network.model(x) * network.scale
    assert ours["snr_model, scaled back"] == pytest.approx(snr(heard, made).item())
    assert ours["snr_model"] == pytest.approx(snr(network.model(x), (matrices["student"].matrix @ x) * x).item())
    assert mixture["snr_voice, scaled back"] == pytest.approx(0, abs=1e-4)  # what is too much is as large as the voice
    assert ours["snr_model"] != pytest.approx(ours["snr_model, scaled back"])


def test_a_silent_voice_has_no_ratio():
    segment, network = segment_and_network(silent=True)
    (row,) = scaled_back(
        SegmentCouplings(network, "a", 0, {"zero": Couplings("zero", torch.zeros(12, 12).double())}), segment
    )
    assert (row["snr_voice"], row["snr_voice, scaled back"]) == (None, None)
    assert row["snr_model"] == pytest.approx(0)


def test_the_rate_is_halved_after_two_epochs_without_improvement():
    assert first_halved([5, 4, 3, 2, 1], 0) is None
    assert first_halved([5, 4, 4, 4, 3], 0) == 5
    assert first_halved([5, 4.99, 4.98, 4.0, 3.0], 0.01) == 4
    assert first_halved([5, 4.99, 4.98, 4.0, 3.0], 0) is None


def test_other_readings_stand_beside_the_defaults_of_the_same_segment():
    common = {"model": "SF", "seed": 1, "song": "a", "last_loss": 1.0, "first_loss": 4.0}
    rows = pd.DataFrame(
        {**common, "segment": segment, "strategy": strategy}
        for segment in (0, 1)
        for strategy in ("student", "compositional", "identity")
    )
    others = pd.DataFrame([{**common, "segment": 1, "strategy": "student (rate 1e-4)"}])
    both = beside(rows, others, ["student", "compositional"])
    assert both.strategy.tolist() == ["compositional", "student", "student (rate 1e-4)"]
    assert set(both.segment) == {1}
    assert both["error left"].tolist() == [0.25] * 3


def test_spreads_are_deviations_of_means():
    rows = pd.DataFrame(
        {"model": "SF", "seed": seed, "song": "a", "segment": segment, "tod_ratio": seed + 10.0 * segment}
        for seed in (0, 1)
        for segment in (0, 1, 2)
    )
    (row,) = spreads(rows).to_dict("records")
    expected = {"mean": 10.5, "deviation between instances": 0.5**0.5, "deviation between segments": 10.0}
    assert row == pytest.approx(expected)


def test_every_instance_on_every_segment_is_its_exact_mapping():
    segment, network = segment_and_network()
    (row,) = instance_ratios({"SF": [network]}, [segment]).to_dict("records")
    exact = mean_mapping(network.model, segment.mixture / network.scale).matrix
    assert row == {"model": "SF", "seed": 0, "song": "a", "segment": 0, "tod_ratio": tod_ratio(exact).item()}


def test_halvings_are_listed_by_training_and_threshold():
    _, network = segment_and_network()
    network = replace(network, losses=[5, 4.99, 4.98, 4.0, 3.0])
    table = halvings({"SF": [network]}, [0, 0.01])
    assert table["threshold 0.01"].tolist() == [4]
    assert table["threshold 0"].isna().all()
