"""The student strategy: C itself is fitted to the model's output, Eqs. (15) and (16), Algorithm 1."""

import torch
from torch import Tensor, nn
from torch.optim import Adam

from nca.couplings.arithmetic import Variable, aligned, product_type
from nca.couplings.descent import descend
from nca.couplings.problem import Problem, Seeds, check_iterations, pose, random_matrix
from nca.couplings.result import Couplings
from nca.errors import ParameterError


@torch.no_grad()
def student(
    model: nn.Module,
    mixture: Tensor,
    *,
    iterations: int = 600,
    learning_rate: float = 4e-4,
    initial: str = "normal",
    seed: Seeds = 0,
    precision: str | None = None,
    progress: bool = False,
) -> Couplings:
    """Couplings by the student strategy.

    Args:
        model: DAE, MSSDAE, SkipFiltering or a Sequential of Linear and ReLU; SF is fitted to its mask (Sec. 3).
        mixture: magnitudes `(..., bins, frames)` as the model sees them (standardised).
        iterations, learning_rate: of Adam (Sec. 4.2).
        initial: `normal` (the paper) or `zeros`.
        seed: of the initial matrix; one, or one for each element of the batch.
        precision: of the products, `float32` or `bfloat16`; None is the model's own. Adam and C stay in the model's.
        progress: show a bar.

    Returns:
        Couplings with `.matrix` `(..., out, bins)` and `.loss` `(..., iterations)`.

    Raises:
        ParameterError, DataError: see :func:`nca.couplings.problem.pose`; an unknown `initial`.
    """
    check_iterations(iterations, learning_rate)
    descent = StudentDescent(model, mixture, learning_rate, initial, seed, precision)
    loss = descend(descent, iterations, "student" if progress else None)
    return Couplings("student" if initial == "normal" else "student (zero start)", descent.matrix(), loss=loss)


class StudentDescent:
    """Algorithm 1 with S = student: `step` is one iteration, `matrix` what it has come to."""

    def __init__(
        self, model: nn.Module, mixture: Tensor, learning_rate: float, initial: str, seed: Seeds, precision: str | None
    ) -> None:
        problem = pose(model, mixture)
        dtype = product_type(precision, problem.output.dtype)
        self.sides = problem.output.shape[-2], problem.mixture.shape[-2]
        self.mixture, self.output = aligned(problem.mixture).to(dtype), aligned(problem.output)
        self.C = Variable(aligned(_initial_matrix(problem, initial, seed)), dtype)
        self.adam = Adam([self.C.master], lr=learning_rate, fused=True)

    def step(self) -> Tensor:
        """One Adam step down Eq. (16); returns E before it."""
        error = self.C.value() @ self.mixture - self.output
        loss = error.abs().sum((-2, -1))
        self.C.differentiate(error.sign_().to(self.mixture), self.mixture.mT)
        self.adam.step()
        return loss

    def matrix(self) -> Tensor:
        """C `(..., out, bins)`."""
        rows, columns = self.sides
        return self.C.master[..., :rows, :columns]


def _initial_matrix(problem: Problem, initial: str, seed: Seeds) -> Tensor:
    rows, columns = problem.output.shape[-2], problem.mixture.shape[-2]
    if initial == "zeros":
        return problem.output.new_zeros(*problem.batch, rows, columns)
    if initial == "normal":
        return random_matrix(rows, columns, problem.batch, seed, 0, problem.output)
    raise ParameterError(f"initial is {initial!r}; choose 'normal' or 'zeros'.")
