"""How fast the compositional strategy is beside what it replaces and beside the products that it cannot avoid.

All contenders take turns, one iteration each, so that other work of the machine slows all of them alike; ratios are
medians over the rounds.
"""

import math
import statistics
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from nca.bench import memory
from nca.bench.timing import Report, find_device, interleave, ratio, report
from nca.bench.workload import network_and_segment, random_problem
from nca.couplings.chain import flat
from nca.couplings.compositional import CompositionalDescent
from nca.couplings.descent import adam
from nca.couplings.reference import neural_couplings
from nca.errors import ParameterError
from nca.metrics import snr, tod_ratio
from nca.models import Layer
from nca.support.precision import aligned, aligned_frames, padded
from nca.support.processes import COUNTED, in_subprocess

SOLVER = adam()


def bench_couplings(
    bins: Sequence[int] = (513, 1025, 2049),
    depths: Sequence[int] = (2, 4),
    iterations: int = 10,
    device: str = "cpu",
) -> Report:
    """An iteration of the compositional strategy: one row for each number of bins N and of layers L'.

    Columns: seconds of an iteration (`composed`, `float32`, `bfloat16`, `products`); the ratios `speedup` (composed
    over float32), `over_products` (float32 over the bare products) and `bfloat16_speedup` (float32 over bfloat16);
    `peak` memory and its `bound`, in matrices of N x N float32; and where bfloat16 stands beside float32 after as many
    iterations on a network that was trained a little, `tod_ratio_change` (relative) and `snr_change` (dB).

    Args:
        bins: numbers of bins N.
        depths: numbers of layers L'.
        iterations: rounds; each times one iteration of each.
        device: where to run, as torch names it.

    Raises:
        ParameterError: for fewer than one iteration, or a device that this machine does not have.
    """
    if iterations < 1:
        raise ParameterError(f"iterations is {iterations}; give at least one.")
    where = find_device(device)
    return report(device, rows=pd.DataFrame([_row(N, depth, iterations, where) for N in bins for depth in depths]))


def composed_step(model: nn.Module, mixture: Tensor, iterations: int) -> Callable[[], Any]:
    """An iteration of Algorithm 1 as the paper prints it: C composed every time, gradients by autograd."""
    return torch.enable_grad()(partial(next, neural_couplings(model, mixture, "compositional", iterations)))


class Products:
    """What no exact method avoids: a layer, two products of N x N by N x N and three of N x N by N x T."""

    def __init__(self, chain: Sequence[Layer], mixture: Tensor) -> None:
        self.depth, self.W, self.X = len(chain), aligned(chain[0].weight.detach()).clone(), aligned_frames(mixture)
        self.square, self.frames = torch.empty_like(self.W), torch.empty_like(self.X)

    def step(self) -> None:
        for _ in range(self.depth):
            torch.matmul(self.W, self.W.mT, out=self.square)
            torch.matmul(self.W, self.W, out=self.square)
            torch.matmul(self.W, self.X, out=self.frames)
            torch.matmul(self.W.mT, self.X, out=self.frames)
            torch.matmul(self.frames, self.X.mT, out=self.square)


def peak_memory(bins: int, depth: int, device: str) -> float:
    """Peak memory of two iterations, model included, in matrices of N x N float32, measured in a process of its own.

    Not a number where neither CUDA nor Linux counts.
    """
    if not COUNTED and torch.device(device).type != "cuda":
        return math.nan
    return in_subprocess(_peak_of_this_process, bins, depth, device) / (4 * bins**2)


def bound(bins: int, depth: int, device: torch.device) -> int:
    """What peak memory keeps below, in matrices: eight a layer, one more where its weights are padded, and eight."""
    return (8 + (padded(bins, device) > bins)) * depth + 8


@torch.no_grad()
def _row(N: int, depth: int, rounds: int, device: torch.device) -> dict[str, Any]:
    model, mixture = network_and_segment(N, depth, device)
    ours = {
        precision: CompositionalDescent(model, mixture, SOLVER, precision=precision)
        for precision in ("float32", "bfloat16")
    }
    steps = {
        "composed": composed_step(model, mixture, rounds + 1),  # one more to warm up
        "products": Products(flat(model.layers), mixture).step,
        **{precision: descent.step for precision, descent in ours.items()},
    }
    seconds = interleave(steps, rounds, device)
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
        "bound": bound(N, depth, device),
        "tod_ratio_change": tod["bfloat16"] / tod["float32"] - 1,
        "snr_change": made["bfloat16"] - made["float32"],
    }


@torch.no_grad()
def _peak_of_this_process(N: int, depth: int, device: str) -> int:
    """Bytes. The small problem first loads what the libraries load once."""
    where = torch.device(device)
    for size in (64, N):
        before = memory.held(where)
        model, mixture = random_problem(size, depth, where)
        memory.forget_peak(where)
        descent = CompositionalDescent(model, mixture, SOLVER, precision="float32")
        descent.step()
        descent.step()
        descent.matrix()
    return memory.peak(where) - before
