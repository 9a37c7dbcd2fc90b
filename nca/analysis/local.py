"""The exact local mapping of any network: what it does with small changes of a mixture, from frame to frame.

The block of a network's Jacobian J that leads from input frame t - l to output frame t,

    C_tl = dy_t / dx_(t-l)    (bins, bins),

is the C_t of Eq. (14) where the network is a chain of ReLUs that takes each frame by itself; l = 0 is then the only
lag. For any network :func:`local_mapping` averages the blocks over frames, and measures their rows as they come, so
that none is held. The row of band i at frame t, over all lags, is one product e_(t,i) J with a unit vector.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor
from tqdm import tqdm

from nca.analysis.gathering import Blocks, Choice, Gathered, Sample
from nca.analysis.jacobian import Jacobian
from nca.couplings.network import Network
from nca.support.memory import in_batches
from nca.training import Checkpoint


@dataclass(frozen=True)
class LocalMapping:
    """What a network does around one mixture `(bins, frames)`.

    Attributes:
        frames, rows: output frames t and bands i that were looked at.
        blocks: of the Jacobian J of the network's output; of a mask network, of the voice.
        response: `blocks` without diag(m), what a fixed mask would do: what is left is that the mask answers to the
            mixture, diag(x) dm/dx. For a network without a mask the same as `blocks`.
        mask: mean of the mask m over the chosen frames `(rows,)`; None for a network without one.
        output: y `(bins, frames)`, all of it; of a mask network, the voice.
        offset: y - J x `(bins, frames)`: what no linear map makes of the mixture. 0 for a chain of ReLUs without
            biases; with biases what :func:`nca.offsets` gives.
    """

    frames: tuple[int, ...]
    rows: tuple[int, ...]
    blocks: Blocks
    response: Blocks
    mask: Tensor | None
    output: Tensor
    offset: Tensor

    @property
    def offset_share(self) -> float:
        """|J x - y| / |y|, how far the network is from its linear part; not a number for a silent output."""
        return (self.offset.norm() / self.output.norm()).item()


def local_mapping(
    network: Network,
    mixture: Tensor,
    mask: bool = False,
    lags: Sequence[int] = (0,),
    frames: Choice = None,
    rows: Choice = None,
    seed: int = 0,
    memory: int | None = None,
    progress: bool | Callable[[float], None] = False,
    checkpoint: Checkpoint | None = None,
) -> LocalMapping:
    """The exact local mapping of any network at one mixture, by a vector-Jacobian product a frame and band.

    For a chain of ReLUs the mean block is that of :func:`nca.mean_mapping`, which has a closed form; for skip
    filtering, with `mask=True`, that of :func:`nca.mean_jacobian`.

    Args:
        network: any callable from magnitudes `(bins, frames)` to magnitudes or a mask of the same shape, made of
            differentiable operations; channels, logarithms, context and recurrence may be inside. It is called as
            :func:`nca.couplings.network.decode` does: a `Sequential` takes the frames as rows, SkipFiltering gives its
            mask.
        mixture: magnitudes `(bins, frames)`, float32 or float64, on the network's device.
        mask: whether the network gives a mask; the mapping is then the one to the voice, mask times mixture.
        lags: of the blocks to average: 0 is the same frame, 1 the one before, -1 the one after.
        frames, rows: output frames and bands to look at: all (None), those of a list, or a number of them drawn without
            replacement; what is drawn gives estimates with an error.
        seed: of the draws.
        memory: bytes that a batch of products may take; by default as many as
            :func:`nca.support.memory.batch_size` plans with.
        progress: show the rows done and the time left, or a function that is called with the share that is done.
        checkpoint: where a long computation is kept: one that was cut off goes on from there, and one that is complete
            is only read, until `checkpoint.discard()`.

    Raises:
        ParameterError, DataError: see :class:`nca.analysis.jacobian.Jacobian`; and for lags, frames or bands that the
            mixture does not have. DataError for a checkpoint that is damaged or cannot be written.
        MemoryLimitError: where not even one product fits into `memory`.
    """
    jacobian = Jacobian(network, mixture, mask)
    sample = Sample(mixture, frames, rows, lags, seed)
    voice, response = Gathered(sample, mixture), Gathered(sample, mixture)
    with _kept(checkpoint, jacobian, sample, {"voice": voice, "response": response}) as kept:
        for batch, gradients in _products(jacobian, sample, kept.done, memory, progress):
            response.add(batch, gradients)
            if jacobian.mask is not None:
                at, of = sample.places(batch)
                gradients[torch.arange(len(batch)), of, at] += jacobian.mask[of, at]
                voice.add(batch, gradients)
            kept.advance(batch.stop)
    answer = response.result("output" if jacobian.mask is None else "voice")
    return LocalMapping(
        frames=tuple(sample.frames.tolist()),
        rows=tuple(sample.rows.tolist()),
        blocks=answer if jacobian.mask is None else voice.result("voice"),
        response=answer,
        mask=None if jacobian.mask is None else jacobian.mask[sample.rows][:, sample.frames].mean(-1),
        output=jacobian.output,
        offset=jacobian.output - jacobian.applied(jacobian.mixture.unsqueeze(0)).squeeze(0),
    )


def _products(
    jacobian: Jacobian, sample: Sample, done: int, memory: int | None, progress: bool | Callable[[float], None]
) -> Iterator[tuple[range, Tensor]]:
    """Batches of rows of J `(products, bins, frames)` with their numbers, as many at once as memory allows."""
    everything = range(len(sample.frames) * len(sample.rows))[done:]

    def work(batch: Sequence[int]) -> list[tuple[range, Tensor]]:
        numbers = range(batch[0], batch[-1] + 1)
        at, of = sample.places(numbers)
        units = jacobian.mixture.new_zeros(len(numbers), *jacobian.mixture.shape)
        units[torch.arange(len(numbers)), of, at] = 1
        return [(numbers, jacobian.transposed(units))]

    total = done + len(everything)
    with tqdm(initial=done, total=total, desc="local mapping", unit="row", disable=progress is not True) as bar:
        for numbers, gradients in in_batches(work, everything, jacobian.batch(memory)):
            yield numbers, gradients
            bar.update(len(numbers))
            if callable(progress):
                progress(numbers.stop / total)


class _Kept:
    """What was gathered so far, in a checkpoint where there is one."""

    def __init__(self, checkpoint: Checkpoint | None, parts: Mapping[str, Gathered]) -> None:
        self.checkpoint, self.parts, self.done = checkpoint, parts, 0
        if checkpoint and (found := checkpoint.read()):
            tensors, state = found
            self.done = state["done"]
            for name, tensor in tensors.items():
                part, _, measure = name.partition("/")
                parts[part].sums[measure] = tensor.to(parts[part].sums["blocks"].device)

    def advance(self, done: int) -> None:
        self.done = done
        if self.checkpoint and self.checkpoint.due:
            self.write()

    def write(self) -> None:
        tensors = {f"{part}/{name}": each for part, held in self.parts.items() for name, each in held.sums.items()}
        if self.checkpoint:
            self.checkpoint.write(tensors, {"done": self.done})


@contextmanager
def _kept(
    checkpoint: Checkpoint | None, jacobian: Jacobian, sample: Sample, parts: Mapping[str, Gathered]
) -> Iterator[_Kept]:
    """Sums that go on from a checkpoint of the same mapping, and are written to it at the end."""
    identity = {
        "network and mixture": [_digest(each) for each in (jacobian.mixture, jacobian.output)],
        "mask": jacobian.mask is not None,
        "sample": [sample.frames.tolist(), sample.rows.tolist(), sample.drawn_from, sample.lags],
    }
    with checkpoint.training("local-mapping", identity) if checkpoint else nullcontext():
        kept = _Kept(checkpoint, parts)
        yield kept
        kept.write()


def _digest(tensor: Tensor) -> str:
    return hashlib.sha256(tensor.cpu().numpy().tobytes()).hexdigest()
