"""What the explorer's front end is given: matrices, sounds and colours, as JSON and bytes."""

import hashlib
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np

from nca.errors import ParameterError
from nca.pages import figures
from nca.pages.explorer.quantise import quantise
from nca.pages.explorer.views import View


def explorer_state(views: Sequence[View], bandwidth: float) -> dict[str, Any]:
    """The state of an explorer of some views: `views`, `sounds`, `bandwidth` in Hz and `colours`.

    Raises:
        ParameterError: where there is no matrix, one is not square or finite, or sizes differ.
    """
    if not views:
        raise ParameterError("There is nothing to explore: give at least one matrix.")
    bins = len(views[0].numbers())
    return {
        "views": [packed(number, view, bins) for number, view in enumerate(views)],
        "sounds": sounds_of(views),
        "bandwidth": bandwidth,
        "colours": {"level": colours_of(figures.SEQUENTIAL), "signed": colours_of(figures.DIVERGING)},
    }


def packed(number: int, view: View, bins: int) -> dict[str, Any]:
    """One view as explorer.js takes it: its matrix without the mask's own term, which comes beside it."""
    values = view.numbers()
    if len(values) != bins:
        raise ParameterError(f"One explorer shows matrices of one size, not of {bins} and {len(values)} bins.")
    mask = view.gains()
    place = {name: getattr(view, name) for name in ("model", "strategy", "song", "segment", "lag", "note")}
    audio = [[label, _key(sound)] for label, sound in view.audio.items()]
    code = quantise(values if mask is None else values - np.diag(mask))
    return {"id": number, **place, **code, "mask": None if mask is None else mask.tobytes(), "audio": audio}


def sounds_of(views: Sequence[View]) -> dict[str, bytes]:
    """The sounds of views by their keys: one that several share is there once."""
    return {_key(sound): sound for view in views for sound in view.audio.values()}


def colours_of(name: str) -> bytes:
    """The 256 colours of a map, three bytes each."""
    return mpl.colormaps[name](np.arange(256), bytes=True)[:, :3].tobytes()


def _key(sound: bytes) -> str:
    return hashlib.sha256(sound).hexdigest()[:16]
