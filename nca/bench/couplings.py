"""How fast the compositional strategy is beside what it replaces and beside the products that it cannot avoid.

All contenders take turns, one iteration each, so that whatever else the machine does meets them alike; ratios are
medians over the rounds.
"""

import math
import statistics
from collections.abc import Sequence
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn
from torch.optim import Adam

from nca.bench.problem import network_and_segment
from nca.bench.process import PROCESS, alone, held
from nca.bench.timing import find_device, problem, ratio, take_turns
from nca.couplings.compositional import CompositionalDescent
from nca.couplings.descent import adam
from nca.couplings.problem import random_matrix
from nca.errors import ParameterError
from nca.metrics import snr, tod_ratio
from nca.models import Layer, decode, layers

SOLVER = adam()


def bench_couplings(
    bins: Sequence[int] = (513, 1025, 2049),
    depths: Sequence[int] = (2, 4),
    iterations: int = 10,
    device: str = "cpu",
) -> pd.DataFrame:
    """One row for each number of bins N and of layers L'.

    Columns: seconds of an iteration (`composed`, `float32`, `bfloat16`, `products`); the ratios `speedup` (composed
    over float32), `over_products` (float32 over the bare products) and `bfloat16_speedup` (float32 over bfloat16);
    `peak` memory and its `bound`, in matrices of N x N float32; and where bfloat16 stands beside float32 after as many
    iterations on a network that was trained a little, `tod_ratio_change` (relative) and `snr_change` (dB).

    Raises:
        ParameterError: for fewer than one iteration, or a device that this machine does not have.
    """
    if iterations < 1:
        raise ParameterError(f"iterations is {iterations}; give at least one.")
    where = find_device(device)
    return pd.DataFrame([_row(N, depth, iterations, where) for N in bins for depth in depths])


class Composed:
    """The formulation of the authors' estimator: C composed in every iteration, from an identity matrix on."""

    def __init__(self, model: nn.Module, mixture: Tensor, seed: int) -> None:
        chain = layers(model)
        self.weights = [(W.detach(), (W + b.mT).detach()) for W, b, _ in chain]
        self.P = [random_matrix(len(W), len(W), torch.Size(), seed, i, W) for i, (W, _) in enumerate(self.weights)]
        self.adam = Adam([P.requires_grad_() for P in self.P], lr=4e-4)
        self.mixture, self.output = mixture, decode(model, mixture).detach()

    def matrix(self) -> Tensor:
        C = torch.eye(len(self.mixture), device=self.mixture.device, dtype=self.mixture.dtype)
        for (W, biased), P in zip(self.weights, self.P, strict=True):
            C = (torch.relu(P @ biased.mT) * W) @ C
        return C

    @torch.enable_grad()
    def step(self) -> Tensor:
        loss = (self.output - self.matrix() @ self.mixture).abs().sum()
        loss.backward()
        self.adam.step()
        self.adam.zero_grad()
        return loss.detach()


class Products:
    """What no exact method avoids: a layer, two products of N x N by N x N and three of N x N by N x T."""

    def __init__(self, chain: Sequence[Layer], mixture: Tensor) -> None:
        self.depth, self.W, self.X = len(chain), chain[0].weight.detach().clone(), mixture
        self.square, self.frames = torch.empty_like(self.W), torch.empty_like(mixture)

    def step(self) -> None:
        for _ in range(self.depth):
            torch.matmul(self.W, self.W.mT, out=self.square)
            torch.matmul(self.W, self.W, out=self.square)
            torch.matmul(self.W, self.X, out=self.frames)
            torch.matmul(self.W.mT, self.X, out=self.frames)
            torch.matmul(self.frames, self.X.mT, out=self.square)


def peak_memory(bins: int, depth: int, device: str) -> float:
    """Peak memory of two iterations, model included, in matrices of N x N float32, measured in a process of its own."""
    return alone(_peak_of_this_process, bins, depth, device) / (4 * bins**2)


@torch.no_grad()
def _row(N: int, depth: int, rounds: int, device: torch.device) -> dict[str, Any]:
    model, mixture = network_and_segment(N, depth, device)
    ours = {
        precision: CompositionalDescent(model, mixture, SOLVER, precision=precision)
        for precision in ("float32", "bfloat16")
    }
    contenders: dict[str, Any] = {"composed": Composed(model, mixture, 0), "products": Products(layers(model), mixture)}
    seconds = take_turns({name: each.step for name, each in (contenders | ours).items()}, rounds, device)
    matrices = {precision: descent.matrix() for precision, descent in ours.items()}
    made = {precision: snr(model.decode(mixture), C @ mixture).item() for precision, C in matrices.items()}
    tod = {precision: tod_ratio(C).item() for precision, C in matrices.items()}
    return {
        "bins": N,
        "layers": depth,
        **{name: statistics.median(each) for name, each in seconds.items()},
        "speedup": ratio(seconds["composed"], seconds["float32"]),
        "over_products": ratio(seconds["float32"], seconds["products"]),
        "bfloat16_speedup": ratio(seconds["float32"], seconds["bfloat16"]),
        "peak": peak_memory(N, depth, str(device)),
        "bound": 8 * depth + 8,
        "tod_ratio_change": tod["bfloat16"] / tod["float32"] - 1,
        "snr_change": made["bfloat16"] - made["float32"],
    }


@torch.no_grad()
def _peak_of_this_process(N: int, depth: int, device: str) -> float:
    """Bytes. The small problem first loads what the libraries load once."""
    where = torch.device(device)
    for size in (64, N):
        before = _memory(where, "VmRSS")
        model, mixture = problem(size, depth, where)
        _forget_peak(where)
        descent = CompositionalDescent(model, mixture, SOLVER, precision="float32")
        descent.step()
        descent.step()
        descent.matrix()
    return _memory(where, "VmHWM") - before


def _memory(device: torch.device, figure: str) -> float:
    """Bytes of this process: `VmRSS` is what it holds now, `VmHWM` the most since the last :func:`_forget_peak`.

    Not a number where neither CUDA nor Linux counts.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) if figure == "VmHWM" else torch.cuda.memory_allocated(device)
    if not PROCESS.exists():
        return math.nan
    return held(figure)


def _forget_peak(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    elif PROCESS.exists():
        (PROCESS / "clear_refs").write_text("5")
