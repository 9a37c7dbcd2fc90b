"""The compositional strategy: C as a product of gated weights, Eqs. (17)-(21), Algorithm 1.

Where a residual block adds its input, the identity is added to the product of the block's layers.
C is formed once, at the end. Within the loop the layers are applied right to left to the frames, which costs a layer
two products of N x N by N x N (the gate and its gradient) and three of N x N by N x T, and holds nothing larger than
N x N: eight matrices a layer, the model's own included.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from nca.couplings.chain import flat
from nca.couplings.descent import Descent, Progress, Solver, Variable, adam
from nca.couplings.network import Network
from nca.couplings.problem import Couplings, Problem, Seeds, initial_matrix, prepare_chain
from nca.errors import ParameterError
from nca.models import Block, Chain, Layer, gates
from nca.support.precision import aligned, aligned_frames, product_type

GATES = ("printed", "published")
BIASES = ("column", "row")
STARTS = ("normal", "identity", "gates")


class GatedLayer:
    """One factor G ⊙ W of Eq. (17), with the buffers of its value and its gradient.

    `gate` chooses the reading of Eq. (19): `printed` is P (W + b)^T, `published` (the authors' code) its transpose's
    order, (W + b) P^T. `bias` says what b is added to: `column` is W[a, b] + bias[b] (the formula), `row` is
    W[a, b] + bias[a] (the sentence). Products are computed in `dtype`.
    """

    def __init__(self, layer: Layer, P: Tensor, gate: str, bias: str, dtype: torch.dtype) -> None:
        self.layer, self.gate, self.bias = layer, gate, bias
        self.W, self.biased = (aligned(matrix.detach()).to(dtype) for matrix in (layer.weight, biased(layer, bias)))
        self.P = Variable(aligned(P), dtype)
        self.gated = self.W.new_empty(*P.shape[:-2], *self.W.shape[-2:])
        self.open = torch.empty_like(self.gated)

    def compose(self) -> Tensor:
        """G ⊙ W `(..., out, in)` for the current P: Eqs. (18) and (19)."""
        ungated = gate_argument(self.P.value(), self.biased, self.gate, out=self.gated)
        rectifier_slope(ungated, self.W, out=self.open)
        return self.gated.mul_(self.open)

    def forward(self, frames: Tensor) -> Tensor:
        """(G ⊙ W) applied to frames `(..., in, frames)`, which are kept for :meth:`backward`."""
        self.inputs = frames
        return self.compose() @ frames

    def backward(self, slope: Tensor, first: bool) -> Tensor | None:
        """Set the gradient of P, Eqs. (20) and (21), given dE over the layer's output; returns dE over its input.

        For the first layer of all that is None. Nothing is left in `gated`.
        """
        below = None if first else self.gated.mT @ slope
        of_gate = torch.matmul(slope, self.inputs.mT, out=self.gated).mul_(self.open)
        self.P.differentiate(of_gate if self.gate == "printed" else of_gate.mT, self.biased)
        return below

    def matrix(self) -> Tensor:
        """G ⊙ W `(..., out, in)` in the model's precision and without padding."""
        side = self.layer.weight.shape[-1]
        P = self.P.master[..., :side, :side]
        return gate_argument(P, biased(self.layer, self.bias), self.gate).relu_().mul_(self.layer.weight)


class GatedBlock:
    """A residual block of such factors, C + I, which applies to frames what :class:`GatedLayer` does."""

    def __init__(self, chain: "Gated") -> None:
        self.chain = chain

    def forward(self, frames: Tensor) -> Tensor:
        return frames + forward(self.chain, frames)

    def backward(self, slope: Tensor, first: bool) -> Tensor | None:
        below = backward(self.chain, slope, first)
        return None if below is None else slope + below

    def matrix(self) -> Tensor:
        C = composed(self.chain)
        C.diagonal(dim1=-2, dim2=-1).add_(1)
        return C


Gated = Sequence[GatedLayer | GatedBlock]


def forward(chain: Gated, frames: Tensor) -> Tensor:
    """C of Eq. (17) applied to frames, factor by factor from the right."""
    for part in chain:
        frames = part.forward(frames)
    return frames


def backward(chain: Gated, slope: Tensor, first: bool = True) -> Tensor | None:
    """Set the gradient of every P, last layer first; `slope` is dE over the output, `first` says that none is before.

    A block passes the slope of its output to its input as it is, beside what its layers pass.
    """
    below: Tensor | None = slope
    for position, part in reversed(list(enumerate(chain))):
        assert below is not None
        below = part.backward(below, first and position == 0)
    return below


def composed(chain: Gated) -> Tensor:
    """C of Eq. (17) `(..., out, in)`."""
    C = chain[0].matrix()
    for part in chain[1:]:
        C = part.matrix() @ C
    return C


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
    model: Network,
    mixture: Tensor,
    *,
    iterations: int = 600,
    learning_rate: float = 4e-4,
    gate: str = "printed",
    bias: str = "column",
    initial: str = "normal",
    seed: Seeds = 0,
    precision: str | None = None,
    progress: Progress = False,
) -> Couplings:
    """Couplings by the compositional strategy: Eq. (17), Eq. (18) and Eq. (19), descended along Eq. (20) and Eq. (21).

    Args:
        model: a chain of layers (:func:`nca.couplings.chain.layers`); SF is fitted to its mask (Sec. 3).
        mixture: magnitudes `(..., bins, frames)` as the model sees them (standardised).
        iterations, learning_rate: of Adam (Sec. 4.2).
        gate: reading of Eq. (19), `printed` or `published` (the authors' code).
        bias: reading of W + b in Eq. (19), `column` (the formula) or `row` (the sentence; fits non-square layers).
        initial: the matrices P to start from: `normal` (the paper), `identity`, or `gates`, which makes G the
            share of frames in which each unit is open (and does without chance).
        seed: of the initial matrices P; one, or one for each element of the batch.
        precision: of the products, `float32`, `tf32` (CUDA alone) or `bfloat16`; None is the model's own. Adam and
            the matrices that it moves stay in the model's.
        progress: show a bar, or a function that is called with each iteration's number, from 1, and its E `(...)`.

    Returns:
        Couplings with `.matrix` `(..., out, bins)` and `.loss` `(..., iterations)`.

    Raises:
        ParameterError, DataError: see :func:`nca.couplings.problem.prepare_chain`; an unknown reading, or one that
            does not fit a non-square layer.
    """
    descent = CompositionalDescent(model, mixture, adam(learning_rate), gate, bias, initial, seed, precision)
    loss = descent.run(iterations, "compositional", progress)
    return Couplings(_name(gate, bias, initial), descent.matrix(), loss=loss)


class CompositionalDescent(Descent):
    """Algorithm 1 with S = compositional, for any solver; the arguments are those of :func:`compositional`."""

    @torch.no_grad()
    def __init__(
        self,
        model: Network,
        mixture: Tensor,
        solver: Solver,
        gate: str = "printed",
        bias: str = "column",
        initial: str = "normal",
        seed: Seeds = 0,
        precision: str | None = None,
    ) -> None:
        problem, chain = prepare_chain(model, mixture)
        dtype, self.precision = product_type(precision, problem.output), precision
        check_readings(flat(chain), gate, bias)
        self.mixture, self.output = aligned_frames(problem.mixture).to(dtype), aligned_frames(problem.output)
        start = initial_matrices(chain, problem, gate, bias, initial, seed)
        self.layers = [GatedLayer(layer, P, gate, bias, dtype) for layer, P in zip(flat(chain), start, strict=True)]
        self.chain = nested(chain, iter(self.layers))
        self.optimizer = solver([layer.P.master for layer in self.layers])

    @torch.no_grad()
    def differentiate(self) -> Tensor:
        """Eqs. (20) and (21), for any number of layers."""
        error = forward(self.chain, self.mixture) - self.output
        loss = error.abs().sum((-2, -1))
        backward(self.chain, error.sign_().to(self.mixture))
        return loss

    @torch.no_grad()
    def matrix(self) -> Tensor:
        """C of Eq. (17) `(..., out, bins)`, in the model's precision and without padding."""
        return composed(self.chain)


def nested(chain: Chain, gated: Iterator[GatedLayer]) -> Gated:
    """Gated layers in the blocks of the chain whose layers they are."""
    return [GatedBlock(nested(part.chain, gated)) if isinstance(part, Block) else next(gated) for part in chain]


def _name(gate: str, bias: str, initial: str) -> str:
    """The strategy with the readings in which it departs from the paper's text."""
    chosen = {"gate": (gate, GATES), "bias": (bias, BIASES), "start": (initial, STARTS)}
    departures = [f"{reading} {what}" for what, (reading, known) in chosen.items() if reading != known[0]]
    return f"compositional ({', '.join(departures)})" if departures else "compositional"


def check_readings(chain: Sequence[Layer], gate: str, bias: str) -> None:
    """Raise a ParameterError for an unknown reading, or one that does not fit a layer."""
    for name, reading, known in (("gate", gate, GATES), ("bias", bias, BIASES)):
        if reading not in known:
            raise ParameterError(f"{name} is {reading!r}; choose one of {', '.join(known)}.")
    for index, layer in enumerate(chain):
        rows, columns = layer.weight.shape[-2:]
        if rows != columns and (gate, bias) != ("published", "row"):
            raise ParameterError(
                f"Layer {index} is {rows} x {columns}; layers that are not square need gate='published', bias='row',"
                " the strategy 'compositional (published gate, row bias)'."
            )


def initial_matrices(chain: Chain, problem: Problem, gate: str, bias: str, initial: str, seed: Seeds) -> list[Tensor]:
    """The matrix P `(..., in, in)` that each layer starts from."""
    if initial not in STARTS:
        raise ParameterError(f"initial is {initial!r}; choose one of {', '.join(STARTS)}.")
    if initial == "gates":
        opened = layer_gates(chain, iter(gates(chain, problem.mixture)))
        return [_gates_of_frames(layer, D, gate, bias) for layer, D in zip(flat(chain), opened, strict=True)]
    sides = [layer.weight.shape[-1] for layer in flat(chain)]
    return [
        initial_matrix(initial, side, side, problem.batch, seed, index, problem.output)
        for index, side in enumerate(sides)
    ]


def layer_gates(chain: Chain, opened: Iterator[Tensor]) -> list[Tensor]:
    """The gates of each layer, with which those of a block's ReLU are counted for its last."""
    found: list[Tensor] = []
    for part in chain:
        if isinstance(part, Block):
            found += layer_gates(part.chain, opened)
            found[-1] = found[-1] * next(opened)
        else:
            found.append(next(opened))
    return found


def _gates_of_frames(layer: Layer, opened: Tensor, gate: str, bias: str) -> Tensor:
    """P for which Eq. (19) gives every entry of a row the share of frames in which the row's unit is open.

    That is a matrix of rank one, so P is one too, and one system of equations for a vector gives it.
    """
    share, B = opened.mean(-1, keepdim=True), biased(layer, bias)
    ones = torch.ones_like(B[..., :1])
    if gate == "printed":
        return share @ _solution(B, ones).mT
    return ones.new_ones(B.shape[-1], 1) @ _solution(B, share).mT


def _solution(B: Tensor, right: Tensor) -> Tensor:
    """The least-squares solution of least norm, in double precision."""
    return (torch.linalg.pinv(B.double()) @ right.double()).to(right)
