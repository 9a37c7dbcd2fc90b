"""The neural couplings algorithm and its baselines (Sec. 3, Algorithm 1)."""

from nca.couplings.closed_form import equaliser, identity, l1_optimum, least_squares, linear_composition, ridge
from nca.couplings.compositional import compositional
from nca.couplings.problem import Couplings
from nca.couplings.storage import load_matrices, save_matrices
from nca.couplings.student import student

__all__ = [
    "Couplings",
    "compositional",
    "equaliser",
    "identity",
    "l1_optimum",
    "least_squares",
    "linear_composition",
    "load_matrices",
    "ridge",
    "save_matrices",
    "student",
]
