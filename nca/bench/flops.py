"""The work of each stage from first principles: multiplications and additions, and bytes that pass through memory.

A product's operands count as bytes where they are as large as a matrix of weights. Products and passes over memory
follow one another, so the floor of a stage is the sum of both times.
"""

import math
from dataclasses import dataclass

FLOAT = 4  # bytes
ADAM = 7  # passes over a matrix: value, gradient and two moments read, all but the gradient written
TRAINED = 3  # further passes of a training step: the weights read twice, the gradient written
GATED = 18  # further passes of a layer of the compositional strategy, counted along nca.couplings.compositional
OPEN = 0.5  # share of the units that a frame opens, assumed for the exact mapping of deep networks


@dataclass(frozen=True)
class Work:
    """Floating-point operations, and bytes read or written."""

    flops: float
    bytes: float

    def __mul__(self, times: float) -> "Work":
        return Work(self.flops * times, self.bytes * times)

    def __add__(self, other: "Work") -> "Work":
        return Work(self.flops + other.flops, self.bytes + other.bytes)

    def floor(self, peak: float, bandwidth: float) -> float:
        """Seconds on a device of `peak` operations and `bandwidth` bytes a second, which nothing can undercut."""
        return self.flops / peak + self.bytes / bandwidth


def training_step(bins: int, depth: int, batch: int = 128) -> Work:
    """One step of one initialisation: forward, gradient of weights and (but for the first layer) of inputs; Adam."""
    products = (3 * depth - 1) * 2 * bins**2 * batch
    return Work(products, (TRAINED + ADAM) * depth * FLOAT * bins**2)


def optimiser_step(bins: int, depth: int) -> Work:
    """What Adam alone moves in such a step."""
    return Work(0, ADAM * depth * FLOAT * bins**2)


def student_iteration(bins: int, frames: int = 350) -> Work:
    """Eq. (16): one product to the error and one to the gradient; C read, its gradient written, Adam; the error."""
    return Work(4 * bins**2 * frames, FLOAT * ((2 + ADAM) * bins**2 + 6 * bins * frames))


def compositional_iteration(bins: int, depth: int, frames: int = 350) -> Work:
    """Eqs. (17), (18), (19), (20) and (21).

    A layer, that is two products of N x N by N x N and (but for the first) three of N x N by N x T.
    """
    products = 4 * depth * bins**3 + (3 * depth - 1) * 2 * bins**2 * frames
    return Work(products, FLOAT * ((GATED + ADAM) * depth * bins**2 + 6 * bins * frames))


def exact_mapping(bins: int, depth: int, frames: int = 350) -> Work:
    """The mean over the frames: the gates; closed form for two layers, a product over the open units a frame beyond."""
    gates = Work(2 * depth * bins**2 * frames, FLOAT * depth * bins**2)
    if depth <= 2:
        return gates + Work(2 * bins**2 * (frames + bins), FLOAT * 8 * bins**2)
    units = OPEN * bins
    frame = Work((depth - 2) * 2 * units**3, FLOAT * (2 * (depth - 1) + 3) * units**2)
    return gates + frame * frames + Work(2 * bins**3, FLOAT * 3 * bins**2)


def spectra_frame(bins: int) -> Work:
    """Transform and magnitudes of one frame of mixture and voice; decoding and resampling not included."""
    length = 2 * (bins - 1)
    return Work(2 * 2.5 * length * math.log2(length), 2 * FLOAT * (2 * length + 4 * bins))


def training_memory(bins: int, depth: int, instances: int, batch: int = 128) -> float:
    """Bytes: weights, gradients and two moments of every initialisation, and a batch's spectra in every layer."""
    return FLOAT * instances * (4 * depth * bins**2 + (depth + 6) * bins * batch)
