"""Tensors on disk: safetensors whose header has a digest of their content, so that no altered file is read."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from nca.errors import DataError

DIGEST = "sha256"


def tensors_digest(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of tensors by their names, types, shapes and numbers, as hex digits, whatever their order."""
    total = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        total.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        total.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return total.hexdigest()


def header(tensors: Mapping[str, Tensor], **more: str) -> dict[str, str]:
    """What to hand to safetensors as the metadata of a file of these tensors, with `more` beside it."""
    return {DIGEST: tensors_digest(tensors), **more}


def read_tensors(path: Path | str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors of a safetensors file and the metadata of its header.

    A file without a digest, of another program or an older version, is taken as it is.

    Raises:
        DataError: where it is missing, broken, or not what was written.
    """
    try:
        with safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 -- no mapping
            about = file.metadata() or {}
    except (OSError, SafetensorError, ValueError) as error:
        raise DataError(f"{path} cannot be read as safetensors ({error}); make it again.") from error
    if about.get(DIGEST, digest := tensors_digest(tensors)) != digest:
        raise DataError(f"{path} was altered since it was written; make it again.")
    return tensors, about
