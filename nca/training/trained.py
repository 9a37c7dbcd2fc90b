"""Trained models on disk: safetensors with JSON beside them, nothing pickled."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, overload

import safetensors.torch
import torch
from torch import Tensor

from nca.errors import DataError, ParameterError
from nca.models import MODELS, Model, build
from nca.spectra import Geometry
from nca.support.files import read_json, write_bytes, write_json
from nca.support.tensors import header, read_tensors
from nca.training.published import Published, load_spleeter

DESCRIPTION = {
    "model": "str",
    "geometry": "dict",
    "seed": "int",
    "losses": "list[float]",
    "rates": "list[float]",
}
NETWORKS = Path(__file__).parent / "networks"  # those that come with the package


@dataclass(frozen=True)
class Trained:
    """A trained model with all that its use needs.

    Attributes:
        model: one initialisation.
        scale: what magnitudes are divided by before the model sees them, `(bins, 1)`.
        static_gain: the best constant gain a band on the training frames, `(bins, 1)`: every separation's baseline.
        geometry: of the transform.
        seed: of the initialisation and the shuffles.
        losses, rates: mean training loss and learning rate of each epoch.
    """

    model: Model
    scale: Tensor
    static_gain: Tensor
    geometry: Geometry
    seed: int
    losses: list[float]
    rates: list[float]

    @cached_property
    def digest(self) -> str:
        """What tells this network from every other, whatever their seeds: of its model, its weights and its scale."""
        digest = hashlib.sha256(self.model.name.encode())
        for tensor in (*self.model.state_dict().values(), self.scale):
            digest.update(tensor.detach().cpu().contiguous().numpy().data)
        return digest.hexdigest()[:16]

    def save(self, folder: Path | str, dtype: torch.dtype = torch.float32) -> None:
        """Write `model.safetensors` with its numbers in `dtype`, then `model.json`, which makes the folder complete."""
        folder = Path(folder)
        tensors = self.model.state_dict() | {"scale": self.scale, "static_gain": self.static_gain}
        tensors = {name: value.to(dtype).contiguous() for name, value in tensors.items()}
        write_bytes(folder / "model.safetensors", safetensors.torch.save(tensors, header(tensors)))
        description = {"model": self.model.name, "geometry": asdict(self.geometry), "seed": self.seed}
        write_json(folder / "model.json", description | {"losses": self.losses, "rates": self.rates})


def load_trained(folder: Path | str, seed: int | None = None) -> Trained:
    """Read what :meth:`Trained.save` wrote.

    Args:
        folder: of one trained model, or of several initialisations of it in folders `seed<number>` of their own.
        seed: which initialisation; where there is only one it can be left out.

    Raises:
        DataError: where a file is missing or broken, or the initialisation is not there.
    """
    several = _folders(Path(folder))
    only = None if several else _load(Path(folder))
    if only and seed in (None, only.seed):
        return only
    if seed not in several:
        there = ", ".join(map(str, several or [only and only.seed]))
        raise DataError(f"{folder} holds the initialisations {there}, and seed is {seed}; choose one of them.")
    return _load(several[seed])


def load_ensemble(folder: Path | str) -> list[Trained]:
    """All initialisations that a training run left in `folder`, by their seeds, whether one or many.

    Raises:
        DataError: where a file is missing or broken.
    """
    return [run for each in find_networks([folder]).values() for run in each]


class Networks(Sequence[Trained]):
    """Trained networks of one model on disk, each read when it is asked for: one of fifty costs no more than one.

    Attributes:
        folders: of each network, by rising seeds.
        seeds: of each network, in the same order.
    """

    def __init__(self, found: Sequence[tuple[int, Path]]) -> None:
        ordered = sorted(found, key=lambda one: one[0])
        self.seeds, self.folders = [seed for seed, _ in ordered], [folder for _, folder in ordered]

    def __len__(self) -> int:
        return len(self.folders)

    @overload
    def __getitem__(self, index: int) -> Trained: ...
    @overload
    def __getitem__(self, index: slice) -> list[Trained]: ...
    def __getitem__(self, index: int | slice) -> Trained | list[Trained]:
        chosen = self.folders[index]
        return [_load(one) for one in chosen] if isinstance(chosen, list) else _load(chosen)

    def of_seed(self, seed: int) -> list[Trained]:
        """The networks of one seed; several trainings may share it."""
        return [_load(folder) for folder, each in zip(self.folders, self.seeds, strict=True) if each == seed]


def find_networks(folders: Sequence[Path | str]) -> dict[str, Networks]:
    """The networks that training runs left in `folders`, one or many each, by the names of their models.

    Raises:
        DataError: where a folder holds no complete trained model.
    """
    found: dict[str, list[tuple[int, Path]]] = {}
    for folder in map(Path, folders):
        for one in _folders(folder).values() or [folder]:
            about = _description(one)
            found.setdefault(about["model"], []).append((about["seed"], one))
    return {name: Networks(each) for name, each in found.items()}


@overload
def pretrained(name: Literal["DAE", "MSS-DAE", "SF"]) -> Trained: ...
@overload
def pretrained(name: Literal["spleeter"], folder: Path | str | None = None) -> Published: ...
@overload
def pretrained(name: str, folder: Path | str | None = None) -> Trained | Published: ...
def pretrained(name: str, folder: Path | str | None = None) -> Trained | Published:
    """A trained network by its name, with the `model`, its `geometry` and the `scale` of the magnitudes that it takes.

    Args:
        name: `DAE`, `MSS-DAE` or `SF`, of the `demo` profile (11.025 kHz, 513 bins), which come with the package:
            `nca/training/networks/README.md` says from what they were made and how well they separate. Or `spleeter`,
            which people use, once `nca fetch spleeter` has got it.
        folder: where fetched weights are kept; by default the user's cache.

    Returns:
        The model in float32, which takes `magnitudes / scale`, `(bins, frames)`.

    Raises:
        ParameterError: for any other name.
        DataError: for one that is not fetched.
    """
    if name == "spleeter":
        model = load_spleeter(folder)
        return Published(model, torch.ones(model.bins, 1), model.geometry)
    if name not in MODELS:
        names = ", ".join([*MODELS, "spleeter"])
        raise ParameterError(f"There is no pretrained network {name!r}; choose one of {names}.")
    return load_trained(NETWORKS / name)


def _folders(folder: Path) -> dict[int, Path]:
    """The folders of a run's initialisations by their seeds; none where it has only one."""
    found = {int(one.name[4:]): one for one in folder.glob("seed*") if one.name[4:].isdecimal()}
    return dict(sorted(found.items()))


def _description(folder: Path) -> dict[str, Any]:
    try:
        return read_json(folder / "model.json", DESCRIPTION)
    except DataError as error:
        raise DataError(f"{folder} holds no complete trained model ({error}); train it again.") from error


def _load(folder: Path) -> Trained:
    description = _description(folder)
    try:
        stored, _ = read_tensors(folder / "model.safetensors")
        tensors = {name: value.float() for name, value in stored.items()}
        geometry = Geometry.read(description["geometry"], folder)
        model: Model = build(description["model"], geometry.bins)
        scale, static_gain = tensors.pop("scale"), tensors.pop("static_gain")
        model.load_state_dict(tensors)
    except (DataError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise DataError(f"{folder} holds no complete trained model ({error!r}); train it again.") from error
    model.requires_grad_(False)
    about = (description[name] for name in ("seed", "losses", "rates"))
    return Trained(model, scale, static_gain, geometry, *about)
