"""The student strategy: C itself is fitted to the model's output, Eqs. (15) and (16), Algorithm 1."""

import torch
from torch import Tensor

from nca.couplings.descent import Descent, Progress, Solver, Variable, adam
from nca.couplings.network import Network
from nca.couplings.problem import Couplings, Seeds, initial_matrix, prepare_problem
from nca.support.precision import aligned, aligned_frames, product_type

STARTS = {"zeros": "student (zero start)", "identity": "student (identity start)"}


@torch.no_grad()
def student(
    model: Network,
    mixture: Tensor,
    *,
    iterations: int = 600,
    learning_rate: float = 4e-4,
    initial: str = "normal",
    seed: Seeds = 0,
    precision: str | None = None,
    progress: Progress = False,
) -> Couplings:
    """Couplings by the student strategy: Eq. (15), descended along Eq. (16).

    Args:
        model: any network, called as :func:`nca.couplings.network.decode` says; SF is fitted to its mask (Sec. 3).
        mixture: magnitudes `(..., bins, frames)` as the model sees them (standardised).
        iterations, learning_rate: of Adam (Sec. 4.2).
        initial: the matrix to start from: `normal` (the paper), `zeros` or `identity`.
        seed: of the initial matrix; one, or one for each element of the batch.
        precision: of the products, `float32`, `tf32` (CUDA alone) or `bfloat16`; None is the model's own. Adam and
            the matrices that it moves stay in the model's.
        progress: show a bar, or a function that is called with each iteration's number, from 1, and its E `(...)`.

    Returns:
        Couplings with `.matrix` `(..., out, bins)` and `.loss` `(..., iterations)`.

    Raises:
        ParameterError, DataError: see :func:`nca.couplings.problem.prepare_problem`; an unknown `initial`.
    """
    descent = StudentDescent(model, mixture, adam(learning_rate), initial, seed, precision)
    loss = descent.run(iterations, "student", progress)
    return Couplings(STARTS.get(initial, "student"), descent.matrix(), loss=loss)


class StudentDescent(Descent):
    """Algorithm 1 with S = student, for any solver; the arguments are those of :func:`student`."""

    @torch.no_grad()
    def __init__(
        self,
        model: Network,
        mixture: Tensor,
        solver: Solver,
        initial: str = "normal",
        seed: Seeds = 0,
        precision: str | None = None,
    ) -> None:
        problem = prepare_problem(model, mixture)
        dtype, self.precision = product_type(precision, problem.output), precision
        self.sides = problem.output.shape[-2], problem.mixture.shape[-2]
        self.mixture, self.output = aligned_frames(problem.mixture).to(dtype), aligned_frames(problem.output)
        start = initial_matrix(initial, *self.sides, problem.batch, seed, 0, problem.output)
        self.C = Variable(aligned(start), dtype)
        self.optimizer = solver([self.C.master])

    @torch.no_grad()
    def differentiate(self) -> Tensor:
        """Eq. (16)."""
        error = self.C.value() @ self.mixture - self.output
        loss = error.abs().sum((-2, -1))
        self.C.differentiate(error.sign_().to(self.mixture), self.mixture.mT)
        return loss

    def matrix(self) -> Tensor:
        """C `(..., out, bins)`."""
        rows, columns = self.sides
        return self.C.master[..., :rows, :columns]
