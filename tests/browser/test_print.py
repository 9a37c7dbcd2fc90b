"""The page of the whole book on paper: Chromium's PDF, in which no link leads to a file of the machine that made it."""

import re
from pathlib import Path

import pytest
from browserkit import ROOT
from PIL import Image

from nca.pages.printing import _print

pytestmark = pytest.mark.browser

PAGE = """<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="book.css">
<script>const DOCUMENTATION_OPTIONS = {};</script><script src="book.js"></script>
<article class="bd-article"><p>See <a href="#far">far below</a> and <a href="https://doi.org/10/x">a paper</a>.</p>
<figure><img src="a.png"></figure><pre>WORDS</pre><p id="far">Here.</p></article>"""


def test_links_on_paper_stay_in_the_book_and_code_is_whole(browser: object, tmp_path: Path) -> None:
    for name in ("book.css", "book.js"):
        (tmp_path / name).write_bytes((ROOT / "book/_static" / name).read_bytes())
    Image.new("RGB", (40, 30), "red").save(tmp_path / "a.png")
    page = tmp_path / "print.html"
    page.write_text(PAGE.replace("WORDS", "word " * 80))
    pdf = _print(page, tmp_path / "it.pdf")
    assert pdf
    printed = pdf.read_bytes()
    assert re.findall(rb"/URI \(([^)]*)", printed) == [b"https://doi.org/10/x"]
    assert b"/Dest" in printed  # and the other leads on, within it
    (box,) = set(re.findall(rb"/MediaBox \[0 0 (\d+)", printed))
    assert int(box) == 594  # A4, as the style asks
