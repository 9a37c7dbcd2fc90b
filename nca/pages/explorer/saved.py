"""Explorers in a page of one file, which opens without Jupyter and asks the network for nothing."""

import json
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from nca.errors import DataError
from nca.support.files import write_bytes

FRONTEND = Path(__file__).parent / "frontend"
PARTS = ("common.js", "matrices.js", "drawing.js")
SCRIPT = "\n".join((FRONTEND / name).read_text("utf-8") for name in (*PARTS, "explorer.js"))
STYLE = (FRONTEND / "explorer.css").read_text("utf-8")


def save_explorer(path: Path | str, state: Mapping[str, Any], still: bytes, title: str) -> Path:
    """Write a page with one explorer of a `state` (:func:`nca.pages.explorer.state.explorer_state`).

    Args:
        still: a PNG for readers without JavaScript.

    Raises:
        DataError: where the file cannot be written.
    """
    return save_page(path, "explorer.html", title=title, state=state, still=still)


def save_page(path: Path | str, template: str, **values: Any) -> Path:
    """Write a page of one file from a template of `nca/pages/templates`, complete or not at all.

    Raises:
        DataError: where the file cannot be written.
    """
    environment = Environment(loader=PackageLoader("nca.pages"), autoescape=True, undefined=StrictUndefined)
    environment.filters |= {"state": _state, "data": _data}
    start = (FRONTEND / "standalone.js").read_text("utf-8")
    environment.globals |= {"style": Markup(STYLE), "script": Markup(SCRIPT + start)}
    try:
        write_bytes(path, environment.get_template(template).render(values).encode())
    except OSError as error:
        raise DataError(f"{path} cannot be written ({error.strerror}); choose another place.") from error
    return Path(path)


def _state(state: Mapping[str, Any]) -> Markup:
    """An explorer's state as JSON inside a script element; bytes as `{"base64": ...}`."""
    text = json.dumps(state, default=lambda content: {"base64": b64encode(content).decode()})
    return Markup(text.replace("<", "\\u003c"))


def _data(content: bytes, kind: str) -> str:
    """Bytes as an address that holds them."""
    return f"data:{kind};base64,{b64encode(content).decode()}"
