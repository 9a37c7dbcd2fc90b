"""What the page on size shows of the recorded networks: tables, the curves' rows, and the numbers of its sentences."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor

from nca.analysis.bands import QUIET
from nca.analysis.pictures import picture
from nca.analysis.scaling import power_law
from nca.analysis.size import COUNTED
from nca.analysis.tables import MODELS, PAPER
from nca.pages.findings import NETWORK, at_most_bands
from nca.pages.names import named
from nca.spectra import profile
from nca.sweeps.archive import recorded_rows

COLUMNS = {"all bands": "tod_ratio", "lowest 8 kHz": "tod_ratio_8k", "lowest 257 bands": "tod_ratio_257"}
PAPER_FRAMES = 2.7e6


def trained(rows: pd.DataFrame) -> pd.DataFrame:
    """How many networks there are of each size and precision of the products, and their epochs in the mean."""
    each = rows.drop_duplicates(NETWORK)
    until = each.limit.map(lambda limit: f"{limit} epochs" if limit else "the rule's end")
    done = each.assign(until=until).groupby(["model", "bins", "training_frames", "until", "precision"])
    return done.agg(networks=("seed", "size"), epochs=("epochs", "mean"))


def left(rows: pd.DataFrame, planned: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """How many networks of a grid the record has and has not, by network and sampling rate.

    Args:
        rows: of :func:`nca.pages.findings.size_rows`.
        planned: the parameters of the grid's runs.
    """
    asked = pd.DataFrame(planned).assign(limit=lambda frame: frame.epochs.fillna(0).astype(int))[NETWORK]
    found = asked.merge(rows[NETWORK].drop_duplicates(), how="left", indicator=True)
    state = found["_merge"].map({"both": "recorded", "left_only": "to come"})
    return found.assign(runs=state).groupby(["model", "rate", "runs"]).size().unstack(fill_value=0)


def exact(rows: pd.DataFrame) -> pd.DataFrame:
    """The mean exact mappings to the network's output, a row a segment."""
    return rows[rows.strategy == "mean exact mapping"]


def over_bands(rows: pd.DataFrame) -> pd.DataFrame:
    """The exact mappings of networks that differ in their bands alone, a row a way of counting them in `counted`.

    Of the networks with a given number of epochs, those on as many songs as the most numbers of bands share.
    """
    limited = exact(rows)[exact(rows).limit > 0]
    alike = limited[limited.songs == limited.groupby("songs").bins.nunique().idxmax()]
    return pd.concat(alike.assign(counted=name, counted_ratio=alike[column]) for name, column in COLUMNS.items())


def beside_real_singing(rows: pd.DataFrame, real: str) -> pd.DataFrame:
    """TOD-R of the exact mappings of real singing between those of the sizes of `rows` that are next to it.

    Args:
        rows: of :func:`nca.pages.findings.size_rows`.
        real: record of notebooks/mir1k.yml.
    """
    bins, sizes = profile("mir-1k").bins, np.sort(exact(rows).bins.unique())
    nearest = [sizes[sizes < bins].max(), sizes[sizes > bins].min()]
    demo = exact(rows)[exact(rows).bins.isin(nearest)].assign(corpus="demo corpus")
    sung = exact(recorded_rows(real, "couple")).assign(corpus="real singing", bins=bins)
    return pd.concat([demo, sung]).groupby(["model", "bins", "corpus"])[["tod_ratio"]].agg(["mean", "std"])


def blocks(rows: pd.DataFrame) -> pd.DataFrame:
    """TOD-R of the blocks of the lowest bands, of the networks with the most bands."""
    columns = {f"tod_ratio_{n}": f"lowest {n}" for n in COUNTED} | {"tod_ratio": "all"}
    means = _largest(rows).groupby("model")[list(columns)].mean()
    return means.rename(columns=columns).dropna(axis=1)


def tables_at_most(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of Tables 1 to 3 at the most bands, of networks trained to the end of the rule where there are any.

    The identity, whose matrix is the same everywhere, is added from its recorded ratios.
    """
    alike = at_most_bands(rows)[[*NETWORK, "bins"]].drop_duplicates()
    chosen = rows[rows.target == "output"].merge(alike)
    unity = exact(chosen).assign(strategy="identity", tod_ratio=np.nan)
    ratios = {"snr_model": unity.snr_identity_model, "snr_voice": unity.snr_identity_voice}
    return pd.concat([chosen, unity.assign(**ratios).dropna(subset="snr_model")])


def pictures(record: str, part: str) -> dict[str, dict[str, Tensor]]:
    """The recorded pictures of matrices by strategy and model.

    Args:
        record: with the runs of notebooks/size/matrices.md.
        part: `whole` or `near`, see :func:`nca.analysis.pictures.picture_rows`.
    """
    rows = recorded_rows(record, "matrices").set_index(["strategy", "model"])[part]
    strategies = rows.index.unique("strategy")
    return {strategy: {model: picture(rows[strategy, model]) for model in MODELS} for strategy in strategies}


def laws(rows: pd.DataFrame) -> pd.DataFrame:
    """Exponents of the power law of TOD-R over bands, training frames and epochs, with their intervals."""
    found = []
    for model, counted, networks in _fitted(rows):
        law = power_law(networks, COLUMNS[counted], ["bins", "training_frames", "epochs"])
        found.append(law.terms.drop("constant").rename(named).assign(model=model, counted=counted, freedom=law.freedom))
    return pd.concat(found).rename_axis("exponent of").reset_index().set_index(["model", "counted", "exponent of"])


def predictions(rows: pd.DataFrame) -> pd.DataFrame:
    """TOD-R at the most bands recorded and the paper's training frames, with the 95 % interval of one network.

    Fitted to `all N`: each number of bands has a level of its own, frames and epochs have one exponent for all; for as
    many epochs as the rule took here in the mean. Fitted to the `most bands` alone: over the frames, at equal epochs.
    """
    found = []
    for model, counted, networks in _fitted(rows):
        column, most = COLUMNS[counted], networks.bins.max()
        at = {"training_frames": PAPER_FRAMES, "epochs": networks.epochs[networks.limit == 0].mean()}
        pooled = power_law(networks, column, ["training_frames", "epochs"], "bins")
        found.append([model, counted, "all N", *pooled.predict(at, most), pooled.freedom])
        equal = networks[(networks.bins == most) & (networks.limit > 0)]
        if equal.training_frames.nunique() > 2:
            own = power_law(equal, column, ["training_frames"])
            found.append([model, counted, "most bands", *own.predict(at), own.freedom])
    columns = ["model", "counted", "fitted to", "predicted", "low", "high", "freedom"]
    table = pd.DataFrame(found, columns=columns)
    paper = {
        m: f"{mean:.2f} ± {std:.2f}" for m, (mean, std) in zip(MODELS, PAPER["table-1"]["compositional"], strict=True)
    }
    return table.assign(paper=table.model.map(paper)).set_index(columns[:3])


def frame_exponents(rows: pd.DataFrame) -> pd.DataFrame:
    """The exponent of TOD-R over the training frames at each number of bands, at equal epochs, and from how many."""
    limited = _networks(rows).query("limit > 0")
    found = []
    for (model, bins), each in limited.groupby(["model", "bins"]):
        if each.training_frames.nunique() > 1:
            slopes = {
                name: np.polyfit(np.log(each.training_frames), np.log(each[column]), 1)[0]
                for name, column in COLUMNS.items()
            }
            found.append({"model": model, "bins": bins, "networks": len(each), **slopes})
    return pd.DataFrame(found).set_index(["model", "bins"])


def to_voice_and_mask(rows: pd.DataFrame) -> pd.DataFrame:
    """All exact mappings, with what they `map to`, and how far they carry over what chance gives."""
    mapped = rows[rows.strategy.str.startswith("mean exact")]
    to_mask = (mapped.model == "SF") & (mapped.target == "output")
    return mapped.assign(
        **{
            "map to": to_mask.map({True: "the mask", False: "the voice"}),
            "Hz / chance": mapped.displacement / mapped.displacement_chance,
            "octaves / chance": mapped.octaves / mapped.octaves_chance,
            "near beyond chance": (mapped.near - mapped.near_chance) / (1 - mapped.near_chance),
            "times the least": mapped.carried / mapped.transport,
        }
    )


def quoted(rows: pd.DataFrame) -> dict[str, str]:
    """The numbers that the page's sentences quote, by name."""
    top, alike, networks = _largest(rows), over_bands(rows), _networks(rows)
    lowest = blocks(rows).loc["DAE"]
    most = networks.training_frames[networks.bins == networks.bins.max()].max()
    said = {
        "largest": f"{top.bins.iloc[0]}",
        "quiet-db": f"{QUIET:.0f} dB",
        "quiet-bands": f"{top.quiet_bands.mean() / top.bins.iloc[0]:.0%}",
        "few-frames": f"{alike.training_frames.iloc[0]:,.0f}",
        "few-epochs": f"{alike.epochs.iloc[0]:.0f}",
        "dae-low": f"{lowest.iloc[0]:.2f}",
        "dae-all": f"{lowest.iloc[-1]:.2f}",
        "networks": f"{len(networks)}",
        "most-frames": f"{most:,.0f}",
        "beyond": f"{PAPER_FRAMES / most:.0f}",
        "span": f"{networks.training_frames.max() / networks.training_frames.min():.0f}",
    }
    for name in ("rows", "columns"):
        held = top.groupby("model")[f"quiet_{name}"].mean()
        said[f"quiet-{name}"] = ", ".join(f"{share:.0%} ({model})" for model, share in held.items())
    predicted = predictions(rows)
    return said | _verdicts(predicted) | _carried_on(predicted) | {"sf-over-dae": _sf_over_dae(rows)}


def _carried_on(predicted: pd.DataFrame) -> dict[str, str]:
    """The DAE's predictions by the fit that assumes least, and the paper's value."""
    said = {}
    for name, counted in {"carried-all": "all bands", "carried-8k": "lowest 8 kHz"}.items():
        last = predicted.loc["DAE", counted].iloc[-1]
        said[name] = f"{last.predicted:.2f} ({last.low:.2f} to {last.high:.2f})"
    return said | {"paper-dae": predicted.loc["DAE"].paper.iloc[0]}


def _verdicts(predicted: pd.DataFrame) -> dict[str, str]:
    """Of which networks and ways of counting the interval has the paper's mean, and of which it has not."""
    means = predicted.paper.str.split(" ").str[0].astype(float)
    inside = means.between(predicted.low, predicted.high)
    named = {name: [", ".join(key) for key in inside.index[inside == told]] for name, told in _TOLD.items()}
    return {name: "; ".join(each) or "none" for name, each in named.items()}


_TOLD = {"told": True, "missed": False}


def _sf_over_dae(rows: pd.DataFrame) -> str:
    mapped = to_voice_and_mask(rows)
    voices = mapped[mapped["map to"] == "the voice"].pivot_table(index="bins", columns="model", values="tod_ratio")
    return ", ".join(f"{row.SF / row.DAE:.0f} (N = {bins})" for bins, row in voices[["DAE", "SF"]].dropna().iterrows())


def _largest(rows: pd.DataFrame) -> pd.DataFrame:
    found = exact(rows)
    return found[found.bins == found.bins.max()]


def _networks(rows: pd.DataFrame) -> pd.DataFrame:
    """One row a network: ratios are geometric means over its segments, which are no independent evidence."""
    columns = list(COLUMNS.values())
    logs = exact(rows).assign(**{column: np.log(exact(rows)[column]) for column in columns})
    means = logs.groupby([*NETWORK, "bins", "training_frames", "epochs"], as_index=False)[columns].mean()
    return means.assign(**{column: np.exp(means[column]) for column in columns})


def _fitted(rows: pd.DataFrame) -> list[tuple[str, str, pd.DataFrame]]:
    """The networks of each model that has enough of them to tell frames and epochs apart, once a way of counting."""
    networks = _networks(rows)
    chosen = {model: networks[networks.model == model] for model in MODELS}
    enough = [
        m for m, each in chosen.items() if len(each) > each.bins.nunique() + 2 and each.training_frames.nunique() > 1
    ]
    return [(model, counted, chosen[model]) for model in enough for counted in ("all bands", "lowest 8 kHz")]
