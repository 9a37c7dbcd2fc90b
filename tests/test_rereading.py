"""Other readings of what is there already, against slow and direct computations."""

import pytest
import torch
from samples import trained_like

from nca.couplings import Couplings, student
from nca.gathering import Coupled
from nca.metrics import snr
from nca.rereading import first_halved, scaled_back
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
    ours, mixture = scaled_back(Coupled(network, "a", 0, matrices), segment)
    made = (matrices["student"].matrix @ x) * x * network.scale
    heard = network.model(x) * network.scale
    assert ours["snr_model, scaled back"] == pytest.approx(snr(heard, made).item())
    assert ours["snr_model"] == pytest.approx(snr(network.model(x), (matrices["student"].matrix @ x) * x).item())
    assert mixture["snr_voice, scaled back"] == pytest.approx(0, abs=1e-4)  # what is too much is as large as the voice
    assert ours["snr_model"] != pytest.approx(ours["snr_model, scaled back"])


def test_a_silent_voice_has_no_ratio():
    segment, network = segment_and_network(silent=True)
    (row,) = scaled_back(Coupled(network, "a", 0, {"zero": Couplings("zero", torch.zeros(12, 12).double())}), segment)
    assert (row["snr_voice"], row["snr_voice, scaled back"]) == (None, None)
    assert row["snr_model"] == pytest.approx(0)


def test_the_rate_is_halved_after_two_epochs_without_improvement():
    assert first_halved([5, 4, 3, 2, 1], 0) is None
    assert first_halved([5, 4, 4, 4, 3], 0) == 5
    assert first_halved([5, 4.99, 4.98, 4.0, 3.0], 0.01) == 4
    assert first_halved([5, 4.99, 4.98, 4.0, 3.0], 0) is None
