"""What is measured of networks of any kind, against the mapping itself and known limits; their ratios, by hand."""

import pandas as pd
import pytest
import torch
from samples import spectra
from test_temporal import model_of
from training.test_training import SMALL

import nca
from nca.analysis.future import KIN, NEAR, future_row, ratios, verdict
from nca.analysis.local import local_mapping
from nca.metrics import snr, tod_ratio
from nca.models import FUTURE, MODELS, Masking
from nca.spectra import Segment

BINS, FRAMES = 12, 20
SCALE = torch.linspace(0.5, 2, BINS, dtype=torch.float64).unsqueeze(-1)


def measured(name, **options):
    network = nca.Trained(model_of(name, BINS), SCALE, SCALE, SMALL, 2, [1.0], [1e-3])
    segment = Segment("a song", 3, 0, SCALE * (spectra(BINS, FRAMES) + 0.01), SCALE * spectra(BINS, FRAMES, 6))
    return network, segment, future_row(network, segment, iterations=20, **options)


@pytest.mark.parametrize("name", [*MODELS, *FUTURE])
def test_a_row_is_what_the_mapping_and_the_student_say(name):
    network, segment, row = measured(name)
    model, mixture = network.model, segment.mixture / SCALE
    mask = isinstance(model, Masking)
    found = local_mapping(model, mixture, mask)
    assert (row["model"], row["seed"], row["song"], row["segment"], row["mask"]) == (name, 2, "a song", 3, mask)
    assert row["tod_ratio"] == pytest.approx(found.blocks.tod_ratio.value.item())
    assert row["response_tod_ratio"] == pytest.approx(found.response.tod_ratio.value.item())
    assert row["displacement"] == pytest.approx(SMALL.bandwidth * found.blocks.displacement.value.item())
    assert row["tod_ratio_error"] == row["response_displacement_error"] == 0
    assert row["offset_share"] == pytest.approx(found.offset_share)
    later = sum(found.blocks.share(-lag) for lag in range(1, NEAR + 1))
    assert row["after"] == pytest.approx(later)
    for part in ("", "response_"):
        assert sum(row[f"{part}{span}"] for span in ("same", "before", "after", "beyond")) == pytest.approx(1)
    C = nca.student(lambda x: model(x), mixture, iterations=20).matrix
    assert row["student_tod_ratio"] == pytest.approx(tod_ratio(C).item())
    assert row["student_snr"] == pytest.approx(snr(model(mixture), C @ mixture).item())
    exact = found.blocks.couplings().matrix
    assert row["student_correlation"] == pytest.approx(nca.correlation(C, exact).item())


def test_networks_of_single_frames_have_all_energy_there_and_a_gru_none_ahead():
    for name in ("DAE", "SF", "residual-DAE"):
        assert measured(name)[2]["same"] == pytest.approx(1)
    row = measured("GRU-mask")[2]
    assert row["after"] == 0
    assert row["before"] > 0


def test_the_same_seed_draws_the_same_frames_and_bands_for_every_network():
    row = measured("CNN-mask", frames=4, rows=5)[2]
    assert row == measured("CNN-mask", frames=4, rows=5)[2]
    assert row["tod_ratio_error"] > 0
    assert row["tod_ratio"] != measured("CNN-mask", frames=4, rows=5, seed=1)[2]["tod_ratio"]


def test_ratios_are_of_pairs_of_one_seed():
    kinds = {name for pair in KIN.items() for name in pair}
    values = {name: [1.0, 2.0, 4.0] for name in kinds} | {"GRU-mask": [2.0, 4.0, 8.0], "CNN-mask": [1.0, 4.0, 16.0]}
    rows = pd.DataFrame(
        [{"model": m, "seed": i, "figure": v} for m, each in values.items() for i, v in enumerate(each)]
    )
    found = ratios(rows, "figure")
    assert found.loc["GRU-mask", ["kin", "ratio", "low", "high"]].tolist() == pytest.approx(["SF", 2.0, 2.0, 2.0])
    assert found.ratio["CNN-mask"] == pytest.approx(2)  # of 1, 2 and 4
    said = "deviates: GRU-mask; no deviation shown: residual-DAE, context-DAE, CNN-mask"
    assert verdict(rows, "figure") == said
    assert verdict(rows, "figure", ["GRU-mask"]) == "deviates: GRU-mask"
    # logarithms to base 2 are 0, 1 and 2: deviation 1, and 4.303 = t(0.975, 2)
    assert found.high["CNN-mask"] == pytest.approx(2 ** (1 + 4.3027 / 3**0.5), rel=1e-4)
    assert found.low["CNN-mask"] == pytest.approx(2 ** (1 - 4.3027 / 3**0.5), rel=1e-4)
