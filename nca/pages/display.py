"""What a page shows besides figures: tables to download, and players. Both work without a kernel or a network."""

import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from html import escape
from itertools import pairwise
from math import floor, log10

import numpy as np
import pandas as pd
from IPython.display import HTML
from numpy.typing import ArrayLike

from nca.pages.explorer.sound import encode
from nca.pages.names import named

PAIRED = {
    "mean": ("std", "\u00a0±\u00a0{}", "mean ± deviation"),
    "low": ("high", "\u00a0to\u00a0{}", "95 % interval"),
    "ours": ("paper", "<br><small>paper {}</small>", ""),
}  # columns, side by side, that share cells: the second, how it stands there, and the name of both

SPAN = 30  # largest over smallest number of a column, above which each has as many figures as it needs


def table(frame: pd.DataFrame | pd.Series, caption: str, digits: int = 2, index: bool = True) -> HTML:
    """A table with its caption and a link that downloads it, unrounded and with its columns' own names, as CSV.

    Columns have the names of `nca.pages.names.NAMES`. A mean and its deviation stand in one cell, and so do both ends
    of an interval, and our value and the paper's.

    Args:
        frame: one row a line.
        caption: names the file as well.
        digits: decimals of numbers below 10; larger ones have as many figures, and so has the rest of their column
            where it spans no more than a factor of 30.
        index: whether to show it.
    """
    complete = frame.to_frame() if isinstance(frame, pd.Series) else frame
    content = b64encode(complete.to_csv(index=index).encode()).decode()
    name = "-".join("".join(c if c.isalnum() else " " for c in caption.lower()).split()[:6])
    link = f'<a class="csv" download="{name}.csv" href="data:text/csv;base64,{content}">CSV</a>'
    sides = [*(_index(complete) if index else ()), *_columns(complete, digits)]
    head = "".join(heading for heading, _ in sides)
    lines = "".join(f"<tr>{''.join(line)}</tr>" for line in zip(*(cells for _, cells in sides), strict=True))
    title = f"<caption>{escape(caption)} {link}</caption>"
    return HTML(
        f'<div class="table-wrapper"><table>{title}<thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>'
    )


def glue(values: Mapping[str, object]) -> None:
    """Keep values under their names for the sentences of a page, which quote them by the role `glue:text`."""
    from myst_nb import glue as keep  # of the extra `book`

    for name, value in values.items():
        keep(name, value, display=False)


def players(waveforms: Mapping[str, ArrayLike], rate: int) -> HTML:
    """One player a waveform `(samples,)` at `rate` Hz, named by its key.

    Raises:
        ParameterError: see :func:`nca.pages.explorer.encode`.
    """
    rows = []
    for name, wave in waveforms.items():
        source = f"data:audio/mpeg;base64,{b64encode(encode(wave, rate)).decode()}"
        audio = f'<audio controls preload="none" aria-label="{escape(name)}" src="{source}"></audio>'
        rows.append(f"<tr><th scope='row'>{escape(name)}</th><td>{audio}</td></tr>")
    return HTML(f"<table class='players'>{''.join(rows)}</table>")


def _heading(label: object, kind: str = "") -> str:
    return f'<th scope="col"{kind}>{_whole(named(label))}</th>'


def _whole(text: str) -> str:
    """Escaped, and with abbreviations such as TOD-R and MSS-DAE never broken at their hyphen."""
    return re.sub(r"\b[A-Z]+-[A-Z]+\b", r'<span class="whole">\g<0></span>', escape(text))


def _index(frame: pd.DataFrame) -> Iterator[tuple[str, list[str]]]:
    """Heading and cells of each level; what the line above says already is marked, to be hidden there."""
    lines = [key if isinstance(key, tuple) else (key,) for key in frame.index]
    for level, name in enumerate(frame.index.names):
        cells = []
        for above, line in zip([(), *lines], lines, strict=False):
            again = ' class="again"' if level < len(line) - 1 and above[: level + 1] == line[: level + 1] else ""
            cells.append(f'<th scope="row"{again}><span>{_whole(str(line[level]))}</span></th>')
        yield _heading("" if name is None else name, ' class="index"'), cells


def _columns(frame: pd.DataFrame, digits: int) -> Iterator[tuple[str, list[str]]]:
    """Heading and cells of each column, or of two that share their cells; words are marked, to stand at the left."""
    keys = [key if isinstance(key, tuple) else (key,) for key in frame.columns]
    values = {key: frame.iloc[:, place] for place, key in enumerate(keys)}
    partners = {key: right for key, right in pairwise(keys) if right == (*key[:-1], PAIRED.get(key[-1], ("",))[0])}
    for key in (key for key in keys if key not in partners.values()):
        places = _places(values[key], digits)
        cells = [escape(_text(*each)) for each in zip(values[key], places, strict=True)]
        kind = "" if all(re.match(r"-?(\d|inf\b)", cell) for cell in cells if cell) else ' class="text"'
        label: object = key
        if key in partners:
            added = [escape(_text(*each)) for each in zip(values[partners[key]], places, strict=True)]
            _, form, both = PAIRED[key[-1]]
            label = key[:-1] if any(key[:-1]) else both
            cells = [cell + (form.format(more) if more else "") for cell, more in zip(cells, added, strict=True)]
        yield _heading(label, kind), [f"<td{kind}>{cell}</td>" for cell in cells]


def _places(column: pd.Series, digits: int) -> list[int]:
    """Decimals of each cell: of numbers from 10 on as many figures, for the whole column unless it spans too much."""
    if not pd.api.types.is_numeric_dtype(column):
        return [digits] * len(column)
    sizes = np.nan_to_num(abs(column.to_numpy(float, na_value=np.nan)), posinf=0)
    if sizes.max(initial=0) < SPAN * sizes[sizes > 0].min(initial=np.inf):
        sizes[:] = sizes.max(initial=0)
    return [max(0, digits - floor(log10(size))) if size >= 10 else digits for size in sizes]


def _text(value: object, places: int) -> str:
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return ""
    if isinstance(value, float):
        return f"{value:z.{places}f}"  # no sign before zeros
    if hasattr(value, "__iter__") and not isinstance(value, str):
        return ", ".join(map(str, value))
    return str(value).replace(" ± ", "\u00a0±\u00a0")
