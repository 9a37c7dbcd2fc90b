"""The printed forms of a built book, with a builder and a browser in their places."""

import sys
from pathlib import Path

import pytest

from nca.cli import main
from nca.pages import printing

FRONT = "<html><body><article>Front</article></body></html>"
LINKED = (
    '<a href="executed/front.html#term-TOD-R">TOD-R</a> <a href="strategies.html#touch">it</a>'
    ' <a href="https://doi.org/x.html#y">a paper</a> <a href="#here">here</a>'
    ' <a class="reference internal image-reference" href="_images/a.png">\n<img src="_images/a.png" />\n</a>'
)
WITHIN = (
    '<a href="#term-TOD-R">TOD-R</a> <a href="#touch">it</a>'
    ' <a href="https://doi.org/x.html#y">a paper</a> <a href="#here">here</a>'
    ' \n<img src="_images/a.png" />\n'
)


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A book whose front page is in a folder, as Jupyter Book leaves it, and what its builder makes of one page."""

    def folder(name: str) -> None:
        (tmp_path / "_build" / name / "executed").mkdir(parents=True)
        (tmp_path / "_build" / name / "executed/front.html").write_text(FRONT.replace("Front", LINKED))
        leads = '<meta http-equiv="Refresh" content="0; url=executed/front.html" />'
        (tmp_path / "_build" / name / "index.html").write_text(leads)

    folder("html")
    monkeypatch.setattr(printing, "run_builder", lambda root, *options: folder(options[-1]))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "_build/html"


def test_without_chromium_the_page_alone_is_linked(
    built: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("PATH", str(built))
    assert main(["pdf"]) == 0
    said = capsys.readouterr()
    assert said.out == f"{built / 'print.html'}\n"
    assert said.err == "There is no Chromium here, so there is no PDF; any browser can print this page.\n"
    assert (built / "print.html").read_text() == FRONT.replace("Front", WITHIN)
    front = (built / "executed/front.html").read_text()
    assert front.count('<a href="../print.html">') == 1
    assert "neural-couplings.pdf" not in front


def test_with_it_the_pdf_is_linked_too_and_once(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = built / "chromium"
    browser.write_text(f"#!{sys.executable}\nimport sys\nopen(sys.argv[-2].split('=')[1], 'w').write(sys.argv[-1])\n")
    browser.chmod(0o755)
    monkeypatch.setenv("PATH", str(built))
    for _ in range(2):
        assert printing.print_book(Path()) == (built / "print.html", built / "neural-couplings.pdf")
    assert (built / "neural-couplings.pdf").read_text() == (built / "print.html").as_uri()
    front = (built / "executed/front.html").read_text()
    assert front.count("../neural-couplings.pdf") == front.count("../print.html") == 1


def test_what_cannot_be_printed_is_a_named_error(
    built: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    browser = built / "chromium"
    browser.write_text("#!/bin/sh\necho no display >&2\nexit 1\n")
    browser.chmod(0o755)
    monkeypatch.setenv("PATH", str(built))
    assert main(["pdf"]) == 2
    assert f"{browser} did not print the book: no display" in capsys.readouterr().err
    monkeypatch.chdir(built)
    assert main(["pdf"]) == 2
    assert "run `nca book` first" in capsys.readouterr().err
