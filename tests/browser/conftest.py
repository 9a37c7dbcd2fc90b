"""Chromium, pages in it, and a small book with an explorer. NCA_SHOTS names a folder that keeps screenshots."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from browserkit import ARGS, DESKTOP, KERNEL, ROOT, SETUP, Watched, run
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    driver = pytest.importorskip("playwright.sync_api", reason="needs the playwright package")
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if not program:
        pytest.skip("needs Chromium on the path")
    with driver.sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=program, args=ARGS)
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser: Any) -> Iterator[Callable[..., Watched]]:
    contexts = []

    def opened(address: str | Path, **options: Any) -> Watched:
        context = browser.new_context(**({"viewport": DESKTOP} | options))
        contexts.append(context)
        watched = Watched(context.new_page())
        watched.page.goto(address.as_uri() if isinstance(address, Path) else address, wait_until="load")
        return watched

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture
def shoot(tmp_path: Path) -> Callable[[Any, str], None]:
    folder = Path(os.environ.get("NCA_SHOTS", tmp_path))
    return lambda target, name: target.screenshot(path=folder / f"{name}.png")


@pytest.fixture(scope="session")
def small_book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A book of two pages, built with this one's configuration: an explorer as papermill leaves it, and plain prose."""
    home = tmp_path_factory.mktemp("book")
    shutil.copytree(ROOT / "book", home / "book")
    shutil.copy2(ROOT / "_config.yml", home)
    if (ROOT / "_build/offline").is_dir():
        (home / "_build").mkdir()
        (home / "_build/offline").symlink_to(ROOT / "_build/offline")
    cells = [new_markdown_cell("# Explorer"), new_code_cell(SETUP), new_code_cell("explore(views)")]
    nbformat.write(new_notebook(cells=cells, metadata=KERNEL), home / "explorer.ipynb")
    (home / "executed").mkdir()
    run("-m", "papermill", "explorer.ipynb", "executed/explorer.ipynb", "--no-progress-bar", cwd=home)
    (home / "front.md").write_text("# Front\n\n$$ y = C x $$ (eq-15)\n\nSee {eq}`eq-15`.\n")
    (home / "_toc.yml").write_text("format: jb-book\nroot: front\nchapters:\n  - file: executed/explorer\n")
    run("-c", "from jupyter_book.cli.main import main; main()", "build", ".", "-W", "--keep-going", cwd=home)
    if not (home / "_build/html/_static/offline/mathjax").exists():
        pytest.skip("MathJax could not be fetched with pip")
    return home / "_build" / "html"
