"""The compositional strategy: C as a product of gated weights, Eqs. (17)-(21), Algorithm 1.

C is formed once, at the end. Within the loop the layers are applied right to left to the frames, which costs a layer
two products of N x N by N x N (the gate and its gradient) and three of N x N by N x T, and holds nothing larger than
N x N.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.optim import Adam
from tqdm import trange

from nca.couplings.problem import Seeds, check_iterations, pose, random_matrix
from nca.couplings.result import Couplings
from nca.errors import ParameterError
from nca.models import Layer, layers

GATES = ("printed", "published")
BIASES = ("column", "row")


class GatedLayer:
    """One factor G ⊙ W of Eq. (17) and the buffers of its gradient.

    `gate` chooses the reading of Eq. (19): `printed` is P (W + b)^T, `published` (the authors' code) its transpose's
    order, (W + b) P^T. `bias` says what b is added to: `column` is W[a, b] + bias[b] (the formula), `row` is
    W[a, b] + bias[a] (the sentence).
    """

    def __init__(self, layer: Layer, P: Tensor, gate: str, bias: str) -> None:
        self.W = layer.weight.detach()
        self.P = P
        self.P.grad = torch.empty_like(P)
        self.biased = self.W + (layer.bias.mT if bias == "column" else layer.bias).detach()
        self.gate = gate
        self.gated = self.P.new_empty(*P.shape[:-2], *self.W.shape[-2:])

    def compose(self) -> Tensor:
        """G ⊙ W `(..., out, in)` for the present P: Eqs. (18) and (19)."""
        if self.gate == "printed":
            torch.matmul(self.P, self.biased.mT, out=self.gated)
        else:
            torch.matmul(self.biased, self.P.mT, out=self.gated)
        return self.gated.relu_().mul_(self.W)

    def backward(self, slope: Tensor, scratch: Tensor) -> None:
        """The gradient of P, given that of G ⊙ W in `slope` (overwritten): Eqs. (20) and (21)."""
        open_gates = torch.ne(self.gated, 0, out=scratch)  # where W is 0 the gradient is 0 whatever the gate
        slope.mul_(self.W).mul_(open_gates)
        if self.gate == "printed":
            torch.matmul(slope, self.biased, out=self.P.grad)
        else:
            torch.matmul(slope.mT, self.biased, out=self.P.grad)


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
        progress: show a bar.

    Returns:
        Couplings with `.matrix` `(..., out, bins)` and `.loss` `(..., iterations)`.

    Raises:
        ParameterError, DataError: see :func:`nca.couplings.problem.pose`; an unknown reading; a reading that does not
            fit a non-square layer.
    """
    check_iterations(iterations, learning_rate)
    problem = pose(model, mixture)
    chain = _gated_layers(layers(model), problem.batch, gate, bias, seed)
    adam = Adam([layer.P for layer in chain], lr=learning_rate, fused=True)
    losses = []
    for _ in trange(iterations, desc="compositional", disable=not progress):
        frames = [problem.mixture]
        for layer in chain:
            frames.append(layer.compose() @ frames[-1])
        error = frames.pop() - problem.output
        losses.append(error.abs().sum((-2, -1)))
        _gradients(chain, frames, error.sign_())
        adam.step()
    return Couplings(_name(gate, bias), _composed(chain), loss=torch.stack(losses, -1))


def _name(gate: str, bias: str) -> str:
    """The strategy with the readings in which it departs from the paper's text."""
    departures = [f"{gate} gate"] * (gate != GATES[0]) + [f"{bias} bias"] * (bias != BIASES[0])
    return f"compositional ({', '.join(departures)})" if departures else "compositional"


def _gradients(chain: Sequence[GatedLayer], frames: list[Tensor], slope: Tensor) -> None:
    """Fill P.grad of every layer, last layer first; `slope` is dE over the layer's output, `frames` are its inputs."""
    for layer, inputs in zip(reversed(chain), reversed(frames), strict=True):
        of_weights = slope @ inputs.mT
        if layer is not chain[0]:
            slope = layer.gated.mT @ slope
        layer.backward(of_weights, torch.empty_like(of_weights, dtype=torch.bool))


def _composed(chain: Sequence[GatedLayer]) -> Tensor:
    C = chain[0].compose()
    for layer in chain[1:]:
        C = layer.compose() @ C
    return C


def _gated_layers(chain: Sequence[Layer], batch: torch.Size, gate: str, bias: str, seed: Seeds) -> list[GatedLayer]:
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
        gated.append(GatedLayer(layer, P, gate, bias))
    return gated
