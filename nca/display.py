"""What a page shows besides figures: tables to download, and players. Both work without a kernel or a network."""

from base64 import b64encode
from collections.abc import Mapping
from html import escape

import pandas as pd
from IPython.display import HTML
from numpy.typing import ArrayLike

from nca.explorer.sound import encode


def table(frame: pd.DataFrame | pd.Series, caption: str, digits: int = 2, index: bool = True) -> HTML:
    """A table with its caption, numbers rounded for reading, and a link that downloads it unrounded as CSV."""
    whole = frame.to_frame() if isinstance(frame, pd.Series) else frame
    shown = whole.style.format(precision=digits, na_rep="").set_caption(caption)
    shown = shown if index else shown.hide()
    content = b64encode(whole.to_csv(index=index).encode()).decode()
    name = "-".join("".join(c if c.isalnum() else " " for c in caption.lower()).split()[:6])
    link = f'<a class="csv" download="{name}.csv" href="data:text/csv;base64,{content}">CSV</a>'
    return HTML(f'<div class="table-wrapper">{shown.to_html()}{link}</div>')


def players(waveforms: Mapping[str, ArrayLike], rate: int) -> HTML:
    """One player a waveform `(samples,)` at `rate` Hz, named by its key.

    Raises:
        ParameterError: see :func:`nca.explorer.encode`.
    """
    rows = []
    for name, wave in waveforms.items():
        source = f"data:audio/mpeg;base64,{b64encode(encode(wave, rate)).decode()}"
        audio = f'<audio controls preload="none" aria-label="{escape(name)}" src="{source}"></audio>'
        rows.append(f"<tr><th scope='row'>{escape(name)}</th><td>{audio}</td></tr>")
    return HTML(f"<table class='players'>{''.join(rows)}</table>")
