"""A network read as what the couplings need: its chain of layers, and the residual blocks among them."""

from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import torch
from torch import Tensor, nn

from nca.couplings.network import Network, check_ready
from nca.errors import ParameterError
from nca.models import Block, Chain, Layer, Residual, Separator


def layers(network: Network) -> Chain:
    """The chain of layers that a network is: a chain of this package, or a `Sequential` of `Linear` and `ReLU`.

    A `Sequential` may be nested, a :class:`nca.models.Residual` becomes a block; `Identity` and, in inference mode,
    `Dropout` are passed over and `BatchNorm1d` is folded into the layer before or after it.

    Raises:
        ParameterError: names the first module that is none of these, or that has a method or hooks of its own and
            so computes something else; a network that is not ready, as in :func:`nca.couplings.network.check_ready`.
    """
    check_ready(network)
    if isinstance(network, Separator):
        _check_unaltered("The network", network, Separator)
        return network.layers
    chain = _chain("The network", network, _modules)
    if not chain:
        raise ParameterError("The Sequential holds no Linear; give a network with at least one.")
    return chain


def transmit(chain: Chain, gating: Iterator[Any], x: Tensor, biased: bool = False) -> Tensor:
    """What a chain makes of x `(..., bins, columns)` where its ReLUs are gates that are given, Eq. (14).

    Args:
        chain: the layers.
        gating: for each layer, and each block after its layers, a factor that broadcasts to its output.
        x: an identity matrix for the matrix that the chain is, zeros for the offset.
        biased: whether the layers add their biases.
    """
    for part in chain:
        if isinstance(part, Block):
            z = x + transmit(part.chain, gating, x, biased)
        else:
            z = part.weight @ x + part.bias if biased else part.weight @ x
        x = next(gating) * z
    return x


def flat(chain: Chain) -> list[Layer]:
    """All layers, those of blocks included, in the order in which they are computed."""
    return [layer for part in chain for layer in (flat(part.chain) if isinstance(part, Block) else [part])]


def identity_of(chain: Chain) -> Tensor:
    """The identity matrix `(bins, bins)` from which the product of a chain's matrices begins."""
    first = flat(chain)[0].weight
    return torch.eye(first.shape[-1]).to(first)


Modules = Callable[[str, Any], Iterator[tuple[str, nn.Module]]]


def _chain(where: str, network: Network, modules: Modules) -> list[Layer | Block]:
    chain: list[Layer | Block] = []
    norm_alone = False  # whether the last layer is a BatchNorm1d that no Linear has taken in
    for path, module in modules(where, network):
        if isinstance(module, Residual):
            chain.append(_block(path, module))
        elif isinstance(module, nn.Linear | nn.BatchNorm1d):
            layer, norm = _affine(path, module), isinstance(module, nn.BatchNorm1d)
            before = chain[-1] if chain else None
            if isinstance(before, Layer) and not before.rectified and (norm or norm_alone):
                chain.pop()
                layer = Layer(layer.weight @ before.weight, layer.weight @ before.bias + layer.bias, False)
                norm = norm and norm_alone
            norm_alone = norm
            chain.append(layer)
        elif chain:
            chain[-1] = chain[-1]._replace(rectified=True)
        else:
            _refuse(f"{path} is a ReLU before any Linear; leave it out where magnitudes are not negative")
    return chain


def _block(where: str, module: Residual) -> Block:
    """A residual block, whose modules are those of a chain of its own."""
    chain = _chain(where, module, _children)
    if not chain:
        _refuse(f"{where} is a Residual without a Linear")
    return Block(chain, False)


def _modules(where: str, module: nn.Module | Callable[..., Tensor]) -> Iterator[tuple[str, nn.Module]]:
    """The modules of a chain that compute something, in their order, each with words for where it stands."""
    if isinstance(module, nn.Sequential) and not isinstance(module, Residual):
        _check_unaltered(where, module, nn.Sequential)
        yield from _children(where, module)
        return
    kinds = (Residual, nn.Linear, nn.ReLU, nn.BatchNorm1d, nn.Identity, nn.Dropout)
    kind = next((kind for kind in kinds if isinstance(module, kind)), None)
    if kind is None or not isinstance(module, nn.Module):
        _refuse(f"{where} is a {getattr(module, '__name__', type(module).__name__)}")
    _check_unaltered(where, module, kind)
    if kind not in (nn.Identity, nn.Dropout):
        yield where, module


def _children(where: str, module: nn.Sequential) -> Iterator[tuple[str, nn.Module]]:
    path = where.removesuffix(" of the Sequential") + "." if where != "The network" else "Module "
    for index, child in enumerate(module):
        yield from _modules(f"{path}{index} of the Sequential", child)


def _check_unaltered(where: str, module: nn.Module, kind: type[nn.Module]) -> None:
    """Refuse a module that computes something else than its kind does."""
    for name in ("__call__", "forward", "decode", "layers"):
        if getattr(type(module), name, None) is not getattr(kind, name, None) or name in vars(module):
            _refuse(f"{where}, {type(module).__name__}, has a {name} of its own")
    if module._forward_hooks or module._forward_pre_hooks:
        _refuse(f"{where}, {type(module).__name__}, has forward hooks")


def _refuse(what: str) -> NoReturn:
    raise ParameterError(
        f"{what}; this takes a DAE, MSSDAE, SkipFiltering or ResidualDAE, or a Sequential of Linear, ReLU and"
        " nca.Residual (with Identity, Dropout and BatchNorm1d in inference mode). nca.student takes any network as it"
        " is, and nca.local_mapping gives its exact mapping."
    )


def _affine(where: str, module: nn.Linear | nn.BatchNorm1d) -> Layer:
    """A Linear, or a BatchNorm1d in inference mode, as a layer without a ReLU."""
    if isinstance(module, nn.Linear):
        bias = module.weight.new_zeros(module.out_features) if module.bias is None else module.bias
        return Layer(module.weight, bias[:, None], False)
    if module.running_mean is None or module.running_var is None:
        _refuse(f"{where} is a BatchNorm1d without running statistics, which no matrix stands for")
    gain = (module.running_var + module.eps).rsqrt()
    gain = gain if module.weight is None else gain * module.weight
    shift = -module.running_mean * gain
    shift = shift if module.bias is None else shift + module.bias
    return Layer(gain.diag(), shift[:, None], False)
