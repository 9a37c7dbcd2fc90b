"""A training under way on disk: one safetensors file, replaced as one, from which training goes on to the same bits.

Parameters and Adam's moments are its tensors; where each initialisation stands is JSON in its header. Learning rates
follow from the losses and shuffles from seed and epoch, so losses and the position in the epoch are all that it needs.
"""

import hashlib
import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors.torch
from filelock import FileLock
from safetensors import SafetensorError
from torch import Tensor

from nca.errors import DataError
from nca.support.tensors import header, read_tensors

SHARE = 0.03  # of the time at most, that writing checkpoints may take


@dataclass
class Checkpoint:
    """Where an unfinished training is kept, in a file of its own for each thing that is trained.

    Attributes:
        folder: for the files of any number of trainings, from any number of processes.
        seconds: between two writes at least; more where a write takes so long that it would cost 3 % of the time.
        path: of the training's file, once :func:`nca.train` has begun.
    """

    folder: Path | str
    seconds: float = 30.0
    path: Path | None = field(default=None, init=False)
    _due: float = field(default=0.0, init=False, repr=False)

    @contextmanager
    def training(self, name: str, identity: Mapping[str, Any]) -> Iterator[None]:
        """Hold the file of the training that `identity` describes; a second process that trains the same waits.

        Raises:
            DataError: where the folder cannot be written.
        """
        digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
        self.path = Path(self.folder) / f"{name}-{digest[:16]}.safetensors"
        with _naming(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.path.with_suffix(".lock"))
            lock.acquire()
        self._due = time.monotonic() + self.seconds
        try:
            yield
        finally:
            lock.release()

    @property
    def due(self) -> bool:
        """Whether it is time to write."""
        return time.monotonic() >= self._due

    def write(self, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        """Put a new file in the place of the old one, which stays until the new one is complete.

        Raises:
            DataError: where it cannot be written.
        """
        assert self.path is not None
        start, partial = time.monotonic(), self.path.with_suffix(".partial")
        with _naming(self.path):
            safetensors.torch.save_file(dict(tensors), partial, header(tensors, state=json.dumps(state)))
            with open(partial, "rb") as file:
                os.fsync(file.fileno())
            os.replace(partial, self.path)
        now = time.monotonic()
        self._due = now + max(self.seconds, (now - start) / SHARE)

    def read(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """The tensors and the state that were written last; None where nothing was.

        Raises:
            DataError: where the file is damaged.
        """
        assert self.path is not None
        if not self.path.exists():
            return None
        try:
            tensors, about = read_tensors(self.path)
            return tensors, json.loads(about["state"])
        except (DataError, ValueError, KeyError) as error:
            raise DataError(f"The checkpoint {self.path} is damaged ({error}); delete it to start anew.") from error

    def discard(self) -> None:
        """Delete the file, once what was trained is kept elsewhere; waits for a process that trains the same."""
        if self.path is None or not self.path.exists():
            return
        with FileLock(self.path.with_suffix(".lock")):  # which stays: who waits for it must find the same file
            for suffix in (".safetensors", ".partial"):
                self.path.with_suffix(suffix).unlink(missing_ok=True)


def checkpoints_beside(out: Path | str) -> Path:
    """The folder of checkpoints beside a run's folder: the runs of one store share it, and two stores never do."""
    return Path(out).parent / ".checkpoints"


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, SafetensorError) as error:
        number = re.search(r"os error (\d+)", str(error))
        reason = OSError(int(number[1]), os.strerror(int(number[1]))) if number else error
        raise DataError(
            f"The checkpoint {path} cannot be written ({reason}); free space or allow it and start again:"
            " what was computed goes on from the last complete checkpoint."
        ) from error
