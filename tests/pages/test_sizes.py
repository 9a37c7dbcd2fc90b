"""The page on size: what counts as one network, which are compared, and laws that rows were made by."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from nca.analysis.pictures import as_text
from nca.pages import sizes

FIGURES = {
    "chance": 0.1, "chance_8k": 0.1, "epochs": 12, "quiet_bands": 2, "quiet_rows": 0.5, "quiet_columns": 0.25,
    "displacement": 2.0, "displacement_chance": 4.0, "octaves": 1.0, "octaves_chance": 2.0, "near": 0.6,
    "near_chance": 0.2, "carried": 3.0, "transport": 1.5, "snr_identity_model": -1.0, "snr_identity_voice": -2.0,
    "snr_model": 5.0, "snr_voice": 4.0, "snr_model_voice": 4.5,
}  # fmt: skip


def matrix(bins, frames, limit=12, model="DAE", seed=0, song="a", ratio=None, **more):
    """A row as the record has it, TOD-R by a law of its own: 3 N^-0.5 D^0.2."""
    value = 3 * bins**-0.5 * frames**0.2 if ratio is None else ratio
    ratios = dict.fromkeys(["tod_ratio", "tod_ratio_8k", *(f"tod_ratio_{n}" for n in (257, 513, 744, 1025))], value)
    about = {"model": model, "rate": 10 * bins, "songs": frames // 100, "seed": seed, "limit": limit, "bins": bins}
    place = {"training_frames": frames, "song": song, "segment": 0, "strategy": "mean exact mapping"}
    return FIGURES | about | place | {"target": "output"} | ratios | more


def recorded():
    rows = [matrix(bins, frames, song=song) for bins in (8, 16) for frames in (100, 200, 800) for song in "ab"]
    rows += [matrix(bins, 200, 0, epochs=60) for bins in (8, 16)]
    rows += [matrix(16, 200, model="SF", ratio=0.25, target="output")]
    rows += [matrix(16, 200, model="SF", ratio=9.0, target="voice", strategy="mean exact Jacobian")]
    return pd.DataFrame(rows)


def test_a_power_law_that_made_the_rows_is_found_and_carried_on():
    rows = recorded()
    exponents = sizes.laws(rows).estimate["DAE", "all bands"]
    assert exponents["training frames"] == pytest.approx(0.2)
    assert exponents["bands N"] == pytest.approx(-0.5)
    assert exponents["epochs"] == pytest.approx(0, abs=1e-9)
    predicted = sizes.predictions(rows).loc["DAE", "all bands"]
    assert list(predicted.index) == ["all N", "most bands"]
    assert predicted.predicted.tolist() == pytest.approx([3 * 16**-0.5 * 2.7e6**0.2] * 2)
    exactly = f"{predicted.predicted.iloc[0]:.2f}"
    assert sizes.quoted(rows)["carried-all"] == f"{exactly} ({exactly} to {exactly})"
    assert sizes.frame_exponents(rows).loc[("DAE", 16), "all bands"] == pytest.approx(0.2)


def test_a_network_counts_once_however_many_segments_it_met():
    rows = recorded()
    assert int(sizes.quoted(rows)["networks"]) == 9
    uneven = pd.DataFrame([matrix(8, 100, song=song, ratio=ratio) for song, ratio in (("a", 1.0), ("b", 4.0))])
    assert sizes._networks(uneven).tod_ratio.tolist() == pytest.approx([2.0])  # the geometric mean


def test_over_bands_no_other_thing_differs():
    alone = matrix(32, 400, song="c")  # at an amount of data that no other number of bands has
    alike = sizes.over_bands(pd.concat([recorded(), pd.DataFrame([alone])]))
    assert set(alike.limit) == {12}
    assert alike.training_frames.nunique() == 1
    assert set(alike.counted) == {"all bands", "lowest 8 kHz", "lowest 257 bands"}


def test_the_tables_have_the_identity_and_no_map_to_the_voice_of_sf():
    rows = sizes.tables_at_most(recorded())
    assert set(rows.strategy) == {"mean exact mapping", "identity"}
    assert rows[rows.strategy == "identity"].snr_model.unique().tolist() == [-1.0]
    assert rows[rows.strategy == "identity"].tod_ratio.isna().all()
    assert set(rows.training_frames) == {200}


def test_like_with_like_is_told_apart():
    mapped = sizes.to_voice_and_mask(recorded())
    sf = mapped[mapped.model == "SF"].set_index("map to").tod_ratio
    assert sf.to_dict() == {"the mask": 0.25, "the voice": 9.0}
    assert mapped["near beyond chance"].unique().tolist() == pytest.approx([0.5])
    ratio = 9 / np.mean([3 * 16**-0.5 * frames**0.2 for frames in (100, 100, 200, 200, 800, 800, 200)])
    assert sizes.quoted(recorded())["sf-over-dae"] == f"{ratio:.0f} (N = 16)"


def test_what_is_left_is_what_the_record_has_not():
    planned = [{"model": "DAE", "rate": 80, "songs": songs, "seed": 0, "epochs": 12} for songs in (1, 2, 3)]
    planned += [{"model": "DAE", "rate": 80, "songs": 2, "seed": 0, "epochs": None}]
    assert sizes.left(recorded(), planned).loc[("DAE", 80)].to_dict() == {"recorded": 3, "to come": 1}


def test_real_singing_stands_between_the_sizes_next_to_its_own(tmp_path):
    rows = pd.DataFrame([matrix(bins, 100, song=song) for bins in (257, 513, 1025, 2049) for song in "ab"])
    strategies = ["mean exact mapping", "student"]
    results = [{"strategy": name, "tod_ratio": ratio} for name in strategies for ratio in (0.2, 0.4)]
    runs = [{"stage": "couple", "parameters": {"model": "DAE"}, "results": results}]
    (tmp_path / "real.json").write_text(json.dumps({"command": "nca sweep", "stages": {"couple": 1}, "runs": runs}))
    found = sizes.beside_real_singing(rows, str(tmp_path / "real.json"))["tod_ratio"]
    assert list(found.index) == [
        ("DAE", 513, "demo corpus"),
        ("DAE", 744, "real singing"),
        ("DAE", 1025, "demo corpus"),
    ]
    assert found["mean"].iloc[1] == pytest.approx(0.3)
    assert found["mean"].iloc[2] == pytest.approx(3 * 1025**-0.5 * 100**0.2)


def test_pictures_are_by_strategy_and_model(tmp_path):
    drawn = {model: torch.full((2, 2), value) for model, value in (("SF", 1.0), ("DAE", -1.0), ("MSS-DAE", 0.0))}
    runs = [
        {
            "stage": "matrices",
            "parameters": {"model": model},
            "results": [{"strategy": "student", "whole": as_text(made), "near": as_text(-made)}],
        }
        for model, made in drawn.items()
    ]
    record = tmp_path / "size.json"
    record.write_text(json.dumps({"command": "nca sweep", "stages": {"matrices": 3}, "runs": runs}))
    whole, near = (sizes.pictures(str(record), part)["student"] for part in ("whole", "near"))
    assert list(whole) == ["DAE", "MSS-DAE", "SF"]
    assert all(torch.equal(whole[model].float(), drawn[model]) for model in drawn)
    assert all(torch.equal(near[model].float(), -drawn[model]) for model in drawn)
