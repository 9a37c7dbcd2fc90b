"""Keeps the book off the network: what its pages would load from elsewhere is fetched once, when the book is built.

`npm pack` brings MathJax, require.js and the widgets' html-manager into the git-ignored `node_modules/.book`;
anywidget's front end is copied from the installed package. Where that fails the build says so in one line, and pages
load from the network what they would have found beside them.
"""

import shutil
import subprocess
import sys
import tarfile
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.config import Config

HTML_MANAGER, REQUIRE, MATHJAX = "@jupyter-widgets/html-manager@1.0.15", "requirejs@2.3.8", "mathjax@3.2.2"
WANTED = {  # package -> what the pages need of it: (path in the package, path below _static/offline)
    MATHJAX: [
        ("es5/tex-chtml.js", "mathjax/tex-chtml.js"),
        ("es5/input/tex/extensions", "mathjax/input/tex/extensions"),
        ("es5/output/chtml/fonts/woff-v2", "mathjax/output/chtml/fonts/woff-v2"),
    ],
    REQUIRE: [("require.js", "require.js")],
    HTML_MANAGER: [
        ("dist/embed-amd.js", "embed-amd.js"),
        ("dist/1551f4f60c37af51121f.woff2", "1551f4f60c37af51121f.woff2"),  # its icons
        ("dist/7a3337626410ca2f4071.woff2", "7a3337626410ca2f4071.woff2"),
    ],
}
TRIES = 3


def fetch(package: str, folder: Path) -> Path:
    """The unpacked `package` ("name@version") below `folder`, fetched unless it is there already."""
    target = folder / package.lstrip("@").replace("/", "-")
    if target.is_dir():
        return target
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        command = [shutil.which("npm") or "npm", "pack", "--silent", package]
        for left in reversed(range(TRIES)):
            done = subprocess.run(command, cwd=scratch, capture_output=True, text=True, timeout=120)
            if done.returncode == 0:
                break
            if not left:
                raise OSError((done.stderr.strip().splitlines() or ["npm pack failed"])[-1])
        with tarfile.open(next(Path(scratch).glob("*.tgz"))) as archive:
            archive.extractall(scratch, filter="data")
        (Path(scratch) / "package").rename(target)
    return target


def gather(folder: Path) -> Path:
    """A static folder below `folder` with everything that the pages load, under `offline/`."""
    folder.mkdir(parents=True, exist_ok=True)
    static = folder / "static"
    for package, parts in WANTED.items():
        home = fetch(package, folder)
        for source, target in parts:
            place = static / "offline" / target
            place.parent.mkdir(parents=True, exist_ok=True)
            if (home / source).is_dir():
                shutil.copytree(home / source, place, dirs_exist_ok=True)
            else:
                shutil.copy2(home / source, place)
    anywidget = Path(find_spec("anywidget").submodule_search_locations[0])
    shutil.copy2(anywidget / "nbextension" / "index.js", static / "offline" / "anywidget.js")
    return static


def use_local_assets(app: Sphinx, config: Config) -> None:
    """Point MathJax and the widgets at the local copies, or say that there are none."""
    try:
        static = gather(Path(app.srcdir) / "node_modules" / ".book")
    except (OSError, subprocess.SubprocessError) as error:
        reason = str(error) or type(error).__name__
        print(f"offline assets: none ({reason}); pages will load MathJax and widgets from the network", file=sys.stderr)
        return
    config.html_static_path.append(str(static))
    config.mathjax_path = "offline/mathjax/tex-chtml.js"
    config.nb_ipywidgets_js = {"offline/require.js": {}, "widgets.js": {}, "offline/embed-amd.js": {}}


def leave_out_thebe(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object) -> None:
    """Jupyter Book loads thebe's starter into every page; this book runs no code on other machines.

    A widget's state is a script as well, of megabytes of base64 in which any five letters may stand: it stays.
    """
    for assets in (context["script_files"], context["css_files"]):
        assets[:] = [asset for asset in assets if _is_data(asset) or "thebe" not in str(asset).lower()]


def _is_data(asset: Any) -> bool:
    return "json" in getattr(asset, "attributes", {}).get("type", "")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("config-inited", use_local_assets)
    app.connect("html-page-context", leave_out_thebe, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
