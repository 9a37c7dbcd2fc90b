"""Test segments: T adjacent frames of a song, with all that is needed to hear an estimate of them (Sec. 4.2)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from nca.errors import DataError, ParameterError
from nca.spectra.building import Song
from nca.spectra.geometry import Geometry


@dataclass(frozen=True)
class Segment:
    """`frames` adjacent frames: magnitudes `(bins, frames)` of mixture and voice, from frame `start` of the song."""

    song: str
    index: int
    start: int
    mixture: Tensor
    voice: Tensor


@dataclass(frozen=True)
class Analysis:
    """A song's spectra.

    Attributes:
        name: the song's.
        geometry: of the transform.
        mixture, voice: complex spectra `(bins, frames)`.
        samples: length of the waveform at the geometry's rate.
    """

    name: str
    geometry: Geometry
    mixture: Tensor
    voice: Tensor
    samples: int

    def sound(self, magnitudes: Tensor) -> Tensor:
        """Samples of voice magnitudes `(..., bins, frames)` with the mixture's phase; negative ones count as 0."""
        phase = torch.polar(torch.ones_like(self.mixture.real), self.mixture.angle())
        return self.geometry.istft(magnitudes.clamp(min=0) * phase, self.samples)

    def cut(self, segment: Segment) -> "Analysis":
        """The analysis of one of the song's segments alone."""
        frames = slice(segment.start, segment.start + segment.mixture.shape[-1])
        samples = (segment.mixture.shape[-1] - 1) * self.geometry.hop
        return Analysis(self.name, self.geometry, self.mixture[:, frames], self.voice[:, frames], samples)


def analyse(song: Song, geometry: Geometry) -> Analysis:
    """Complex spectra of a song's mixture and voice."""
    mixture, voice = (geometry.resample(signal, song.rate) for signal in (song.mixture, song.voice))
    return Analysis(song.name, geometry, geometry.stft(mixture), geometry.stft(voice), mixture.shape[-1])


def segments(analysis: Analysis, frames: int = 350) -> list[Segment]:
    """The song's whole segments of `frames` frames (T), one behind the other; a rest shorter than that is left out.

    Raises:
        ParameterError: for less than one frame.
        DataError: for a song shorter than one segment.
    """
    if frames < 1:
        raise ParameterError(f"A segment needs at least one frame, not {frames}.")
    mixture, voice = analysis.mixture.abs(), analysis.voice.abs()
    if mixture.shape[-1] < frames:
        raise DataError(
            f"{analysis.name} has {mixture.shape[-1]} frames, fewer than the {frames} of a segment;"
            " take a longer song or fewer frames a segment."
        )
    starts = range(0, mixture.shape[-1] - frames + 1, frames)
    return [
        Segment(analysis.name, i, s, mixture[:, s : s + frames], voice[:, s : s + frames]) for i, s in enumerate(starts)
    ]
