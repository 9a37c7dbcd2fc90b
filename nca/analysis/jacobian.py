"""The Jacobian of any network at one mixture, by its products alone.

For y = f(x), magnitudes `(bins, frames)` on both sides, J = dy/dx has (bins * frames)^2 entries and is never held. A
reverse pass gives v J, a weighted sum of its rows, over all lags at once; a reverse pass through that pass gives J u.
Where f gives a mask m, the voice is y = m x, entry by entry, and

    J = diag(m) + diag(x) dm/dx

has one term that a fixed filter has too, and one by which the mask answers to the mixture.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

from nca.couplings.network import Network, cannot_take, check_ready, decode
from nca.errors import DataError, MemoryLimitError, ParameterError
from nca.support.memory import batch_size, out_of_memory


class Jacobian:
    """A network's Jacobian at one mixture, as products from either side.

    Args:
        network: any callable from magnitudes `(bins, frames)` to magnitudes or a mask of the same shape, made of
            differentiable operations; channels, logarithms, context and recurrence may be inside. It is called as
            :func:`nca.couplings.network.decode` does. What it detaches is a constant here.
        mixture: magnitudes `(bins, frames)`, float32 or float64, on the network's device.
        mask: whether the network gives a mask of the mixture and not the voice.

    Attributes:
        mixture: x.
        mask: m `(bins, frames)`; None for a network that gives the voice.
        output: the voice y `(bins, frames)`.
        bytes_each: what one product of a batch takes at most.

    Raises:
        ParameterError: for a mixture that is not one segment of real magnitudes, and for a network that is in training
            mode, is random, changes the shape, gives complex numbers or integers, stops the gradient, cannot take the
            mixture, or asks for a GPU that is not there.
        DataError: for numbers that are not finite, in the mixture or in the output.
    """

    def __init__(self, network: Network, mixture: Tensor, mask: bool = False) -> None:
        _check_mixture(mixture)
        self.mixture = mixture.detach().clone()
        with torch.no_grad():
            own = _run(network, self.mixture)
        _check_output(own, self.mixture)
        with _differentiable(), _saved_bytes() as saved:
            self._input = self.mixture.clone().requires_grad_()
            self._decoded = _run(network, self._input)
        self._check_graph(own)
        self.mask = own if mask else None
        self.output = own * self.mixture if mask else own
        self.bytes_each = 2 * sum(saved.values()) + 8 * self.mixture.nbytes

    def transposed(self, directions: Tensor) -> Tensor:
        """v J `(n, bins, frames)` for directions v of the voice `(n, bins, frames)`.

        Of a mask this is the second term alone, v diag(x) dm/dx; the first is v * m.

        Raises:
            DataError: where a derivative is not finite.
        """
        weighted = directions if self.mask is None else directions * self.mixture
        with _differentiable():
            rows = _gradients(self._decoded, self._input, weighted)
        if not rows.isfinite().all():
            raise DataError(
                "A derivative of the network is not finite (a logarithm or a root at 0 has none); add a small constant"
                " to the mixture or inside the network."
            )
        return rows

    def applied(self, directions: Tensor) -> Tensor:
        """J u `(n, bins, frames)`, both terms of a mask, for directions u of the mixture `(n, bins, frames)`."""
        with _differentiable():
            v = torch.zeros_like(self._decoded, requires_grad=True)
            (vJ,) = torch.autograd.grad(self._decoded, self._input, v, create_graph=True)
            columns = _gradients(vJ, v, directions)
        return columns if self.mask is None else self.mask * directions + self.mixture * columns

    def batch(self, memory: int | None = None) -> int:
        """How many products fit into `memory` bytes; into the free memory of the device if it is None.

        Raises:
            MemoryLimitError: where not even one fits.
        """
        if memory is None:
            return batch_size(self.bytes_each, self.mixture.device)
        if memory < self.bytes_each:
            raise MemoryLimitError(
                f"One product with the Jacobian takes {self.bytes_each / 2**20:.1f} MiB and memory allows"
                f" {memory / 2**20:.1f}; allow more, or give fewer frames."
            )
        return memory // self.bytes_each

    def _check_graph(self, own: Tensor) -> None:
        """The pass that is differentiated is the network's own, and it reaches the mixture."""
        if (own - self._decoded).norm() > torch.finfo(own.dtype).eps ** 0.5 * own.norm():
            raise ParameterError(
                "The network gives two outputs for one mixture; switch off what is random or remembered, and call"
                " .eval() on it."
            )
        gradient = None
        if self._decoded.requires_grad:
            (gradient,) = torch.autograd.grad(
                self._decoded, self._input, torch.zeros_like(own), retain_graph=True, allow_unused=True
            )
        if gradient is None:
            raise ParameterError(
                "No gradient leads from the network's output to the mixture; give one of torch operations throughout,"
                " without detach, no_grad or NumPy."
            )


def _gradients(output: Tensor, source: Tensor, directions: Tensor) -> Tensor:
    """Gradients `(n, ...)` of `output` in so many directions; one by one where an operation takes no batch of them."""
    try:
        return torch.autograd.grad(output, source, directions, retain_graph=True, is_grads_batched=True)[0]
    except RuntimeError as error:
        if out_of_memory(error):
            raise
    return torch.stack([torch.autograd.grad(output, source, each, retain_graph=True)[0] for each in directions])


@contextmanager
def _differentiable() -> Iterator[None]:
    """With gradients, by kernels that have a second derivative, and one outside of training."""
    with torch.inference_mode(False), torch.enable_grad(), sdpa_kernel(SDPBackend.MATH), _recurrence_without_cudnn():
        yield


@contextmanager
def _recurrence_without_cudnn() -> Iterator[None]:
    """cuDNN's recurrent layers have a derivative in training mode only; PyTorch's own always have one."""
    allowed = torch.backends.cudnn.enabled

    def before(module: nn.Module, _: Any) -> None:
        torch.backends.cudnn.enabled = allowed and not isinstance(module, nn.RNNBase)

    def after(*_: Any) -> None:
        torch.backends.cudnn.enabled = allowed

    hooks = register_module_forward_pre_hook(before), register_module_forward_hook(after, always_call=True)
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def _saved_bytes() -> Iterator[dict[int, int]]:
    """Bytes of each memory block that the pass inside keeps for its derivative, parameters left out."""
    blocks: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        if not isinstance(tensor if tensor._base is None else tensor._base, nn.Parameter):
            blocks[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        yield blocks


def _run(network: Network, mixture: Tensor) -> Tensor:
    """The network's output for a copy of the mixture, which it may change."""
    hook = register_module_forward_pre_hook(lambda module, _: check_ready(module))  # whatever a function calls, too
    try:
        return decode(network, mixture.clone())
    except (RuntimeError, AssertionError) as error:
        if out_of_memory(error):
            raise
        raise cannot_take(mixture, error) from error
    finally:
        hook.remove()


def _check_mixture(mixture: Tensor) -> None:
    if mixture.ndim != 2 or not mixture.numel():
        raise ParameterError(
            f"The local mapping is taken of one segment (bins, frames), not of {tuple(mixture.shape)}; give the"
            " segments one by one, and channels through a function that makes them inside."
        )
    if mixture.dtype not in (torch.float32, torch.float64):
        raise ParameterError(f"The mixture is {mixture.dtype}; give magnitudes in float32 or float64.")
    if not mixture.isfinite().all() or (mixture < 0).any():
        raise DataError(
            "The mixture holds magnitudes that are negative or not finite; give magnitudes of finite samples."
        )


def _check_output(output: Tensor, mixture: Tensor) -> None:
    if not isinstance(output, Tensor) or output.shape != mixture.shape:
        given = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        raise ParameterError(
            f"The network makes {given} of a mixture (bins, frames) = {tuple(mixture.shape)}; it must keep the shape:"
            " wrap it in a function that pads, crops or selects."
        )
    if output.dtype != mixture.dtype or output.device != mixture.device:
        raise ParameterError(
            f"The network gives {output.dtype} on {output.device} for a mixture of {mixture.dtype} on {mixture.device};"
            " give real magnitudes or a real mask, of the mixture's type and on its device."
        )
    if not output.isfinite().all():
        raise DataError("The network's output is not finite; give it the spectra that it was trained on, or mend it.")
