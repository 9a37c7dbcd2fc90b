"""The whole book on one page, and as a PDF where Chromium is at hand."""

import re
import shutil
import subprocess
from pathlib import Path

from nca.errors import RunError
from nca.pages.build import run_builder
from nca.support.files import write_bytes

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
PAGE, PDF = "print.html", "neural-couplings.pdf"
# time in which scripts set the equations, in milliseconds of a clock that runs as fast as they do
OPTIONS = ("--headless", "--disable-gpu", "--no-sandbox", "--no-pdf-header-footer", "--virtual-time-budget=120000")
REFRESH = re.compile(r'url=([^"]+)"')
LINKS = re.compile(r'<p class="printed">.*?</p>')
OTHER_PAGE = re.compile(r'href="[\w./-]+\.html#')  # of the book, which here is this page
PICTURE = re.compile(r'<a class="[^"]*image-reference"[^>]*>(.*?)</a>', re.DOTALL)  # led to a file


def print_book(root: Path) -> tuple[Path, Path | None]:
    """Write the built book as one page and as a PDF beside its pages, and link both from its front page.

    Returns:
        The page, and the PDF or, where there is no Chromium, None.

    Raises:
        RunError: where the book is not built yet, or Chromium or the builder fails.
    """
    book = root / "_build/html"
    if not (book / "index.html").exists():
        raise RunError(f"There is no book in {book}; run `nca book` first.")
    single = root / "_build/singlehtml"
    shutil.rmtree(single, ignore_errors=True)
    run_builder(root, "--builder", "singlehtml")
    front = _front(single)
    # at the top of the book, where the names of pictures and styles lead to the book's own
    page = book / PAGE
    write_bytes(page, _within((single / front).read_text(encoding="utf-8")).encode())
    pdf = _print(page, book / PDF)
    _link(book / _front(book), [PAGE, PDF] if pdf else [PAGE])
    return page.resolve(), pdf


def _front(built: Path) -> str:
    """The page that `index.html` leads to, relative to it."""
    found = REFRESH.search((built / "index.html").read_text(encoding="utf-8"))
    return found[1] if found else "index.html"


def _within(text: str) -> str:
    """The one page, with links that lead to its own places, and so do those of the PDF."""
    return PICTURE.sub(r"\1", OTHER_PAGE.sub('href="#', text))


def _print(page: Path, pdf: Path) -> Path | None:
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        return None
    command = [browser, *OPTIONS, f"--print-to-pdf={pdf.resolve()}", page.resolve().as_uri()]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode or not pdf.exists():
        raise RunError(
            f"{browser} did not print the book: {(done.stderr.strip() or 'no reason given').splitlines()[-1]}"
        )
    return pdf.resolve()


def _link(front: Path, files: list[str]) -> None:
    """Say on the front page, at the end of its text, where the printed forms are."""
    up = "../" * (len(front.relative_to(front.parents[1]).parts) - 1)
    names = {PAGE: "on one page", PDF: "as a PDF"}
    links = " or ".join(f'<a href="{up}{file}">{names[file]}</a>' for file in files)
    text = LINKS.sub("", front.read_text(encoding="utf-8"))
    said = f'<p class="printed">The whole book {links}.</p></article>'
    write_bytes(front, text.replace("</article>", said, 1).encode())
