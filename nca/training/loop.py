"""Training many initialisations of a model at once (Eqs. 1 and 3, Sec. 4.1).

One step of all instances is one batched product a layer and one pass of Adam. Models that look beyond the frame take
their turns, on blocks of consecutive frames or on frames with those around them. Each instance shuffles by its own
seed, halves its own learning rate and stops by its own loss, so it ends as if it had been trained alone.
"""

import hashlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from nca.errors import DataError, MemoryLimitError, ParameterError
from nca.models import Batch, Separator
from nca.support.memory import out_of_memory
from nca.support.precision import PRECISIONS, check_precision, flushed_denormals, products
from nca.training.batches import Signal, gather, shuffles, surrounded
from nca.training.checkpoint import Checkpoint
from nca.training.ensemble import Ensemble
from nca.training.instances import Instances
from nca.training.schedule import History, Schedule
from nca.training.stack import Stack

SAMPLE = 64  # frames that tell one data set from another


def train(
    model: Separator | Batch,
    mixture: Signal,
    voice: Signal,
    scale: Tensor,
    seeds: Sequence[int],
    schedule: Schedule = Schedule(),  # noqa: B008 -- frozen
    progress: bool = True,
    precision: str = "float32",
    checkpoint: Checkpoint | None = None,
) -> list[History]:
    """Train every instance of `model` in place, Eq. (1), and return each training history.

    Args:
        model: a batch of `len(seeds)` instances, as :func:`nca.models.build` makes it, on the device to train on.
        mixture, voice: training magnitudes `(frames, bins)`: arrays in memory or memory-mapped, or tensors on the
            model's device; in single or half precision.
        scale: what the magnitudes are divided by, `(bins, 1)`, on the model's device.
        seeds: of the shuffles, one an instance.
        progress: show the frames done, the loss and the time left.
        precision: of the products: `float32`, `tf32` (CUDA alone) or `bfloat16`; weights and Adam stay in float32.
        checkpoint: where a training under way is kept. A training that was cut short goes on from there, and ends in
            the same bits as one that was not, on the same machine with as many threads.

    Raises:
        ParameterError: where seeds and instances differ in number, or for a precision that is unknown or not of the
            device.
        MemoryLimitError: where the device's memory is too small.
        DataError: for no frames, unequal signals, a loss that is not finite, or a checkpoint that cannot be written.
    """
    _check(model, mixture, voice, seeds, schedule, precision)
    held: AbstractContextManager[None] = nullcontext()
    if checkpoint:
        held = checkpoint.training(model.name, _identity(model, mixture, voice, scale, seeds, schedule, precision))
    # Adam's moments of units that stay closed decay to denormal numbers
    with _memory(model, checkpoint), products(precision), flushed_denormals(), held:
        if checkpoint and progress:
            print(f"{model.name}: kept in {checkpoint.path} while it trains", file=sys.stderr)
        training = Training(model, (mixture, voice), scale, seeds, schedule, precision, checkpoint)
        try:
            training.run(progress)
        finally:
            training.ensemble.restore()
    return training.histories


class Training:
    """A training under way; the arguments are those of :func:`train`.

    Attributes:
        length: of both signals, in frames.
        frames: of an epoch: all but what is left over when they are cut into the model's blocks.
        histories: of the instances.
        batch: of the current epoch that comes next.
        totals: summed loss `(instances in training,)` of the current epoch's frames.
    """

    def __init__(
        self,
        model: Separator | Batch,
        signals: tuple[Signal, Signal],
        scale: Tensor,
        seeds: Sequence[int],
        schedule: Schedule,
        precision: str,
        checkpoint: Checkpoint | None,
    ) -> None:
        self.signals, self.scale, self.seeds, self.schedule = signals, scale, seeds, schedule
        self.model, dtype = model, PRECISIONS[precision]
        chain = isinstance(model, Separator)
        self.ensemble: Stack = (Ensemble if chain else Instances)(model, dtype, schedule.betas)  # type: ignore[arg-type]
        self.length = len(signals[0])
        self.frames = self.length // model.block * model.block
        self.histories = [History(schedule.learning_rate) for _ in seeds]
        self.batch, self.checkpoint = 0, checkpoint
        self.totals = scale.new_zeros(len(seeds), dtype=torch.float64)
        self._resume()

    @property
    def active(self) -> list[int]:
        """The instances that still train, those of one learning rate side by side."""
        rows = [i for i, history in enumerate(self.histories) if not history.finished(self.schedule)]
        return sorted(rows, key=lambda i: -self.histories[i].learning_rate)

    @property
    def epoch(self) -> int:
        """Number of the current epoch."""
        return max(len(history.losses) for history in self.histories)

    def run(self, progress: bool) -> None:
        """Train until every instance has finished."""
        frames, limit = self.frames, self.schedule.epochs
        with tqdm(
            desc=f"{self.model.name} x {len(self.seeds)}",
            initial=self.epoch * frames + self.batch * self.schedule.batch,
            total=limit and limit * frames,
            unit="frame",
            unit_scale=True,
            disable=not progress,
        ) as bar:
            while self.active:
                for count in self._epoch():
                    bar.update(count)
                self._judge()
                best = min(history.best for history in self.histories)
                bar.set_postfix(epoch=self.epoch, loss=f"{best:.4f}", active=len(self.active))

    def _epoch(self) -> Iterator[int]:
        """The rest of one pass over the data; yields the number of frames of each step."""
        rates = [self.histories[i].learning_rate for i in self.active]
        orders = shuffles(self.length, [self.seeds[i] for i in self.active], self.epoch, self.model.block)
        if isinstance(self.signals[0], Tensor):
            orders = orders.to(self.scale.device)
        for order in orders.split(self.schedule.batch, dim=-1)[self.batch :]:
            shown = surrounded(order, self.model.block, self.model.margin, self.length)
            taken = zip(self.signals, (shown, order), strict=True)
            mixture, voice = (gather(signal, numbers, self.scale, self.ensemble.width) for signal, numbers in taken)
            self.totals += self.ensemble.step(mixture, voice, rates) * order.shape[-1]
            self.batch += 1
            if self.checkpoint and self.checkpoint.due:
                self._keep()
            yield order.shape[-1]

    def _judge(self) -> None:
        """End an epoch: note the losses, and bring the instances that train on to the front."""
        losses = (self.totals / self.frames).tolist()
        if not np.isfinite(losses).all():
            raise DataError(
                f"The loss of {self.model.name} is not finite; look for broken spectra or lower the learning rate."
            )
        for i, loss in zip(self.active, losses, strict=True):
            self.histories[i].record(loss, self.schedule)
        self.ensemble.arrange(self._rows())
        self.batch, self.totals = 0, self.totals.new_zeros(len(self.active))
        if self.checkpoint and not self.active:
            self._keep()

    def _rows(self) -> list[int]:
        """The order of the instances in the stack."""
        active = self.active
        return active + [i for i in range(len(self.seeds)) if i not in active]

    def _keep(self) -> None:
        assert self.checkpoint is not None
        tensors = self.ensemble.tensors(len(self.totals)) | {"totals": self.totals}
        losses = [history.losses for history in self.histories]
        self.checkpoint.write(tensors, {"losses": losses, "batch": self.batch, "steps": self.ensemble.steps})

    def _resume(self) -> None:
        """Go on from the checkpoint, if there is one: rates follow from the losses, the stack's order from both."""
        found = self.checkpoint.read() if self.checkpoint else None
        if found is None:
            return
        tensors, state = found
        for history, losses in zip(self.histories, state["losses"], strict=True):
            for loss in losses:
                history.record(loss, self.schedule)
        self.batch, self.totals = state["batch"], tensors.pop("totals").to(self.totals.device)
        self.ensemble.load(tensors, self._rows(), state["steps"])


def _check(
    model: Separator | Batch,
    mixture: Signal,
    voice: Signal,
    seeds: Sequence[int],
    schedule: Schedule,
    precision: str,
) -> None:
    if len(mixture) == 0 or mixture.shape != voice.shape:
        raise DataError(f"Training needs as many frames of voice as of mixture, not {voice.shape} and {mixture.shape}.")
    if not isinstance(model, Separator | Batch) or model.instances != len(seeds):
        raise ParameterError(
            f"Give a model of {len(seeds)} instances for {len(seeds)} seeds, as build(name, bins, seeds)."
        )
    if len(mixture) < model.block:
        raise DataError(f"{model.name} is trained on blocks of {model.block} frames, and there are {len(mixture)}.")
    if schedule.batch % model.block:
        raise ParameterError(f"batch is {schedule.batch}; give a multiple of the {model.block} frames of a block.")
    check_precision(precision, next(model.parameters()).device)


def _identity(
    model: Separator | Batch,
    mixture: Signal,
    voice: Signal,
    scale: Tensor,
    seeds: Sequence[int],
    schedule: Schedule,
    precision: str,
) -> dict[str, Any]:
    """What a checkpoint is of. The scale is of all frames of the mixture; of both signals a sample is compared."""
    sample = torch.linspace(0, len(mixture) - 1, min(SAMPLE, len(mixture))).long()
    ones = torch.ones_like(scale)
    seen = [scale, *(gather(s, sample.to(getattr(s, "device", "cpu")), ones, len(ones)) for s in (mixture, voice))]
    here = Path(__file__).parent
    sources = b"".join(file.read_bytes() for file in [here.parent / "models.py", *sorted(here.glob("*.py"))])
    return {
        "model": [model.name, *(list(parameter.shape) for parameter in model.parameters())],
        "seeds": list(seeds),
        "schedule": asdict(schedule),
        "precision": precision,
        "frames": [list(mixture.shape), str(mixture.dtype)],
        "data": hashlib.sha256(b"".join(t.cpu().contiguous().numpy().tobytes() for t in seen)).hexdigest(),
        "code": hashlib.sha256(sources).hexdigest(),
        "torch": torch.__version__,
    }


@contextmanager
def _memory(model: Separator | Batch, checkpoint: Checkpoint | None) -> Iterator[None]:
    """Turn a full memory of the device into an error that says what to lower."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        path = checkpoint and checkpoint.path
        kept = f"; {path} keeps what was trained" if path and path.exists() else ""
        raise MemoryLimitError(
            f"{model.instances} instances of {model.name} with {model.bins} bins do not fit the device's memory; train"
            f" fewer seeds at once, or leave the training frames on disk{kept}."
        ) from error
