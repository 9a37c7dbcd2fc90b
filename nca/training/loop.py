"""Training many initialisations of a model at once (Eqs. 1 and 3, Sec. 4.1).

One step of all instances is one batched product a layer and one fused Adam step an instance. Each instance shuffles
by its own seed, halves its own learning rate and stops by its own loss, so it ends as if it had been trained alone.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.optim import Adam
from tqdm import tqdm

from nca.errors import DataError, ParameterError
from nca.models import Separator
from nca.training.schedule import Progress, Schedule


def mean_squared_error(voice: Tensor, estimate: Tensor) -> Tensor:
    """Mean over bins and frames `(...)` of the squared difference of spectra `(..., bins, frames)`, Eq. (3)."""
    return (voice - estimate).square().mean((-2, -1))


def train(
    model: Separator,
    mixture: np.ndarray,
    voice: np.ndarray,
    scale: Tensor,
    seeds: Sequence[int],
    schedule: Schedule = Schedule(),  # noqa: B008 -- frozen
    progress: bool = True,
) -> list[Progress]:
    """Train every instance of `model` in place and return how each fared.

    Args:
        model: a batch of `len(seeds)` instances, weights `(instances, bins, bins)`, on the device to train on.
        mixture, voice: training magnitudes `(frames, bins)`, in memory or memory-mapped.
        scale: what the magnitudes are divided by, `(bins, 1)`.
        seeds: of the shuffles, one an instance.
        progress: show the loss and the time left of each epoch.

    Raises:
        ParameterError: where seeds and instances differ in number.
        DataError: for no frames, unequal signals, or a loss that is not finite.
    """
    _check(model, mixture, voice, seeds)
    torch.set_flush_denormal(True)  # Adam's moments of units that stay closed decay to numbers that CPUs are slow with
    fates = [Progress(schedule.learning_rate) for _ in seeds]
    adam = instance_adam(model, schedule)
    bar = tqdm(desc=f"{model.name} x {len(seeds)}", total=schedule.epochs, unit="epoch", disable=not progress)
    while any(not fate.finished(schedule) for fate in fates):
        active = [i for i, fate in enumerate(fates) if not fate.finished(schedule)]
        losses = _epoch(model, adam, mixture, voice, scale, [(i, seeds[i]) for i in active], schedule, fates)
        for i, loss in zip(active, losses, strict=True):
            fates[i].record(loss, schedule)
        bar.update()
        bar.set_postfix(loss=f"{min(fate.losses[-1] for fate in fates):.4f}", active=len(active))
    bar.close()
    return fates


def instance_adam(model: Separator, schedule: Schedule) -> Adam:
    """Adam over views of the stacked parameters, a group an instance, so that each keeps its own learning rate."""
    parameters = list(model.parameters())
    groups = [{"params": [p.detach()[i] for p in parameters]} for i in range(parameters[0].shape[0])]
    return Adam(groups, lr=schedule.learning_rate, betas=schedule.betas, fused=True)


def batches(frames: int, batch: int, seeds: Sequence[int], epoch: int) -> Iterator[Tensor]:
    """Shuffled frame numbers `(instances, batch)` of one epoch; a shuffle follows from its seed and the epoch alone."""
    orders = torch.stack([torch.randperm(frames, generator=_generator(seed, epoch)) for seed in seeds])
    return iter(orders.split(batch, dim=-1))


def _epoch(
    model: Separator,
    adam: Adam,
    mixture: np.ndarray,
    voice: np.ndarray,
    scale: Tensor,
    instances: list[tuple[int, int]],
    schedule: Schedule,
    fates: list[Progress],
) -> list[float]:
    """One pass over the data for the instances (row, seed) that still train; the mean loss of each."""
    rows, seeds = [i for i, _ in instances], [seed for _, seed in instances]
    for i in rows:
        adam.param_groups[i]["lr"] = fates[i].learning_rate
    total = torch.zeros(len(rows), dtype=torch.float64)
    for order in batches(len(mixture), schedule.batch, seeds, len(fates[rows[0]].losses)):
        x, y = (_frames(signal, order, scale) for signal in (mixture, voice))
        total += _step(model, adam, rows, x, y).cpu() * order.shape[-1]
    losses = (total / len(mixture)).tolist()
    if not np.isfinite(losses).all():
        raise DataError(f"The loss of {model.name} is not finite; look for broken spectra or lower the learning rate.")
    return losses


def _step(model: Separator, adam: Adam, rows: list[int], x: Tensor, y: Tensor) -> Tensor:
    """One Adam step of the instances `rows` on frames `(instances, bins, batch)`; their losses before it."""
    everyone = len(rows) == model.weights[0].shape[0]
    parameters: list[Tensor] = list(model.parameters())
    chosen = parameters if everyone else [p.detach()[rows].requires_grad_() for p in parameters]
    loss = mean_squared_error(y, torch.func.functional_call(model, _named(model, chosen), (x,)))
    gradients = torch.autograd.grad(loss.sum(), chosen)
    for position, row in enumerate(rows):
        for view, gradient in zip(adam.param_groups[row]["params"], gradients, strict=True):
            view.grad = gradient[position]
    adam.step()
    adam.zero_grad()
    return loss.detach().double()


def _named(model: Separator, parameters: list[Tensor]) -> dict[str, Tensor]:
    return dict(zip((name for name, _ in model.named_parameters()), parameters, strict=True))


def _frames(signal: np.ndarray, order: Tensor, scale: Tensor) -> Tensor:
    gathered = torch.from_numpy(signal[order.numpy()]).to(scale.device)
    return gathered.mT / scale


def _generator(seed: int, epoch: int) -> torch.Generator:
    mixed = np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(mixed >> np.uint64(1)))


def _check(model: Separator, mixture: np.ndarray, voice: np.ndarray, seeds: Sequence[int]) -> None:
    if len(mixture) == 0 or mixture.shape != voice.shape:
        raise DataError(f"Training needs as many frames of voice as of mixture, not {voice.shape} and {mixture.shape}.")
    if model.weights[0].ndim != 3 or len(model.weights[0]) != len(seeds):
        raise ParameterError(
            f"Give a model of {len(seeds)} instances for {len(seeds)} seeds, as build(name, bins, seeds)."
        )
