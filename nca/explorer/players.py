"""Audio players in a page, the sound embedded."""

from base64 import b64encode
from collections.abc import Mapping
from html import escape

from IPython.display import HTML
from numpy.typing import ArrayLike

from nca.explorer.sound import encode


def players(waveforms: Mapping[str, ArrayLike], rate: int) -> HTML:
    """One player a waveform `(samples,)` at `rate` Hz, named by its key; plays without a kernel or a network.

    Raises:
        ParameterError: see :func:`nca.explorer.sound.encode`.
    """
    rows = []
    for name, wave in waveforms.items():
        source = b64encode(encode(wave, rate)).decode()
        audio = (
            f'<audio controls preload="none" aria-label="{escape(name)}" src="data:audio/mpeg;base64,{source}"></audio>'
        )
        rows.append(f"<tr><th scope='row'>{escape(name)}</th><td>{audio}</td></tr>")
    return HTML(f"<table class='players'>{''.join(rows)}</table>")
