"""Any network as couplings see it: what it decodes, what voice that stands for, and whether it can be called."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from nca.errors import ParameterError
from nca.models import Model

Network = nn.Module | Callable[[Tensor], Tensor]


def decode(network: Network, mixture: Tensor) -> Tensor:
    """Output y `(..., out, frames)` of Algorithm 1: what the network itself makes of a mixture `(..., bins, frames)`.

    Of the three models it is the output of the last ReLU, SF's mask included. A `Sequential` or `Linear` is given the
    frames as rows, one segment at a time; anything else the mixture as it is.
    """
    if isinstance(network, Model):
        return network.decode(mixture)
    if not isinstance(network, nn.Sequential | nn.Linear):
        return network(mixture)
    segments = mixture.reshape(-1, *mixture.shape[-2:])
    made = torch.stack([network(segment.mT).mT for segment in segments])
    return made.reshape(*mixture.shape[:-2], *made.shape[-2:])


def apply_decoded(network: Network, decoded: Tensor, mixture: Tensor) -> Tensor:
    """The voice that a decoded output stands for: SF's mask times the mixture, any other output itself."""
    return network.voice(decoded, mixture) if isinstance(network, Model) else decoded


def makes_voice(network: Network) -> bool:
    """Whether the decoded output of a network is the voice itself, as that of DAE and MSS-DAE is and SF's is not."""
    return not isinstance(network, Model) or type(network).voice is Model.voice


def input_bins(network: Network) -> int | None:
    """The number of bins that a network takes, where its first module says so."""
    if isinstance(network, Model):
        return network.bins
    while isinstance(network, nn.Sequential) and len(network):
        network = network[0]
    return getattr(network, "in_features", None) or getattr(network, "num_features", None)


def check_ready(network: Network) -> None:
    """Raise a ParameterError for a network that cannot be called as it is: without numbers, or in training mode."""
    if not isinstance(network, nn.Module):
        return
    kind, tensors = type(network).__name__, [*network.parameters(), *network.buffers()]
    if any(is_lazy(tensor) for tensor in tensors):
        raise ParameterError(f"{kind} has lazy layers without weights yet; call it once on a mixture.")
    if any(tensor.is_meta for tensor in tensors):
        raise ParameterError(f"{kind} is on the meta device and holds no numbers; load its weights onto another.")
    for module in network.modules():
        changed = isinstance(module, nn.modules.dropout._DropoutNd | nn.modules.batchnorm._NormBase)
        if module.training and (changed or (isinstance(module, nn.RNNBase) and module.dropout > 0)):
            raise ParameterError(f"{kind} holds a {type(module).__name__} in training mode; call .eval() on it.")


def cannot_take(mixture: Tensor, error: Exception) -> ParameterError:
    """What to say of a network whose call with a mixture has failed."""
    if any(sign in str(error) for sign in ("CUDA", "NVIDIA")):
        return ParameterError(
            f"The network asks for a GPU that is not there ({error}); move it to where the mixture is, with .to()."
        )
    return ParameterError(
        f"The network cannot take a mixture {tuple(mixture.shape)} of {mixture.dtype} on {mixture.device}"
        f" ({error}); wrap it in a function that brings the mixture into the form that it takes."
    )
