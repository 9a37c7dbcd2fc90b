"""Initialisations of any model as one stack: each by automatic differentiation in turn, and Adam over all of them."""

from collections.abc import Sequence

import torch
from torch import Tensor

from nca.models import Batch, TemporalModel
from nca.training.stack import Stack, mean_squared_error


class Instances(Stack):
    """The stack of a batch of modules, whose parameters and gradients are views of it.

    Args:
        model: trained in place, complete again after :meth:`restore`.
        dtype: of the products, where PyTorch's autocast rounds them; all else stays in float32.
        betas: Adam's decay rates of the first and second moments.
    """

    def __init__(self, model: Batch, dtype: torch.dtype, betas: tuple[float, float] = (0.9, 0.999)) -> None:
        self.model, self.dtype = model, dtype
        each = zip(*(instance.parameters() for instance in model.models), strict=True)
        super().__init__([torch.stack(list(same)).detach() for same in each], model.bins, betas)
        for row, instance in enumerate(model.models):
            for own, value, slope in zip(instance.parameters(), self.parameters, self.gradients, strict=True):
                own.data, own.grad = value[row], slope[row]

    def step(self, mixture: Tensor, voice: Tensor, rates: Sequence[float]) -> Tensor:
        losses = [self._differentiate(*each) for each in zip(self.model.models, mixture, voice, strict=False)]
        with torch.no_grad():
            self._descend(rates)
        return torch.stack(losses)

    def _differentiate(self, model: TemporalModel, mixture: Tensor, voice: Tensor) -> Tensor:
        """Set the gradients of one row; its loss, Eq. (3), on frames `(bins, frames)`, block by block."""
        voice = voice.unflatten(1, (-1, model.block)).movedim(1, 0)
        mixture = mixture.unflatten(1, (len(voice), -1)).movedim(1, 0)
        model.zero_grad(set_to_none=False)
        with torch.autocast(mixture.device.type, self.dtype, enabled=self.dtype != torch.float32):
            decoded = model.decode_inner(mixture)
        inner = mixture.narrow(-1, model.margin, model.block)
        loss = mean_squared_error(voice, model.voice(decoded.float(), inner)).mean()
        loss.backward()
        return loss.detach()
