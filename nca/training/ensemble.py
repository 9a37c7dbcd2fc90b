"""Many initialisations as one stack: one batched product a layer and direction, and Adam in one pass over all of them.

The gradient is written out, since autograd would make new gradients, each as large as all weights, in every step.
"""

from collections.abc import Sequence
from itertools import groupby

import torch
from torch import Tensor
from torch.nn.functional import pad
from torch.optim.adam import adam

from nca.models import Separator
from nca.products import padded


def mean_squared_error(voice: Tensor, estimate: Tensor) -> Tensor:
    """Mean over bins and frames `(...)` of the squared difference of spectra `(..., bins, frames)`, Eq. (3)."""
    return (voice - estimate).square().mean((-2, -1))


class Ensemble:
    """The parameters, gradients and moments of a batch of initialisations `(instances, ...)`.

    The first rows of the stack are the instances that still train, those of one learning rate side by side, so that
    each step works on whole slices and the finished ones cost nothing.

    Args:
        model: weights `(instances, bins, bins)`; trained in place, whole again after :meth:`restore`.
        dtype: of the products; weights, moments and everything else stay in float32.
        betas: Adam's decay rates of the first and second moments.

    Attributes:
        rows: which instance of the model each row of the stack is.
        width: bins with their padding.
        steps: that the rows in training have made.
    """

    def __init__(self, model: Separator, dtype: torch.dtype, betas: tuple[float, float] = (0.9, 0.999)) -> None:
        self.model, self.depth, self.dtype, self.betas = model, len(model.weights), dtype, betas
        self.rows = list(range(len(model.weights[0])))
        self.width = padded(model.bins, model.weights[0].device)
        grow = self.width - model.bins
        weights = [pad(W.detach(), (0, grow, 0, grow)) if grow else W.detach() for W in model.weights]
        biases = [pad(b.detach(), (0, 0, 0, grow)) if grow else b.detach() for b in model.biases]
        self.parameters = weights + biases
        self.gradients = [torch.zeros_like(p) for p in self.parameters]
        self.moments = [[torch.zeros_like(p) for p in self.parameters] for _ in range(2)]
        # what products read; where it is rounded it holds the rounded gradient afterwards
        self._rounded = weights if dtype == torch.float32 else [torch.empty_like(W, dtype=dtype) for W in weights]
        self.steps = 0

    @torch.no_grad()
    def step(self, mixture: Tensor, voice: Tensor, rates: Sequence[float]) -> Tensor:
        """One Adam step of the first rows on spectra `(rows, width, frames)`; their losses `(rows,)` before it."""
        inputs, decoded = self._decode(mixture)
        loss, slope = self._loss(decoded, mixture, voice)
        self._differentiate(inputs, slope)
        self._descend(rates)
        return loss

    @torch.no_grad()
    def arrange(self, rows: Sequence[int]) -> None:
        """Bring the instances into another order."""
        if list(rows) == self.rows:
            return
        order = torch.tensor([self.rows.index(row) for row in rows], device=self.parameters[0].device)
        for tensors in (self.parameters, *self.moments):
            for tensor, spare in zip(tensors, self.gradients, strict=True):
                tensor.copy_(torch.index_select(tensor, 0, order, out=spare))
        self.rows = list(rows)

    @torch.no_grad()
    def restore(self) -> None:
        """Give the model its parameters, in its own order."""
        self.arrange(range(len(self.rows)))
        own = [*self.model.weights, *self.model.biases]
        for parameter, trained in zip(own, self.parameters, strict=True):
            parameter.copy_(trained[tuple(slice(side) for side in parameter.shape)])

    def tensors(self, training: int) -> dict[str, Tensor]:
        """What a checkpoint holds: all parameters, and the moments of the first rows."""
        moments = {f"moment{i}.{j}": m[:training] for i, of in enumerate(self.moments, 1) for j, m in enumerate(of)}
        return {f"parameter.{j}": p for j, p in enumerate(self.parameters)} | moments

    @torch.no_grad()
    def load(self, tensors: dict[str, Tensor], rows: Sequence[int], steps: int) -> None:
        """Take over what :meth:`tensors` gave, of instances in the order of `rows`, after so many steps."""
        own = self.tensors(len(self.rows))
        for name, tensor in tensors.items():
            own[name][: len(tensor)].copy_(tensor)
        self.rows, self.steps = list(rows), steps

    def _decode(self, mixture: Tensor) -> tuple[list[Tensor], Tensor]:
        """The input of every layer, as the products take it, and the output of the last."""
        rows, inputs, decoded = len(mixture), [], mixture
        for W, own, b in zip(self._rounded, self.parameters, self.parameters[self.depth :], strict=False):
            inputs.append(decoded.to(self.dtype))
            weight = W[:rows] if W is own else W[:rows].copy_(own[:rows])
            decoded = torch.bmm(weight, inputs[-1]).float().add_(b[:rows]).relu_()
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

    def _descend(self, rates: Sequence[float]) -> None:
        """Adam (Kingma and Ba), one pass over the rows of each learning rate."""
        stop = 0
        for rate, same in groupby(rates):
            part = slice(stop, stop := stop + len(list(same)))
            values, slopes, first, second = (
                [tensor[part] for tensor in tensors] for tensors in (self.parameters, self.gradients, *self.moments)
            )
            counts = torch.full((len(values),), float(self.steps), device=values[0].device).unbind()
            adam(
                values,
                slopes,
                first,
                second,
                [],
                list(counts),
                fused=True,
                amsgrad=False,
                maximize=False,
                beta1=self.betas[0],
                beta2=self.betas[1],
                lr=rate,
                weight_decay=0.0,
                eps=1e-8,
            )
        self.steps += 1
