"""The theme loads all of Font Awesome, 1.5 MB, into every page; the built book keeps the icons that its pages name."""

import re
from pathlib import Path

from sphinx.application import Sphinx

ICON = re.compile(r'"?([a-z0-9-]+)"?:\[\d+,\d+,\[[^\]]*\],"[0-9a-f]+",(?:"[^"]*"|\["[^"]*","[^"]*"\])\],?')
NAME = re.compile(r"fa-([a-z0-9-]+)")


def keep_used_icons(app: Sphinx, error: Exception | None) -> None:
    collection = Path(app.outdir) / "_static" / "scripts" / "fontawesome.js"
    if error or not collection.exists():
        return
    scripts = [path for path in collection.parent.glob("*.js") if path != collection]
    sources = [*Path(app.outdir).rglob("*.html"), *scripts]
    used = {name for path in sources for name in NAME.findall(path.read_text(encoding="utf-8", errors="ignore"))}
    icons = collection.read_text(encoding="utf-8")
    collection.write_text(ICON.sub(lambda icon: icon[0] if icon[1] in used else "", icons), encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("build-finished", keep_used_icons)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
