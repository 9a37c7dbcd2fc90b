"""Every page of the built book; NCA_BOOK names it (default `_build/html`)."""

import re
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from browserkit import BOOK, PHONE, Watched

pytestmark = pytest.mark.browser

LEFT_OUT = {"genindex.html", "py-modindex.html", "search.html", "index.html"}
PAGES = [p for p in sorted(BOOK.rglob("*.html")) if p.name not in LEFT_OUT and "_static" not in p.parts]
built = pytest.mark.skipif(not PAGES, reason=f"needs a built book in {BOOK.name} (NCA_BOOK)")


def named(page: Path | None) -> str:
    return str(page.relative_to(BOOK).with_suffix("")) if page else "none"


@built
@pytest.mark.parametrize("path", PAGES or [None], ids=named)
def test_page_opens_without_network(
    path: Path, visit: Callable[..., Watched], shoot: Callable[[Any, str], None]
) -> None:
    watched = visit(path)
    page = watched.page
    math = page.locator(".math")
    if math.count():
        page.wait_for_function("document.querySelector('mjx-container')")
        unset = "[...document.querySelectorAll('article .math')].filter(m => !m.querySelector('mjx-container')).length"
        page.wait_for_function(f"{unset} === 0")
        assert page.locator("mjx-merror").count() == 0
    for image in page.locator("article img:not(.nca-explorer img)").all():
        assert len(image.get_attribute("alt") or "") > 10, image.get_attribute("src")
        assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    shoot(page, f"page-{path.stem}")
    watched.calm()


@built
@pytest.mark.parametrize("path", PAGES or [None], ids=named)
def test_page_fits_a_phone(path: Path, visit: Callable[..., Watched], shoot: Callable[[Any, str], None]) -> None:
    page = visit(path, viewport=PHONE, color_scheme="dark", device_scale_factor=2).page
    page.wait_for_timeout(500)
    wide = """[...document.querySelectorAll('article *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1)
        .filter(e => !e.closest('pre, .cell_output, .pst-scrollable-table-container, .math'))
        .map(e => e.outerHTML.slice(0, 90))"""
    assert page.evaluate("document.documentElement.scrollWidth") <= 390, page.evaluate(wide)[:3]
    shoot(page, f"phone-{path.stem}")


@built
@pytest.mark.parametrize("path", PAGES or [None], ids=named)
def test_page_is_light(path: Path) -> None:
    """Its own weight, with its pictures: 8 MB with an explorer, 1.5 MB without sound, 3 MB with."""
    text = path.read_text(encoding="utf-8")
    pictures = {(path.parent / name).resolve() for name in re.findall(r'<img[^>]*? src="([^":]+)"', text)}
    weight = len(text.encode()) + sum(picture.stat().st_size for picture in pictures)
    explorer, sound = "nca.pages.explorer" in text and "AnyModel" in text, "<audio" in text
    assert weight < (8e6 if explorer else 3e6 if sound else 1.5e6)


@built
def test_pages_and_their_tables_can_be_taken_along() -> None:
    """Each executed page as a notebook from its download button, each table as CSV."""
    for path in (path for path in PAGES if path.parent.name == "executed"):
        text = path.read_text(encoding="utf-8")
        assert f'href="../_sources/executed/{path.stem}.ipynb"' in text, path.stem
        assert (BOOK / "_sources" / "executed" / f"{path.stem}.ipynb").exists()
        assert text.count('<div class="table-wrapper">') == text.count('<a class="csv" download='), path.stem
        assert '<table border="1" class="dataframe"' not in text, f"{path.stem} has a table without CSV"


@built
def test_internal_links_resolve(browser: Any) -> None:
    page, followed, anchors = browser.new_page(), [], {}
    for path in PAGES:
        page.goto(path.as_uri(), wait_until="domcontentloaded")
        links = page.eval_on_selector_all(
            "a[href]", "links => links.map(link => [link.href, link.getAttribute('href')])"
        )
        anchors[path] = set(
            page.eval_on_selector_all("[id], a[name]", "nodes => nodes.map(node => node.id || node.name)")
        )
        followed += [(path, address, written) for address, written in links if address.startswith("file:")]
    page.close()
    for path, address, written in followed:
        place, _, anchor = urllib.parse.unquote(address.removeprefix("file://")).partition("#")
        target = Path(place.partition("?")[0])
        assert target.exists(), f"{path.name} links to {written}"
        assert not anchor or target not in anchors or anchor in anchors[target], f"{path.name} links to {written}"


@built
def test_search_finds_tod_r(visit: Callable[..., Watched]) -> None:
    watched = visit(BOOK / "search.html")
    watched.page.goto((BOOK / "search.html").as_uri() + "?q=diagonal")
    watched.page.locator("#search-results li a").first.wait_for()
    watched.calm()


@built
def test_every_named_place_is_three_clicks_from_the_front(visit: Callable[..., Watched]) -> None:
    watched = visit(BOOK / "index.html")
    watched.page.wait_for_url("**/executed/front.html")
    article = watched.page.locator("article a[href]")
    names = article.evaluate_all("links => links.map(link => link.getAttribute('href'))")
    for wanted in ("glossary", "results", "strategies", "own-data", "api"):
        assert any(wanted in name for name in names), wanted
