"""What the book has found, in figures of its records, for the sentences that quote them."""

from collections.abc import Sequence

import pandas as pd

from nca.analysis.summaries import scores_by_song
from nca.analysis.tables import MODELS, PAPER
from nca.data import real_song
from nca.sweeps.archive import recorded_rows
from nca.sweeps.store import read_archive

NETWORK = ["model", "rate", "songs", "seed", "limit"]  # what tells the networks of the record apart


def findings(size: str, real: str, demo: str) -> dict[str, str]:
    """Every figure that the answers to RQ1 and RQ2 rest on, as text by name.

    Args:
        size: record of networks of growing size, made by `notebooks/size.yml`.
        real: record of real singing, made by `notebooks/mir1k.yml`.
        demo: record of every strategy on the demo corpus, made by `notebooks/judged.yml`.

    Raises:
        DataError: where a record is missing or broken.
    """
    return {
        **of_size(at_most_bands(size_rows(size))),
        **of_imitation(recorded_rows(real, "couple")),
        **of_scores(recorded_rows(real, "train")),
        **of_strategies(recorded_rows(demo, "judge").query("frames == 350")),
    }


def size_rows(record: str) -> pd.DataFrame:
    """The rows of a record of notebooks/size.yml, with the `limit` of the epochs; 0 is none but the rule's.

    Those of further strategies on the same networks, of notebooks/matrices.yml, come after them. A network that was
    trained with rounded products and without counts once, without.
    """
    parts = []
    stages = read_archive(record)["stages"]
    for stage in [name for name in ("network", "strategies") if name in stages]:
        runs = [run for run in read_archive(record)["runs"] if run["stage"] == stage]
        limits = [run["parameters"]["epochs"] for run in runs for _ in run["results"]]
        parts.append(recorded_rows(record, stage).assign(limit=limits))
    rows = pd.concat(parts, ignore_index=True)
    exact = rows.assign(exact=rows.precision == "float32").groupby(NETWORK).exact.transform("any")
    return rows[(rows.precision == "float32") | ~exact].reset_index(drop=True)


def at_most_bands(rows: pd.DataFrame, models: Sequence[str] = ("DAE", "SF")) -> pd.DataFrame:
    """The exact mappings at the most bands at which each of `models` was trained alike.

    To the end of the rule where they were, with the most seeds of each, on the most songs.

    Args:
        rows: of :func:`size_rows`.
    """
    exact = rows[rows.strategy.str.startswith("mean exact")].assign(ended=lambda row: row.limit == 0)
    alike = ["bins", "ended", "songs"]
    seeds = exact[exact.model.isin(models)].groupby([*alike, "model"]).seed.nunique().unstack(fill_value=0).min(axis=1)
    best = max(seeds.index[seeds > 0], key=lambda size: (*size[:2], seeds[size], size[2]))
    return exact[(exact[alike] == best).all(axis=1)]


def of_size(exact: pd.DataFrame) -> dict[str, str]:
    """TOD-R at one number of bands: of each network's map to the voice, and of SF's to the mask.

    `size-share-<model>` is the share of |C| on the diagonal, r / (1 + r) for r = TOD-R / sqrt(N) (Eq. 22).
    """
    bins = int(exact.bins.iloc[0])
    said = {"size-bins": f"{bins}", "size-chance": f"{exact.chance.iloc[0]:.3f}"}
    said |= {
        f"paper-{m}": f"{p:.2f} ± {s:.2f}" for m, (p, s) in zip(MODELS, PAPER["table-1"]["compositional"], strict=True)
    }
    said["size-chance-8k"] = f"{exact.chance_8k.iloc[0]:.3f}"
    to_mask = (exact.model == "SF") & (exact.target != "voice")
    asked = exact.assign(asked=exact.model.where(~to_mask, "mask"))
    for name, rows in asked.groupby("asked"):
        ratio = rows.tod_ratio / bins**0.5
        said |= {
            f"size-{name}": spread(rows.tod_ratio),
            f"size-8k-{name}": spread(rows.tod_ratio_8k),
            f"size-share-{name}": f"{(ratio / (1 + ratio)).mean():.1%}",
            f"size-count-{name}": f"{rows.seed.nunique()} x {len(rows) // rows.seed.nunique()}",
        }
    mean = asked.groupby("asked").tod_ratio.mean()
    if {"SF", "DAE", "mask"} <= set(mean.index):
        said |= {"size-times": f"{mean['SF'] / mean['DAE']:.0f}", "size-factor": f"{mean['DAE'] / mean['mask']:.1f}"}
    return {f"size-{model}": "not recorded yet" for model in MODELS} | said


def of_imitation(rows: pd.DataFrame) -> dict[str, str]:
    """What the best gain for each band, and the student's matrix, leave of the energy of each network's output."""
    said = {}
    for strategy in ("equaliser", "student"):
        chosen = rows[rows.strategy == strategy]
        for model, ratios in chosen.groupby("model").snr_model:
            said[f"{strategy}-{model}"] = f"{ratios.mean():.1f} dB"
            said[f"left-{strategy}-{model}"] = f"{(10 ** (-ratios / 10)).mean():.0%}"
    alone = rows[rows.strategy == "mean exact mapping"].groupby("model").snr_model.mean()
    segments = rows[["song", "segment"]].drop_duplicates()
    return said | {f"exact-{model}": f"{alone[model]:.1f} dB" for model in MODELS} | {"segments": f"{len(segments)}"}


def of_scores(rows: pd.DataFrame) -> dict[str, str]:
    """By how much SF's SI-SDR is above that of the others on the songs of unseen singers, with its standard error."""
    scores = scores_by_song(rows[rows.song != real_song().name])
    said = {"songs": f"{len(scores)}"}
    for model in ("DAE", "MSS-DAE"):
        gain = scores.SF - scores[model]
        said[f"gain-{model}"] = f"{gain.mean():+.2f} ± {gain.std() / len(gain) ** 0.5:.2f} dB"
    return said


def of_strategies(rows: pd.DataFrame) -> dict[str, str]:
    """What is known of the strategies' matrices on the demo corpus, and of the offsets."""
    offsets = rows.groupby("model").offset_share.mean()
    student = rows[rows.strategy == "student"]
    near = rows.groupby("strategy").exact_correlation.mean()
    return {f"offset-{model}": f"{offsets[model]:.0%}" for model in MODELS} | {
        "seeds": spread(student.seed_correlation.dropna()),
        "null": f"{student.null_space.mean():.0%}",
        "near-compositional": f"{near['compositional']:.2f}",
        "near-linear": f"{near['linear composition']:.2f}",
        "near-student": f"{near['student']:.2f}",
    }


def spread(values: pd.Series, digits: int = 2) -> str:
    """Mean ± standard deviation as text, the mean alone of a single value."""
    deviation = f" ± {values.std():.{digits}f}" if len(values) > 1 else ""
    return f"{values.mean():.{digits}f}{deviation}"
