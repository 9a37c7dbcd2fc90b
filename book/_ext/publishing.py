"""What a published page offers: itself as a notebook that runs alone, and, where the repository is known, its buttons.

The repository's address stands in one place: `repository: url:` of `_config.yml`, or, as where a workflow builds the
book, the environment variable BOOK_REPOSITORY. Without it there are no buttons, since they would lead nowhere.
"""

import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

import nbformat
from sphinx.application import Sphinx

from nca.pages.alone import stand_alone

GITHUB, COLAB = "https://github.com/", "https://colab.research.google.com/github/"
PUBLISHED = "gh-pages"  # the branch that holds the built book, and so the executed pages


def repository(app: Sphinx) -> str:
    """Address of the repository, or an empty text."""
    configured = app.config.html_theme_options.get("repository_url") or ""
    return os.environ.get("BOOK_REPOSITORY", configured).rstrip("/").removesuffix(".git")


def add_buttons(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object) -> None:
    """Edit, issue and, of a page with code, Colab."""
    address = repository(app)
    if not address or doctree is None:
        return
    executed = page.startswith("executed/")
    source = f"notebooks/{Path(page).name}.md" if executed else f"{page}.md"
    branch = app.config.html_theme_options.get("repository_branch") or "main"
    links = {
        "Edit this page": (f"{address}/edit/{branch}/{source}", "fas fa-pencil-alt"),
        "Open an issue": (f"{address}/issues/new?title={quote(f'On the page {source}')}", "fas fa-lightbulb"),
    }
    if executed and address.startswith(GITHUB):
        notebook = f"{address.removeprefix(GITHUB)}/blob/{PUBLISHED}/_sources/{page}.ipynb"
        links["Run in Colab"] = (COLAB + notebook, "fas fa-rocket")
    buttons = [
        {"type": "link", "text": text, "tooltip": text, "url": url, "icon": icon, "label": text.lower()}
        for text, (url, icon) in links.items()
    ]
    group = {"type": "group", "tooltip": "Change or run this page", "icon": "fas fa-code-branch", "label": "repository"}
    context["header_buttons"].append(group | {"buttons": buttons})


def free_downloads(app: Sphinx, error: Exception | None) -> None:
    """Make of each executed notebook that readers download one that runs alone."""
    address = repository(app)
    package = f"nca[book] @ git+{address}" if address else ""
    for path in () if error else Path(app.outdir).glob("_sources/executed/*.ipynb"):
        notebook = nbformat.read(path, as_version=4)
        if notebook.cells[0].get("id") != "alone":
            nbformat.write(stand_alone(notebook, package), path)


def print_as_shown(app: Sphinx) -> None:
    """Let the page that holds all others know every node that pages know: Sphinx forgets those, once one is its own."""
    known = app.registry.translation_handlers
    known["singlehtml"] = known["html"] | known.get("singlehtml", {})


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("builder-inited", print_as_shown)
    app.connect("html-page-context", add_buttons, priority=900)  # after the theme's own
    app.connect("build-finished", free_downloads)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
