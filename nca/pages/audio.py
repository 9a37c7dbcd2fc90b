"""Couplings to be heard: the sounds of a segment, and views of its matrices for the explorer."""

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from nca.analysis.runs import SegmentCouplings
from nca.analysis.separation import voice_magnitudes
from nca.couplings import Couplings
from nca.pages.explorer import View, encode
from nca.spectra import Segment, SongSpectra, segments
from nca.training import Trained

HEARD = ("student", "compositional")


@torch.no_grad()
def voices(trained: Trained, couplings: Couplings, segment: Segment, analysis: SongSpectra) -> dict[str, Tensor]:
    """Samples of a segment's mixture, true voice, the model's voice, and the voice by the matrix alone.

    Args:
        trained: the model with its scale.
        couplings: of that model on that segment.
        segment: of `analysis`.
        analysis: of the song; the estimates are heard with the phase of its mixture.
    """
    cut = analysis.cut(segment)
    return {
        "mixture": cut.geometry.istft(cut.mixture, cut.samples),
        "true voice": cut.geometry.istft(cut.voice, cut.samples),
        "the network's voice": cut.sound(trained.model(segment.mixture / trained.scale) * trained.scale),
        "voice through the couplings": cut.sound(voice_magnitudes(trained, couplings, segment)),
    }


def listening_views(
    coupled: Iterable[SegmentCouplings],
    analyses: Mapping[str, SongSpectra],
    frames: int,
    strategies: Sequence[str] = HEARD,
) -> list[View]:
    """Views for :func:`nca.explore`, each with its sounds.

    Args:
        coupled: segments of `frames` frames through networks.
        analyses: of their songs, by name.
        strategies: what to show of each, where it is there.
    """
    views = []
    for network, song, number, matrices in coupled:
        segment = segments(analyses[song], frames)[number]
        for strategy in (name for name in strategies if name in matrices):
            heard = voices(network, matrices[strategy], segment, analyses[song])
            audio = {name: encode(wave.numpy(), network.geometry.rate) for name, wave in heard.items()}
            views.append(View(matrices[strategy].matrix, network.model.name, strategy, song, number, audio))
    return views
