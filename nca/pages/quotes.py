"""The numbers that the sentences of a page quote, each by the name under which the page glues it."""

import pandas as pd

from nca.analysis.ranking import AXES, MOST, PLACE
from nca.analysis.strategies import TO_VOICE
from nca.analysis.summaries import in_paper_order
from nca.analysis.tables import MODEL_OUTPUT, MODELS, PAPER, summarise
from nca.metrics import chance_tod_ratio

PAPER_BINS = 2049


def of_results(rows: pd.DataFrame) -> dict[str, object]:
    """What the page Results quotes of the rows of couplings runs: Table 1, and its MSS-DAE with its error."""
    ours = summarise(rows, "table-1").loc[("compositional", "MSS-DAE")]
    paper = PAPER["table-1"]["compositional"][MODELS.index("MSS-DAE")]
    student = rows[rows.strategy == "student"].groupby("model").tod_ratio.mean() / rows.chance.iloc[0]
    ordered, number = in_paper_order(rows, "compositional")
    quoted = {
        "ordered": ordered,
        "in-all": number,
        "student-least": f"{student.min():.1f}",
        "student-most": f"{student.max():.1f}",
        "paper-student": ", ".join(f"{mean:.2f}" for mean, _ in PAPER["table-1"]["student"]),
        "mss-dae-ours": f"{ours['mean']:.3f} ± {ours['std']:.3f}",
        "mss-dae-count": int(ours["count"]),
        "songs": rows.song.nunique(),
        "mss-dae-seeds": rows[rows.model == "MSS-DAE"].seed.nunique(),
        "mss-dae-error": f"{ours['std'] / ours['count'] ** 0.5:.3f}",
        "mss-dae-paper": "{:.2f} ± {:.2f}".format(*paper),
    }
    return of_table_1(rows) | like_with_like(rows) | quoted


def like_with_like(rows: pd.DataFrame) -> dict[str, object]:
    """TOD-R of the maps from mixture to voice, of all three networks, and how far SF leads."""
    quoted: dict[str, object] = {}
    summary = summarise(rows, "table-1")
    for label, strategy in (("", "mean exact mapping"), ("student-", "student")):
        for model in MODELS:
            ours = summary.loc[(strategy + TO_VOICE, model)]
            quoted[f"voice-{label}{model}"] = f"{ours['mean']:.2f} ± {ours['std']:.2f}"
    exact = rows[rows.strategy == "mean exact mapping" + TO_VOICE]
    wide = exact.pivot_table(index=["song", "segment"], columns="model", values="tod_ratio")
    times = wide["SF"] / wide["DAE"]
    return quoted | {
        "voice-most": int((wide["SF"] == wide.max(axis=1)).sum()),
        "voice-count": len(wide),
        "voice-least-times": f"{times.min():.1f}",
        "voice-most-times": f"{times.max():.1f}",
    }


def of_forensics(
    ranked: pd.DataFrame, effects: pd.DataFrame, nearest: pd.DataFrame, rows: pd.DataFrame
) -> dict[str, object]:
    """What the page on how the tables were made quotes of a ranking of readings and of the rows behind it."""
    default = ranked[(ranked[list(AXES)] == [options[0] for options in AXES.values()]).all(axis=1)].iloc[0]
    best, own = ranked.iloc[0], effects.loc["variance: own"]
    strongest = effects.loc[effects["difference"].abs().idxmax()]
    return (
        chance_levels(rows)
        | of_identity(rows)
        | of_linear_composition(rows)
        | {
            "most": f"{MOST:.0f}",
            "combinations": len(ranked),
            "default-rank": int(default.name) + 1,
            "default-distance": _interval(default),
            "nearest-distance": _interval(best),
            "nearest-within": int(best["within 2"]),
            "overlapping": int((ranked["low"] <= best["high"]).sum()),
            "beyond": int((nearest["away"] > 2).sum()),
            "strongest": strongest.name,
            "strongest-difference": _interval(strongest, "difference", "+.2f"),
            "own-difference": _interval(own, "difference", "+.2f"),
            **{f"own-{table}": f"{own[table]:+.2f}" for table in ("table-2", "table-3")},
        }
    )


def of_identity(rows: pd.DataFrame) -> dict[str, object]:
    """The identity's SNR to the network, and the network's to the true voice, by whose variance divides the voice."""
    chosen = rows[rows.strategy == "identity"]
    by = chosen.groupby(["variance", "model"])[["snr_model", "snr_model_voice"]].mean()
    pairs = chosen.pivot_table(index=["model", "statistics", *PLACE], columns="variance", values="snr_model")
    gain = pairs["own"] - pairs["mixture"]
    printed = {"identity": PAPER["table-2"]["identity"], "output": PAPER["table-3"][MODEL_OUTPUT]}
    quoted: dict[str, object] = {
        f"{name}-paper": ", ".join(f"{mean:+.2f}" for mean, _ in cells) for name, cells in printed.items()
    }
    for variance in ("mixture", "own"):
        for name, column in (("identity", "snr_model"), ("output", "snr_model_voice")):
            quoted[f"{name}-{variance}"] = ", ".join(f"{by.loc[(variance, m), column]:+.1f}" for m in MODELS)
    return quoted | {"identity-gain": f"{gain.mean():+.1f} ± {gain.std():.1f} dB"}


def of_linear_composition(rows: pd.DataFrame) -> dict[str, object]:
    """By which factor all weights would have to change for the paper's two and four layers; norms over the output's."""
    ours = (
        rows[(rows.strategy == "linear composition") & (rows.statistics == "corpus")].groupby("model").snr_model.mean()
    )
    paper = dict(zip(MODELS, PAPER["table-2"]["linear composition"], strict=True))
    silent, loud = 1 - 10 ** (-paper["DAE"][0] / 20), 10 ** (-paper["MSS-DAE"][0] / 20)
    two, four = (10 ** (-ours[model] / 20) for model in ("DAE", "MSS-DAE"))
    return {
        "silent-norm": f"{silent:.4f}",
        "loud-norm": f"{loud:.0e}",
        "ours-two": f"{two:.0f}",
        "ours-four": f"{four:.0f}",
        "factor-two": f"{(silent / two) ** (1 / 2):.3f}",
        "factor-four": f"{(loud / four) ** (1 / 4):.0f}",
    }


def _interval(line: pd.Series, name: str = "distance", form: str = ".2f") -> str:
    return f"{line[name]:{form}} (95 % interval {line['low']:{form}} to {line['high']:{form}})"


def of_table_1(rows: pd.DataFrame) -> dict[str, object]:
    """TOD-R by the compositional strategy, ours by network and the paper's in a line, with the levels of chance."""
    ours = summarise(rows, "table-1")["mean"]["compositional"]
    paper = ", ".join(f"{mean:.2f}" for mean, _ in PAPER["table-1"]["compositional"])
    return {"paper-tod": paper} | {f"tod-{model}": f"{ours[model]:.2f}" for model in MODELS} | chance_levels(rows)


def chance_levels(rows: pd.DataFrame) -> dict[str, object]:
    """TOD-R of independent entries, with the bands of these rows and with the paper's."""
    return {"chance": f"{rows.chance.iloc[0]:.3f}", "chance-paper": f"{chance_tod_ratio(PAPER_BINS):.3f}"}
