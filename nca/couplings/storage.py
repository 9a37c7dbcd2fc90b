"""Couplings matrices on disk: one safetensors file, one matrix and its losses a strategy."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import safetensors.torch
from torch import Tensor

from nca.couplings.problem import Couplings
from nca.errors import DataError
from nca.support.files import write_bytes
from nca.support.tensors import header, read_tensors

TARGETS: dict[str, Literal["output", "voice"]] = {"matrix/output": "output", "matrix/voice": "voice"}


def save_matrices(path: Path | str, found: Mapping[str, Couplings]) -> None:
    """Write the matrices and losses of `found` by the names of their strategies."""
    tensors: dict[str, Tensor] = {}
    for name, couplings in found.items():
        tensors[f"{name}/matrix/{couplings.target}"] = couplings.matrix.cpu().contiguous()
        if couplings.loss is not None:
            tensors[f"{name}/loss"] = couplings.loss.cpu().contiguous()
    own = {name: tensor.clone() for name, tensor in tensors.items()}  # strategies may share a matrix, a file may not
    write_bytes(path, safetensors.torch.save(own, header(own)))


def load_matrices(path: Path | str) -> dict[str, Couplings]:
    """Read what :func:`save_matrices` wrote.

    Raises:
        DataError: where the file is missing or broken.
    """
    tensors, _ = read_tensors(path)
    found = {}
    for key, matrix in tensors.items():
        name, _, kind = key.partition("/")
        if kind in ("matrix/output", "matrix/voice"):
            found[name] = Couplings(name, matrix, TARGETS[kind], tensors.get(f"{name}/loss"))
    if not found:
        raise DataError(f"{path} holds no couplings, but {', '.join(tensors) or 'nothing'}; give a file of matrices.")
    return found
