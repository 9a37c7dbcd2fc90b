"""Keeps the book off the network: what its pages would load from elsewhere lies beside them.

MathJax is taken from a wheel that holds it, which pip fetches once, checked by its digest, into the git-ignored
`_build/offline`; nothing of it is installed. Widgets are shown by `widgets.js`. Where pip cannot get the wheel, the
build says so, and pages load MathJax from the network.
"""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from sphinx.application import Sphinx
from sphinx.config import Config

WHEEL = "django-static-mathjax==3.2.2.1"  # MathJax 3.2.2 as its authors distribute it, Apache-2.0
SHA256 = "05ad109fd9e5d9d380c76389689b7f523e9ccb7f7a85c1eb962c7564eac7601d"
INSIDE, WANTED = "mathjax/static/mathjax/es5/", ("tex-chtml.js", "input/tex/extensions/", "output/chtml/fonts/woff-v2/")


def fetch(folder: Path) -> Path:
    """A static folder below `folder` with MathJax at `offline/mathjax`, fetched unless it is there already.

    Raises:
        OSError: where pip cannot get it; nothing is left then.
    """
    static = folder / "static"
    if static.is_dir():
        return static
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        unpacked = Path(scratch) / "static"
        with ZipFile(download(Path(scratch))) as wheel:
            for name in wheel.namelist():
                if name.removeprefix(INSIDE).startswith(WANTED):
                    place = unpacked / "offline/mathjax" / name.removeprefix(INSIDE)
                    place.parent.mkdir(parents=True, exist_ok=True)
                    place.write_bytes(wheel.read(name))
        unpacked.rename(static)
    return static


def download(folder: Path) -> Path:
    """The wheel, checked by pip."""
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{WHEEL} --hash=sha256:{SHA256}\n")
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"]
    command = [sys.executable, "-m", "pip", "download", *options, "--dest", folder, "-r", wanted]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR: ")]
        raise OSError(errors[0].removeprefix("ERROR: ") if errors else "pip failed")
    return next(folder.glob("*.whl"))


def use_local_assets(app: Sphinx, config: Config) -> None:
    """Point MathJax and the widgets at the local copies, or say that there is no MathJax."""
    config.nb_ipywidgets_js = {"widgets.js": {}}
    try:
        config.html_static_path.append(str(fetch(Path(app.srcdir) / "_build/offline")))
    except (OSError, subprocess.SubprocessError) as error:
        print(f"offline: no MathJax ({error}); pages will load it from the network", file=sys.stderr)
        return
    config.mathjax_path = "offline/mathjax/tex-chtml.js"


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
