"""What the answers quote: of which networks, and the figures by another way."""

import json

import pandas as pd
import pytest
import torch

from nca import tod_ratio
from nca.pages import findings


def network(bins=8, limit=0, songs=3, model="DAE", seed=0, target="output", ratio=0.5, strategy="mean exact mapping"):
    figures = {"tod_ratio": ratio, "tod_ratio_8k": 2 * ratio, "chance": 0.1, "chance_8k": 0.2}
    about = {"bins": bins, "limit": limit, "songs": songs, "model": model, "seed": seed}
    return about | {"target": target, "strategy": strategy} | figures


def test_the_networks_quoted_are_the_largest_that_were_trained_alike():
    rows = [network(bins, limit, songs, model) for bins, limit, songs, model in (
        (4, 0, 3, "DAE"), (4, 0, 3, "SF"),
        (8, 12, 3, "DAE"), (8, 12, 3, "SF"), (8, 12, 12, "DAE"), (8, 12, 12, "SF"), (8, 12, 12, "MSS-DAE"),
        (8, 0, 3, "DAE"), (8, 12, 48, "DAE"), (16, 0, 3, "DAE"),
    )]  # fmt: skip
    found = findings.at_most_bands(pd.DataFrame([*rows, network(8, 12, 12, "SF", strategy="student")]))
    assert found[["bins", "limit", "songs"]].drop_duplicates().values.tolist() == [[8, 12, 12]]
    assert sorted(found.model) == ["DAE", "MSS-DAE", "SF"]
    more = [network(8, 12, 3, model, seed=1) for model in ("DAE", "SF")]
    assert set(findings.at_most_bands(pd.DataFrame([*rows, *more])).songs) == {3}  # two seeds rather than more songs
    ended = findings.at_most_bands(pd.DataFrame([*rows, network(8, 0, 3, "SF")]))
    assert set(ended.limit) == {0}


def test_rows_of_a_record_are_of_each_network_once_and_of_its_further_strategies(tmp_path):
    def run(stage, strategies, **parameters):
        about = {"model": "DAE", "rate": 44100, "songs": 3, "seed": 0, "epochs": 0, "precision": "bfloat16"}
        results = [{"strategy": name, "tod_ratio": 0.5, "epochs": 90} for name in strategies]
        return {"stage": stage, "parameters": about | parameters, "results": results}

    runs = [
        run("network", ["student"]),
        run("strategies", ["compositional"]),
        run("network", ["student", "mean exact mapping"], seed=1),
        run("network", ["student"], seed=1, precision="float32"),
        run("network", ["student"], seed=1, epochs=12),
        run("matrices", ["compositional"]),
    ]
    record = {"command": "nca sweep", "stages": dict.fromkeys(("network", "strategies", "matrices"), 1), "runs": runs}
    (tmp_path / "size.json").write_text(json.dumps(record))
    rows = findings.size_rows(str(tmp_path / "size.json"))
    assert sorted(rows[["seed", "limit", "precision", "strategy"]].itertuples(index=False, name=None)) == [
        (0, 0, "bfloat16", "compositional"),
        (0, 0, "bfloat16", "student"),
        (1, 0, "float32", "student"),
        (1, 12, "bfloat16", "student"),
    ]


def test_the_share_of_the_diagonal_is_that_of_the_matrix():
    matrix = torch.rand(8, 8, generator=torch.Generator().manual_seed(0))
    ratio = tod_ratio(matrix).item()
    rows = [
        network(ratio=ratio),
        network(model="SF", target="output", ratio=0.1),
        network(model="SF", target="voice", ratio=4 * ratio),
    ]
    quoted = findings.of_size(pd.DataFrame(rows))
    assert quoted["size-share-DAE"] == f"{(matrix.trace() / matrix.sum()).item():.1%}"
    assert (quoted["size-mask"], quoted["size-8k-mask"], quoted["size-SF"]) == ("0.10", "0.20", f"{4 * ratio:.2f}")
    assert (quoted["size-times"], quoted["size-bins"], quoted["paper-DAE"]) == ("4", "8", "0.36 ± 0.13")
    assert (quoted["size-factor"], quoted["size-MSS-DAE"]) == (f"{ratio / 0.1:.1f}", "not recorded yet")


def test_what_a_matrix_leaves_is_the_energy_that_its_snr_says():
    rows = [
        {"strategy": strategy, "model": model, "snr_model": decibels, "song": "a", "segment": segment}
        for model in ("DAE", "MSS-DAE", "SF")
        for segment, decibels in enumerate((10.0, 20.0))
        for strategy in ("equaliser", "student", "mean exact mapping")
    ]
    quoted = findings.of_imitation(pd.DataFrame(rows))
    assert (quoted["left-equaliser-SF"], quoted["equaliser-SF"], quoted["exact-DAE"]) == ("6%", "15.0 dB", "15.0 dB")
    assert quoted["segments"] == "2"


def test_a_gain_is_paired_by_song_and_leaves_the_real_song_out():
    scores = {"DAE": (1.0, 5.0), "MSS-DAE": (1.0, 5.0), "SF": (2.0, 8.0)}
    rows = [
        {"song": f"singer_{number}", "model": model, "si_sdr_model": each, "si_sdr_static_gain": 0, "si_sdr_mixture": 0}
        for model, of_songs in scores.items()
        for number, each in enumerate(of_songs)
    ]
    real = [row | {"song": findings.real_song().name, "si_sdr_model": 99.0} for row in rows[:2]]
    quoted = findings.of_scores(pd.DataFrame([*rows, *real]))
    assert (quoted["songs"], quoted["gain-DAE"]) == ("2", "+2.00 ± 1.00 dB")


def test_the_shipped_records_give_every_figure():
    quoted = findings.findings(*(f"book/records/{name}.json" for name in ("size", "mir-1k", "judged")))
    assert not [name for name, text in quoted.items() if "nan" in text]
    assert float(quoted["size-chance"]) == pytest.approx(int(quoted["size-bins"]) ** -0.5, rel=0.05)
