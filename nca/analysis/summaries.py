"""What pages say of many rows at once: what was counted, how the networks are ordered, what a network gains."""

import pandas as pd

SEGMENT = ["model", "seed", "song", "segment"]


def counted(rows: pd.DataFrame) -> pd.DataFrame:
    """Number of segments, and the seeds of the initialisations that they meet, a line a model."""
    return rows.drop_duplicates(SEGMENT).groupby("model").agg(segments=("song", "size"), seeds=("seed", "unique"))


def in_paper_order(rows: pd.DataFrame, strategy: str) -> tuple[int, int]:
    """Of how many segments TOD-R by a strategy is ordered DAE > MSS-DAE > SF, and of how many segments in all."""
    chosen = rows[rows.strategy == strategy]
    wide = chosen.pivot_table(index=["song", "segment"], columns="model", values="tod_ratio")
    ordered = (wide["DAE"] > wide["MSS-DAE"]) & (wide["MSS-DAE"] > wide["SF"])
    return int(ordered.sum()), len(wide)


def silent_segments(rows: pd.DataFrame) -> str:
    """The segments whose SNR is left out because a reference is silent, as text, or `nothing`."""
    silent = rows[rows.silent != ""][["song", "segment", "silent"]].drop_duplicates()
    return "nothing" if silent.empty else silent.to_string(index=False)


def scores_by_song(scores: pd.DataFrame) -> pd.DataFrame:
    """SI-SDR in dB of each model (mean over its initialisations), of the static gain and of the mixture, by song.

    Args:
        scores: rows of train.md, one a song and training.
    """
    wide = scores.pivot_table(index="song", columns="model", values="si_sdr_model")
    for name in ("static_gain", "mixture"):
        wide[name.replace("_", " ")] = scores.groupby("song")[f"si_sdr_{name}"].mean()
    return wide


def gains_by_singer(scores: pd.DataFrame) -> pd.DataFrame:
    """What each model gains over the static gain in dB: mean, min and max, and on how many songs, by singer.

    Args:
        scores: as :func:`scores_by_song` returns them; a song's name begins with its singer's and `_`.
    """
    gains = scores.drop(columns=["static gain", "mixture"]).sub(scores["static gain"], axis=0)
    rows = gains.stack().rename("gain").reset_index()
    by_singer = rows.assign(singer=rows.song.str.split("_").str[0]).groupby(["singer", "model"]).gain
    above = {"songs above": by_singer.agg(lambda gain: (gain > 0).sum()), "songs": by_singer.size()}
    return by_singer.agg(["mean", "min", "max"]).assign(**above)
