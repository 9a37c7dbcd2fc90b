"""A recording through a network and through its couplings: passage by passage, and one passage more closely."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nca.analysis.diagnostics import estimate
from nca.analysis.local import LocalMapping, local_mapping
from nca.couplings import Couplings, compositional, student
from nca.couplings.problem import couplings_memory
from nca.errors import DataError
from nca.mapping import mean_jacobian, mean_mapping
from nca.models import Separator, SkipFiltering
from nca.spectra import RecordingSpectra
from nca.support.memory import batch_size, in_batches
from nca.training import Published, Trained

FRAMES = 350  # of a passage: a segment of Sec. 4.2
SAMPLED_FRAMES, SAMPLED_ROWS = 8, 24  # of a network whose every row takes a pass through it


@dataclass(frozen=True)
class Passages:
    """A recording cut into passages of `frames` frames; the last two overlap where they do not fill it.

    Attributes:
        network: with the scale of its input.
        spectra: of the recording.
        frames: of a passage.
        starts: first frame of each.
        voice: magnitudes `(bins, frames)` that the network makes of the recording.
        through: those that the student's couplings of each passage make.
        couplings: the student's, of each passage.
    """

    network: Trained | Published
    spectra: RecordingSpectra
    frames: int
    starts: list[int]
    voice: Tensor
    through: Tensor
    couplings: list[Couplings]

    @property
    def busiest(self) -> int:
        """The passage in which the network hears most of a voice."""
        energies = [self.voice[:, start : start + self.frames].square().sum() for start in self.starts]
        return int(torch.stack(energies).argmax())

    def mixture(self, passage: int) -> Tensor:
        """What the network is given of one passage, `(bins, frames)`."""
        return _cut(self.spectra.mixture.abs() / self.network.scale, self.starts[passage], self.frames)


@torch.no_grad()
def through_passages(network: Trained | Published, spectra: RecordingSpectra, progress: bool = False) -> Passages:
    """A recording through a network, and through the student's couplings (Eqs. 15 and 16) of each of its passages.

    Args:
        network: as :func:`nca.pretrained` or :func:`nca.load_trained` gives it.
        spectra: of the recording, in the network's geometry.
        progress: show the student's iterations.

    Raises:
        DataError: where the network hears no voice, so that there is nothing to imitate.
    """
    mixture = spectra.mixture.abs() / network.scale
    voice, length = network.model(mixture) * network.scale, mixture.shape[-1]
    if not voice.any():
        raise DataError(f"The network hears no voice in {spectra.name}; give another part of it, or another network.")
    frames = min(FRAMES, length)
    starts = sorted({*range(0, length - frames + 1, frames), length - frames})
    size = batch_size(couplings_memory(len(mixture), frames, 2, "student"), mixture.device)

    def work(some: Sequence[int]) -> list[Couplings]:
        batch = student(network.model, torch.stack([_cut(mixture, start, frames) for start in some]), progress=progress)
        return [batch.element(index) for index in range(len(some))]

    couplings, through = list(in_batches(work, starts, size)), torch.empty_like(voice)
    for start, found in zip(starts, couplings, strict=True):
        made = estimate(network.model, found, _cut(mixture, start, frames))
        through[:, start : start + frames] = made * network.scale
    return Passages(network, spectra, frames, starts, voice, through, couplings)


def couplings_of(passages: Passages, passage: int, progress: bool = False) -> Iterator[tuple[Couplings, Tensor | None]]:
    """Couplings of one passage by each strategy, the exact ones last, each with a mask's own term `(bins,)` if any.

    A network that is no chain of layers has those of the student alone; :func:`sampled_mapping` has its exact ones.
    """
    model, mixture = passages.network.model, passages.mixture(passage)
    yield passages.couplings[passage], None
    if isinstance(model, Separator):
        yield compositional(model, mixture, progress=progress), None
        yield mean_mapping(model, mixture), None
    if isinstance(model, SkipFiltering):
        yield mean_jacobian(model, mixture), model.decode(mixture).mean(-1)


def sampled_mapping(passages: Passages, passage: int, progress: bool = False) -> LocalMapping | None:
    """The local mapping of one passage, of some bands and frames, for a network that is no chain; None for others."""
    network = passages.network
    if not isinstance(network, Published):
        return None
    mask, mixture = network.model.mask, passages.mixture(passage)
    return local_mapping(mask, mixture, mask=True, frames=SAMPLED_FRAMES, rows=SAMPLED_ROWS, progress=progress)


def _cut(spectrum: Tensor, start: int, frames: int) -> Tensor:
    return spectrum[:, start : start + frames]
