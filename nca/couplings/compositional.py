"""The compositional strategy: C as a product of gated weights, Eqs. (17)-(21), Algorithm 1.

C is formed once, at the end. Within the loop the layers are applied right to left to the frames, which costs a layer
two products of N x N by N x N (the gate and its gradient) and three of N x N by N x T, and holds nothing larger than
N x N: eight matrices a layer, the model's own included.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.optim import Adam

from nca.couplings.arithmetic import Variable, aligned, product_type
from nca.couplings.descent import descend
from nca.couplings.problem import Seeds, check_iterations, pose, random_matrix
from nca.couplings.result import Couplings
from nca.errors import ParameterError
from nca.models import Layer, layers

GATES = ("printed", "published")
BIASES = ("column", "row")


class GatedLayer:
    """One factor G ⊙ W of Eq. (17), with the buffers of its value and its gradient.

    `gate` chooses the reading of Eq. (19): `printed` is P (W + b)^T, `published` (the authors' code) its transpose's
    order, (W + b) P^T. `bias` says what b is added to: `column` is W[a, b] + bias[b] (the formula), `row` is
    W[a, b] + bias[a] (the sentence). Products are computed in `dtype`.
    """

    def __init__(self, layer: Layer, P: Tensor, gate: str, bias: str, dtype: torch.dtype) -> None:
        self.gate = gate
        self.W, self.biased = (aligned(matrix.detach()).to(dtype) for matrix in (layer.weight, biased(layer, bias)))
        self.P = Variable(aligned(P), dtype)
        self.gated = self.W.new_empty(*P.shape[:-2], *self.W.shape[-2:])
        self.open = torch.empty_like(self.gated)

    def compose(self) -> Tensor:
        """G ⊙ W `(..., out, in)` for the present P: Eqs. (18) and (19)."""
        ungated = gate_argument(self.P.value(), self.biased, self.gate, out=self.gated)
        rectifier_slope(ungated, self.W, out=self.open)
        return self.gated.mul_(self.open)

    def backward(self, slope: Tensor, inputs: Tensor) -> None:
        """The gradient of P, Eqs. (20) and (21), given that of the layer's output; leaves nothing in `gated`."""
        of_gate = torch.matmul(slope, inputs.mT, out=self.gated).mul_(self.open)
        self.P.differentiate(of_gate if self.gate == "printed" else of_gate.mT, self.biased)


def biased(layer: Layer, bias: str) -> Tensor:
    """W + b of Eq. (19)."""
    return layer.weight + (layer.bias.mT if bias == "column" else layer.bias)


def gate_argument(P: Tensor, biased: Tensor, gate: str, out: Tensor | None = None) -> Tensor:
    """Eq. (19), what the ReLU of Eq. (18) makes a gate of."""
    left, right = (P, biased) if gate == "printed" else (biased, P)
    return torch.matmul(left, right.mT, out=out)


def rectifier_slope(argument: Tensor, factor: Tensor, out: Tensor) -> None:
    """`factor` where the argument of a ReLU is above zero, else 0: g' of Eqs. (20) and (21) times W, in one pass."""
    torch.ops.aten.threshold_backward.grad_input(factor, argument, 0, grad_input=out)


@torch.no_grad()
def compositional(
    model: nn.Module,
    mixture: Tensor,
    *,
    iterations: int = 600,
    learning_rate: float = 4e-4,
    gate: str = "printed",
    bias: str = "column",
    seed: Seeds = 0,
    precision: str | None = None,
    progress: bool = False,
) -> Couplings:
    """Couplings by the compositional strategy.

    Args:
        model: DAE, MSSDAE, SkipFiltering or a Sequential of Linear and ReLU; SF is fitted to its mask (Sec. 3).
        mixture: magnitudes `(..., bins, frames)` as the model sees them (standardised).
        iterations, learning_rate: of Adam (Sec. 4.2).
        gate: reading of Eq. (19), `printed` or `published` (the authors' code).
        bias: reading of W + b in Eq. (19), `column` (the formula) or `row` (the sentence; fits non-square layers).
        seed: of the initial matrices P; one, or one for each element of the batch.
        precision: of the products, `float32` or `bfloat16`; None is the model's own. Adam and the matrices that it
            moves stay in the model's.
        progress: show a bar.

    Returns:
        Couplings with `.matrix` `(..., out, bins)` and `.loss` `(..., iterations)`.

    Raises:
        ParameterError, DataError: see :func:`nca.couplings.problem.pose`; an unknown reading; a reading that does not
            fit a non-square layer.
    """
    check_iterations(iterations, learning_rate)
    descent = CompositionalDescent(model, mixture, learning_rate, gate, bias, seed, precision)
    loss = descend(descent, iterations, "compositional" if progress else None)
    return Couplings(_name(gate, bias), descent.matrix(), loss=loss)


class CompositionalDescent:
    """Algorithm 1 with S = compositional: `step` is one iteration, `matrix` what it has come to."""

    def __init__(
        self,
        model: nn.Module,
        mixture: Tensor,
        learning_rate: float,
        gate: str,
        bias: str,
        seed: Seeds,
        precision: str | None,
    ) -> None:
        problem = pose(model, mixture)
        dtype = product_type(precision, problem.output.dtype)
        self.layers, self.gate, self.bias = layers(model), gate, bias
        self.chain = _gated_layers(self.layers, problem.batch, gate, bias, seed, dtype)
        self.mixture, self.output = aligned(problem.mixture).to(dtype), aligned(problem.output)
        self.adam = Adam([layer.P.master for layer in self.chain], lr=learning_rate, fused=True)

    def step(self) -> Tensor:
        """One Adam step down Eqs. (20) and (21); returns E before it."""
        frames = [self.mixture]
        for layer in self.chain:
            frames.append(layer.compose() @ frames[-1])
        error = frames.pop() - self.output
        loss = error.abs().sum((-2, -1))
        _gradients(self.chain, frames, error.sign_().to(self.mixture))
        self.adam.step()
        return loss

    def matrix(self) -> Tensor:
        """C of Eq. (17) `(..., out, bins)`, in the model's precision and without padding."""
        C = None
        for layer, gated in zip(self.layers, self.chain, strict=True):
            side = layer.weight.shape[-1]
            P = gated.P.master[..., :side, :side]
            G = gate_argument(P, biased(layer, self.bias), self.gate).relu_()
            C = G.mul_(layer.weight) if C is None else G.mul_(layer.weight) @ C
        assert C is not None
        return C


def _name(gate: str, bias: str) -> str:
    """The strategy with the readings in which it departs from the paper's text."""
    departures = [f"{gate} gate"] * (gate != GATES[0]) + [f"{bias} bias"] * (bias != BIASES[0])
    return f"compositional ({', '.join(departures)})" if departures else "compositional"


def _gradients(chain: Sequence[GatedLayer], frames: list[Tensor], slope: Tensor) -> None:
    """The gradient of every P, last layer first; `slope` is dE over the last output, `frames` are the inputs."""
    for layer, inputs in zip(reversed(chain), reversed(frames), strict=True):
        below = layer.gated.mT @ slope if layer is not chain[0] else slope
        layer.backward(slope, inputs)
        slope = below


def _gated_layers(
    chain: Sequence[Layer], batch: torch.Size, gate: str, bias: str, seed: Seeds, dtype: torch.dtype
) -> list[GatedLayer]:
    if gate not in GATES:
        raise ParameterError(f"gate is {gate!r}; choose one of {', '.join(GATES)}.")
    if bias not in BIASES:
        raise ParameterError(f"bias is {bias!r}; choose one of {', '.join(BIASES)}.")
    gated = []
    for index, layer in enumerate(chain):
        rows, columns = layer.weight.shape[-2:]
        if rows != columns and (gate, bias) != ("published", "row"):
            raise ParameterError(
                f"Layer {index} is {rows} x {columns}; layers that are not square need gate='published', bias='row'."
            )
        P = random_matrix(columns, columns, batch, seed, index, layer.weight)
        gated.append(GatedLayer(layer, P, gate, bias, dtype))
    return gated
