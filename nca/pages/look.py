"""One song looked at: what a network makes of it and by which mapping, as one HTML file (`nca look`)."""

import math
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from torch import Tensor

from nca.analysis.diagnostics import estimate, unless_silent
from nca.analysis.local import LocalMapping
from nca.analysis.passages import Passages, couplings_of, sampled_mapping, through_passages
from nca.couplings import Couplings
from nca.data import is_silent, open_recording
from nca.errors import ParameterError
from nca.metrics import chance_tod_ratio, shuffled_tod_ratios, si_sdr, snr, tod_ratio
from nca.models import MODELS
from nca.pages import figures
from nca.pages.explorer import View, encode
from nca.pages.explorer.saved import save_page
from nca.pages.explorer.state import explorer_state
from nca.spectra import RecordingSpectra, SongSpectra, analyse
from nca.spectra import profile as geometry_of
from nca.training import Published, Trained, load_trained, pretrained

SECONDS = 30.0
LONGEST = 120.0  # seconds that a page holds, which stays below 8 MB
SHOWN = 1024  # lowest bands that the explorer shows, for the same reason
NAMES = {
    "student": "student strategy",
    "compositional": "compositional strategy",
    "mean exact mapping": "exact mapping",
    "mean exact Jacobian": "exact mapping, the mask's own term included",
}


def look(
    song: Path | str,
    model: str = "SF",
    start: float | None = None,
    seconds: float = SECONDS,
    profile: str | None = None,
    out: Path | str | None = None,
    progress: bool = False,
) -> Path:
    """Look at a song through a network: players, spectrograms, couplings, exact mapping and TOD-R in one HTML file.

    Args:
        song: any recording, as :func:`nca.open_recording` takes it; with stems its true voice is heard too.
        model: a network's name (:func:`nca.pretrained`), or the folder of one trained by `notebooks/train.md`.
        start: second to begin at; None for the `seconds` in which most is heard.
        seconds: length, at most 120.
        profile: of the transform, if it is to be checked that the network has it.
        out: the file; None for the song's and the network's names in the working directory.
        progress: show the iterations of both strategies.

    Raises:
        ParameterError: for an unknown network, or one of another profile, and for more seconds than a page holds.
        DataError: for a recording that cannot be used, a silent one, and a file that cannot be written.
    """
    if seconds > LONGEST:
        raise ParameterError(f"seconds is {seconds}; a page holds {LONGEST:.0f} at most, so give several.")
    network = _network(model, profile)
    recording = open_recording(song, start, seconds)
    passages = through_passages(network, analyse(recording, network.geometry), progress)
    path = out or f"{recording.name}-{network.model.name}.html".replace("/", "-")
    return save_page(path, "look.html", **_shown(passages, progress))


def _network(model: str, wanted: str | None) -> Trained | Published:
    if model in MODELS or model == "spleeter":
        network = pretrained(model)
    elif Path(model).is_dir():
        network = load_trained(model)
    else:
        names = ", ".join(MODELS)
        raise ParameterError(f"There is no network {model!r}; give {names}, spleeter, or the folder of a trained one.")
    if wanted is not None and geometry_of(wanted) != network.geometry:
        raise ParameterError(
            f"{model} is not of the profile {wanted}, but takes {network.geometry.bins} bands at"
            f" {network.geometry.rate} Hz; leave profile out, or give a network trained with it."
        )
    return network


@dataclass(frozen=True)
class Row:
    """What one matrix is, for the table: numbers as text, and a sentence.

    Attributes:
        name: how it was found, and what it leads to.
        tod_ratio, chance: Eq. (22), and that of the same entries with their columns in random orders.
        diagonal: share of all magnitudes that the diagonal holds, in per cent.
        snr: of the voice that the matrix alone makes to the network's, in dB.
        words: what the numbers say.
    """

    name: str
    tod_ratio: str
    chance: str
    diagonal: str
    snr: str
    words: str


def _shown(passages: Passages, progress: bool) -> dict[str, Any]:
    """What the template `look.html` is filled with."""
    network, spectra, at = passages.network, passages.spectra, passages.busiest
    start, frame_rate = passages.starts[at], network.geometry.frame_rate
    found = list(couplings_of(passages, at, progress))
    state, still = _explorer(passages, at, found)
    rows = [_row(network, couplings, passages.mixture(at)) for couplings, _ in found]
    sampled = sampled_mapping(passages, at, progress)
    sounds = _sounds(spectra, passages.voice, passages.through)
    return {
        "title": spectra.name,
        "model": network.model.name,
        "geometry": network.geometry,
        "seconds": spectra.samples / network.geometry.rate,
        "scores": _scores(passages, sounds),
        "sounds": _encoded(sounds, network.geometry.rate),
        "spectrograms": figures.png(figures.spectrograms(_spectra(passages), network.geometry))[0],
        "span": (start / frame_rate, (start + passages.frames) / frame_rate),
        "frames": passages.frames,
        "rows": rows + (_sampled_rows(sampled) if sampled else []),
        "mapping": sampled,
        "chance": chance_tod_ratio(network.geometry.bins),
        "state": state,
        "still": still,
        "version": version("nca"),
    }


def _sounds(spectra: RecordingSpectra, voice: Tensor, through: Tensor) -> dict[str, Tensor]:
    """Samples of all that is heard, by name; `voice` and `through` are magnitudes `(bins, frames)`."""
    heard = {"mixture": spectra.geometry.istft(spectra.mixture, spectra.samples)}
    if isinstance(spectra, SongSpectra):
        heard["true voice"] = spectra.geometry.istft(spectra.voice, spectra.samples)
    return heard | {"the network's voice": spectra.sound(voice), "voice through the couplings": spectra.sound(through)}


def _encoded(sounds: dict[str, Tensor], rate: int) -> dict[str, bytes]:
    return {name: encode(wave.numpy(), rate) for name, wave in sounds.items()}


def _spectra(passages: Passages) -> dict[str, Tensor]:
    """Magnitudes of all that is heard, by name."""
    spectra = passages.spectra
    voice = {"true voice": spectra.voice.abs()} if isinstance(spectra, SongSpectra) else {}
    made = {"the network's voice": passages.voice, "through the couplings": passages.through.clamp(min=0)}
    return {"mixture": spectra.mixture.abs()} | voice | made


def _scores(passages: Passages, sounds: dict[str, Tensor]) -> dict[str, float]:
    """SI-SDR in dB of the mixture and of what was made of it, where the true voice is known and not silent."""
    truth, spectra, network = sounds.get("true voice"), passages.spectra, passages.network
    if truth is None or is_silent(truth.numpy()):
        return {}
    judged = {f"the {name.removeprefix('the ')}": wave for name, wave in sounds.items() if name != "true voice"}
    if isinstance(network, Trained):
        judged["the best constant gain for each band"] = spectra.sound(network.static_gain * spectra.mixture.abs())
    return {name: si_sdr(truth, wave).item() for name, wave in judged.items()}


def _explorer(
    passages: Passages, at: int, found: list[tuple[Couplings, Tensor | None]]
) -> tuple[dict[str, Any], bytes]:
    """State and still of the explorer on couplings of one passage: their lowest bands, and what they make, heard."""
    network, part = passages.network, passages.spectra.part(passages.starts[at], passages.frames)
    voice = passages.voice[:, passages.starts[at] :][:, : passages.frames]
    views = []
    for couplings, mask in reversed(found):  # the exact mapping comes first
        made = estimate(network.model, couplings, passages.mixture(at)) * network.scale
        audio = _encoded(_sounds(part, voice, made), part.geometry.rate)
        gains = None if mask is None else mask[:SHOWN]
        views.append(View(couplings.matrix[:SHOWN, :SHOWN], strategy=_name(couplings), audio=audio, mask=gains))
    still = figures.normalised(found[-1][0].matrix[:SHOWN, :SHOWN], part.geometry.bandwidth)
    return explorer_state(views, part.geometry.bandwidth), figures.png(still)[0]


def _name(couplings: Couplings) -> str:
    return NAMES.get(couplings.strategy, couplings.strategy)


def _row(network: Trained | Published, couplings: Couplings, mixture: Tensor) -> Row:
    """The numbers of one matrix, and what they say."""
    ratio, random = tod_ratio(couplings.matrix).item(), shuffled_tod_ratios(couplings.matrix)
    own = unless_silent(snr, network.model(mixture), estimate(network.model, couplings, mixture))
    leads = "to the mask" if network.model.name == "SF" and couplings.target == "output" else "to the voice"
    return Row(
        name=f"{_name(couplings)}, {leads}",
        tod_ratio=f"{ratio:.3g}",
        chance=f"{random.mean():.3f} ± {random.std():.3f}",
        diagonal=f"{_diagonal(ratio, len(couplings.matrix)):.2%}",
        snr="" if own is None else f"{own:.1f}",
        words=_words(ratio, random, len(couplings.matrix)),
    )


def _diagonal(ratio: float, bins: int) -> float:
    """Share of all magnitudes that lies on the diagonal: Eq. (22) the other way round."""
    return ratio / (ratio + math.sqrt(bins)) if math.isfinite(ratio) else 1.0


def _words(ratio: float, random: Tensor, bins: int) -> str:
    """A verdict on TOD-R: at chance within three standard deviations of its own entries in random order."""
    if not ratio > random.mean() + 3 * random.std():
        return "no more on the diagonal than chance puts there: no filter of each band can be seen in it"
    times = f"{ratio / random.mean():.1f} times chance"
    if ratio < 2 * random.mean():
        return f"{times}: a trace of a filter of each band, and little more than chance"
    if _diagonal(ratio, bins) < 0.5:
        return f"{times}: bands do act on themselves, but most of the matrix leads from bands to other bands"
    return f"{times}: most of the matrix is a filter of each band by itself"


def _sampled_rows(mapping: LocalMapping) -> list[Row]:
    """The exact mapping of a network whose rows were drawn: both terms of its mask, and the second alone."""
    chance = f"{chance_tod_ratio(len(mapping.output)):.3f}"
    return [
        Row(
            name=f"exact mapping, {name}, of {len(mapping.rows)} bands in {len(mapping.frames)} frames",
            tod_ratio=f"{part.tod_ratio.value:.3g} ± {part.tod_ratio.error:.2g}",
            chance=chance,
            diagonal=f"{_diagonal(part.tod_ratio.value.item(), len(mapping.output)):.2%}",
            snr="",
            words=f"{part.share(0):.0%} of a row's energy comes from the same frame",
        )
        for name, part in (("to the voice", mapping.blocks), ("without the mask's own term", mapping.response))
    ]
