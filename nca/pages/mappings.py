"""Local mappings to be heard and touched: the voice by the mask, by the mean matrix, by the derivative's part alone."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor
from torch.nn.functional import pad

from nca.analysis.local import LocalMapping, local_mapping
from nca.couplings.network import Network
from nca.errors import ParameterError
from nca.pages.explorer import View, encode
from nca.pages.explorer.views import as_views
from nca.spectra import RecordingSpectra, SongSpectra

CONTEXT = 350  # frames that the network hears around those that are mapped: a segment of Sec. 4.2


def mapped_voices(mapping: LocalMapping, spectra: RecordingSpectra, scale: Tensor | float = 1.0) -> dict[str, Tensor]:
    """Samples of the voice that each part of a local mapping makes, by name, beside the mixture and the true voice.

    The mean matrices of all lags make `sum_l C_l x_(t-l)`. Of a mask network y = m x, J x = y + diag(x) dm/dx x: what
    the derivative of the mask adds is J x - y, and is heard with its sign.

    Args:
        mapping: of the network at `spectra.mixture.abs() / scale`, with all bands.
        spectra: of the frames that the network was given; all is heard with the phase of their mixture.
        scale: what magnitudes were divided by.

    Raises:
        ParameterError: where the mapping is of other frames, or of some bands only.
    """
    if mapping.output.shape != spectra.mixture.shape or len(mapping.rows) < len(mapping.output):
        raise ParameterError(
            f"The mapping has {len(mapping.rows)} bands of {tuple(mapping.output.shape)} and the spectra are"
            f" {tuple(spectra.mixture.shape)}; give the spectra that it was taken at, and rows=None."
        )
    geometry, samples = spectra.geometry, spectra.samples
    heard = {"mixture": geometry.istft(spectra.mixture, samples)}
    if isinstance(spectra, SongSpectra):
        heard["true voice"] = geometry.istft(spectra.voice, samples)
    own = "the network's voice" if mapping.mask is None else "voice by the mask"
    mean = by_mean(mapping, spectra.mixture.abs() / scale)
    heard |= {own: spectra.sound(mapping.output * scale), "voice by the mean matrix": spectra.sound(mean * scale)}
    if mapping.mask is not None:
        added = -mapping.offset * scale
        heard["the derivative's part alone"] = spectra.sound(added) - spectra.sound(-added)
    return heard


def by_mean(mapping: LocalMapping, mixture: Tensor) -> Tensor:
    """What the mean matrices of all lags make of a mixture: `sum_l C_l x_(t-l)` `(bins, frames)`."""
    lags, length = mapping.blocks.lags, mixture.shape[-1]
    moved = [pad(mixture, (max(lag, 0), max(-lag, 0)))[:, max(-lag, 0) :][:, :length] for lag in lags]
    return sum((C @ x for C, x in zip(mapping.blocks.matrix, moved, strict=True)), mixture.new_zeros(mixture.shape))


def mapped_views(
    mapping: LocalMapping, spectra: RecordingSpectra, scale: Tensor | float = 1.0, model: str = ""
) -> list[View]:
    """Views of a local mapping's mean matrices for :func:`nca.explore`, with the sounds of :func:`mapped_voices`.

    Raises:
        ParameterError: as :func:`mapped_voices`.
    """
    heard = mapped_voices(mapping, spectra, scale)
    audio = {name: encode(wave.numpy(), spectra.geometry.rate) for name, wave in heard.items()}
    return [replace(view, song=spectra.name, audio=audio) for view in as_views({model: mapping})]


def remap(
    network: Network,
    songs: Mapping[str, RecordingSpectra],
    scale: Tensor | float = 1.0,
    mask: bool = False,
    context: int = CONTEXT,
) -> dict[str, Any]:
    """Arguments with which :func:`nca.explore` maps any network anew, at the song, second, frames and lags chosen.

    `nca.explore(views, **nca.remap(network, {"my song": nca.analyse(nca.open_recording("song.mp3"), geometry)}))`.

    Args:
        network, mask: as in :func:`nca.local_mapping`.
        songs: spectra by the names to choose from.
        scale: what magnitudes are divided by before the network sees them.
        context: frames that the network is given, the mapped ones in their middle.

    Raises:
        ParameterError: where there is no song.
    """
    if not songs:
        raise ParameterError("There is no song to map; give at least one, as nca.analyse makes it.")

    def recompute(parameters: Mapping[str, Any], progress: Callable[..., None]) -> Sequence[View]:
        spectra, reach = songs[parameters["song"]], parameters["lags"]
        start = round(parameters["second"] * spectra.geometry.frame_rate)
        part = spectra.part(start, min(context, spectra.mixture.shape[-1] - start))
        middle = (part.mixture.shape[-1] - parameters["frames"]) // 2
        mapping = local_mapping(
            network,
            part.mixture.abs() / scale,
            mask,
            lags=range(-reach, reach + 1),
            frames=range(middle, middle + parameters["frames"]),
            progress=progress,
        )
        label = f"{parameters['frames']} frames from second {parameters['second']:.1f}"
        return [replace(view, strategy=label) for view in mapped_views(mapping, part, scale, "computed here")]

    longest = max(spectra.mixture.shape[-1] / spectra.geometry.frame_rate for spectra in songs.values())
    controls = {"song": list(songs), "second": (0.0, longest, 0.1), "frames": (1, 16), "lags": (0, 8)}
    return {"recompute": recompute, "controls": controls}
