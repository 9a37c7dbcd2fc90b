"""Summaries of rows against counting by hand."""

import pandas as pd
import pytest

from nca.analysis.summaries import counted, gains_by_singer, in_paper_order, scores_by_song, silent_segments


def rows() -> pd.DataFrame:
    """Two segments through three models by one strategy; on the second the order of the last two is turned round."""
    ratios = {("a", 0): (3.0, 2.0, 1.0), ("a", 1): (3.0, 1.0, 2.0)}
    found = [
        {"model": model, "seed": segment, "song": song, "segment": segment, "strategy": "student", "tod_ratio": ratio}
        for (song, segment), values in ratios.items()
        for model, ratio in zip(("DAE", "MSS-DAE", "SF"), values, strict=True)
    ]
    return pd.DataFrame(found).assign(silent="")


def test_segments_and_seeds_are_counted_once_whatever_the_number_of_strategies():
    table = counted(pd.concat([rows(), rows().assign(strategy="compositional")]))
    assert table.segments.tolist() == [2, 2, 2]
    assert [seeds.tolist() for seeds in table.seeds] == [[0, 1]] * 3


def test_the_papers_order_is_counted_segment_by_segment():
    assert in_paper_order(rows(), "student") == (1, 2)


def test_a_silent_segment_is_named_once():
    assert silent_segments(rows()) == "nothing"
    silent = rows().assign(silent=["snr_voice", *[""] * 5])
    assert silent_segments(silent).split() == ["song", "segment", "silent", "a", "0", "snr_voice"]


def test_scores_and_gains_are_means_over_initialisations_and_songs():
    scores = pd.DataFrame(
        [
            {"song": song, "model": "DAE", "si_sdr_model": score, "si_sdr_static_gain": 1.0, "si_sdr_mixture": -2.0}
            for song, score in (("amy_1", 2.0), ("amy_1", 4.0), ("amy_2", 0.0), ("bob_1", 5.0))
        ]
    )
    wide = scores_by_song(scores)
    assert wide.loc["amy_1"].to_dict() == {"DAE": 3.0, "static gain": 1.0, "mixture": -2.0}
    gains = gains_by_singer(wide)
    assert gains.loc[("amy", "DAE")].tolist() == pytest.approx([0.5, -1, 2, 1, 2])
    assert gains.loc[("bob", "DAE"), ["mean", "songs above", "songs"]].tolist() == [4, 1, 1]
