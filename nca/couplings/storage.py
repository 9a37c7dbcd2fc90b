"""Couplings matrices on disk: one safetensors file, one matrix and its losses a strategy."""

from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from nca.couplings.result import Couplings
from nca.errors import DataError
from nca.files import write_bytes


def save_matrices(path: Path | str, found: Mapping[str, Couplings]) -> None:
    """Write the matrices and losses of `found` by the names of their strategies."""
    tensors: dict[str, Tensor] = {}
    for name, couplings in found.items():
        tensors[f"{name}/matrix/{couplings.target}"] = couplings.matrix.cpu().contiguous()
        if couplings.loss is not None:
            tensors[f"{name}/loss"] = couplings.loss.cpu().contiguous()
    write_bytes(path, safetensors.torch.save(tensors))


def load_matrices(path: Path | str) -> dict[str, Couplings]:
    """Read what :func:`save_matrices` wrote.

    Raises:
        DataError: where the file is missing or broken.
    """
    try:
        tensors = safetensors.torch.load_file(path)
    except (OSError, SafetensorError) as error:
        raise DataError(
            f"{path} holds no whole couplings ({error}); run the notebook that makes them again."
        ) from error
    found = {}
    for key, matrix in tensors.items():
        name, kind, *target = key.split("/")
        if kind == "matrix":
            found[name] = Couplings(
                name, matrix, "voice" if target == ["voice"] else "output", tensors.get(f"{name}/loss")
            )
    return found
