"""Test segments: T adjacent frames of a song, with all that is needed to hear an estimate of them (Sec. 4.2)."""

from dataclasses import dataclass, replace
from typing import Self, overload

import torch
from torch import Tensor

from nca.data import Recording
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
class RecordingSpectra:
    """A recording's spectra.

    Attributes:
        name: the recording's.
        geometry: of the transform.
        mixture: complex spectra `(bins, frames)`.
        samples: length of the waveform at the geometry's rate.
    """

    name: str
    geometry: Geometry
    mixture: Tensor
    samples: int

    def sound(self, magnitudes: Tensor) -> Tensor:
        """Samples of voice magnitudes `(..., bins, frames)` with the mixture's phase; negative ones count as 0."""
        phase = torch.polar(torch.ones_like(self.mixture.real), self.mixture.angle())
        return self.geometry.istft(magnitudes.clamp(min=0) * phase, self.samples)

    def part(self, start: int, frames: int) -> Self:
        """The spectra of `frames` adjacent frames alone, from frame `start`."""
        return replace(self, mixture=self.mixture[:, start : start + frames], samples=(frames - 1) * self.geometry.hop)


@dataclass(frozen=True)
class SongSpectra(RecordingSpectra):
    """A song's spectra: a recording's, and those of its true `voice` `(bins, frames)`, complex."""

    voice: Tensor

    def part(self, start: int, frames: int) -> Self:
        """The spectra of `frames` adjacent frames alone, from frame `start`."""
        return replace(super().part(start, frames), voice=self.voice[:, start : start + frames])

    def cut(self, segment: Segment) -> Self:
        """The spectra of one of the song's segments alone."""
        return self.part(segment.start, segment.mixture.shape[1])


@overload
def analyse(song: Song, geometry: Geometry) -> SongSpectra: ...
@overload
def analyse(song: Recording, geometry: Geometry) -> RecordingSpectra: ...
def analyse(song: Song | Recording, geometry: Geometry) -> RecordingSpectra:
    """Complex spectra of a song's mixture and voice, or of a recording's mixture alone."""
    mixture = geometry.resample(song.mixture, song.rate)
    spectra = RecordingSpectra(song.name, geometry, geometry.stft(mixture), mixture.shape[-1])
    if isinstance(song, Recording):
        return spectra
    return SongSpectra(**vars(spectra), voice=geometry.stft(geometry.resample(song.voice, song.rate)))


def segments(analysis: SongSpectra, frames: int = 350) -> list[Segment]:
    """The song's complete segments of `frames` frames (T), one after the other; a shorter rest is left out.

    Raises:
        ParameterError: for less than one frame.
        DataError: for a song shorter than one segment.
    """
    if frames < 1:
        raise ParameterError(f"A segment needs at least one frame, not {frames}.")
    mixture, voice = analysis.mixture.abs(), analysis.voice.abs()
    if mixture.shape[1] < frames:
        raise DataError(
            f"{analysis.name} has {mixture.shape[1]} frames, fewer than the {frames} of a segment;"
            " take a longer song or fewer frames a segment."
        )
    starts = range(0, mixture.shape[1] - frames + 1, frames)
    return [
        Segment(analysis.name, i, s, mixture[:, s : s + frames], voice[:, s : s + frames]) for i, s in enumerate(starts)
    ]
