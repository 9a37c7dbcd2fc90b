"""Initialisations of a chain of layers as one stack: one batched product a layer and direction.

The gradient is written out, since autograd would make new gradients, each as large as all weights, in every step.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad

from nca.models import Separator
from nca.support.precision import padded
from nca.training.stack import Stack, mean_squared_error


class Ensemble(Stack):
    """The stack of a batch of separators.

    Args:
        model: weights `(instances, bins, bins)`; trained in place, complete again after :meth:`restore`.
        dtype: of the products; weights, moments and everything else stay in float32.
        betas: Adam's decay rates of the first and second moments.
    """

    def __init__(self, model: Separator, dtype: torch.dtype, betas: tuple[float, float] = (0.9, 0.999)) -> None:
        self.model, self.depth, self.dtype = model, len(model.weights), dtype
        width = padded(model.bins, model.weights[0].device)
        grow = width - model.bins
        weights = [pad(W.detach(), (0, grow, 0, grow)) if grow else W.detach() for W in model.weights]
        biases = [pad(b.detach(), (0, 0, 0, grow)) if grow else b.detach() for b in model.biases]
        super().__init__(weights + biases, width, betas)
        # what products read; where it is rounded it holds the rounded gradient afterwards
        self._rounded = weights if dtype == torch.float32 else [torch.empty_like(W, dtype=dtype) for W in weights]

    @torch.no_grad()
    def step(self, mixture: Tensor, voice: Tensor, rates: Sequence[float]) -> Tensor:
        inputs, decoded = self._decode(mixture)
        loss, slope = self._loss(decoded, mixture, voice)
        self._differentiate(inputs, slope)
        self._descend(rates)
        return loss

    @torch.no_grad()
    def restore(self) -> None:
        super().restore()
        own = [*self.model.weights, *self.model.biases]
        for parameter, trained in zip(own, self.parameters, strict=True):
            parameter.copy_(trained[tuple(slice(side) for side in parameter.shape)])

    def _decode(self, mixture: Tensor) -> tuple[list[Tensor], Tensor]:
        """The input of every layer, as the products take it, and the output of the last."""
        rows, inputs, decoded = len(mixture), [], mixture
        for W, own, b in zip(self._rounded, self.parameters, self.parameters[self.depth :], strict=False):
            inputs.append(decoded.to(self.dtype))
            weight = W[:rows] if W is own else W[:rows].copy_(own[:rows])
            decoded = torch.bmm(weight, inputs[-1]).float().add_(b[:rows])
            if self.model.residual and len(inputs) == self.depth:
                decoded.add_(mixture)
            decoded.relu_()
        return inputs, decoded

    def _loss(self, decoded: Tensor, mixture: Tensor, voice: Tensor) -> tuple[Tensor, Tensor]:
        """Eq. (3) and its slope by what was decoded, closed units excluded; padded bins count in neither."""
        with torch.enable_grad():
            estimate = self.model.voice(decoded.requires_grad_(), mixture)
            loss = mean_squared_error(voice, estimate.detach()) * (self.width / self.model.bins)
        slope = (estimate.detach() - voice).mul_(2 / (self.model.bins * voice.shape[-1]))
        (slope,) = torch.autograd.grad(estimate, decoded, slope)
        return loss, torch.ops.aten.threshold_backward(slope, decoded.detach(), 0)

    def _differentiate(self, inputs: list[Tensor], slope: Tensor) -> None:
        """Set the gradients, last layer first; `slope` is that of the loss by the sum that enters the last ReLU."""
        rows = len(slope)
        for layer in reversed(range(self.depth)):
            W, gradient = self._rounded[layer][:rows], self.gradients[layer][:rows]
            torch.sum(slope, -1, keepdim=True, out=self.gradients[self.depth + layer][:rows])
            rounded = slope.to(self.dtype)
            if layer:
                slope = torch.ops.aten.threshold_backward(torch.bmm(W.mT, rounded).float(), inputs[layer].float(), 0)
            if self.dtype == torch.float32:
                torch.bmm(rounded, inputs[layer].mT, out=gradient)
            else:
                gradient.copy_(torch.bmm(rounded, inputs[layer].mT, out=W))
