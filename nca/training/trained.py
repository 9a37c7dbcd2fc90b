"""Trained models on disk: safetensors with JSON beside them, nothing pickled."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from nca.errors import DataError
from nca.files import write_bytes, write_json
from nca.models import Separator, build
from nca.spectra import Geometry


@dataclass(frozen=True)
class Trained:
    """A trained model with all that its use needs.

    Attributes:
        model: weights `(bins, bins)`.
        scale: what magnitudes are divided by before the model sees them, `(bins, 1)`.
        static_gain: the best constant gain a band on the training frames, `(bins, 1)`: every separation's baseline.
        geometry: of the transform.
        seed: of the initialisation and the shuffles.
        losses, rates: mean training loss and learning rate of each epoch.
    """

    model: Separator
    scale: Tensor
    static_gain: Tensor
    geometry: Geometry
    seed: int
    losses: list[float]
    rates: list[float]

    def save(self, folder: Path | str) -> None:
        """Write `model.safetensors`, then `model.json`, which makes the folder whole."""
        folder = Path(folder)
        tensors = {name: value.contiguous() for name, value in self.model.state_dict().items()}
        tensors |= {"scale": self.scale, "static_gain": self.static_gain}
        write_bytes(folder / "model.safetensors", safetensors.torch.save(tensors))
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
    if several and seed not in several:
        there = ", ".join(map(str, several))
        raise DataError(f"{folder} holds the initialisations {there}, and seed is {seed}; choose one of them.")
    return _load(several[seed] if several and seed is not None else Path(folder))


def load_ensemble(folder: Path | str) -> list[Trained]:
    """All initialisations that a training run left in `folder`, by their seeds, whether one or many.

    Raises:
        DataError: where a file is missing or broken.
    """
    return [_load(one) for one in _folders(Path(folder)).values() or [Path(folder)]]


def _folders(folder: Path) -> dict[int, Path]:
    """The folders of a run's initialisations by their seeds; none where it has only one."""
    found = {int(one.name[4:]): one for one in folder.glob("seed*") if one.name[4:].isdecimal()}
    return dict(sorted(found.items()))


def _load(folder: Path) -> Trained:
    try:
        description = json.loads((folder / "model.json").read_text())
        tensors = safetensors.torch.load_file(folder / "model.safetensors")
    except (OSError, ValueError, SafetensorError) as error:
        raise DataError(f"{folder} holds no whole trained model ({error}); train it again.") from error
    geometry = Geometry(**description["geometry"])
    model = build(description["model"], geometry.bins)
    scale, static_gain = tensors.pop("scale"), tensors.pop("static_gain")
    model.load_state_dict(tensors)
    model.requires_grad_(False)
    return Trained(
        model, scale, static_gain, geometry, description["seed"], description["losses"], description["rates"]
    )
