"""Reading the built book, on a phone, a laptop and a large screen, light and dark; NCA_BOOK names it."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from browserkit import BOOK, DESKTOP, PHONE, Watched
from test_book_pages import PAGES, built, named

from nca.analysis.tables import PAPER

pytestmark = pytest.mark.browser
WIDTHS = (375, 1300, 1920)
SOLUTION = re.compile(r'class="[^"]*\bsolution\b')
RESULTS, FRONT = BOOK / "executed" / "results.html", BOOK / "executed" / "front.html"

CLIPPED = """() => {
    const article = document.querySelector("article"), wrong = [];
    const { left, right } = article.getBoundingClientRect();
    for (const table of article.querySelectorAll(".table-wrapper, .pst-scrollable-table-container"))
        if (table.scrollWidth > table.clientWidth) wrong.push("scrolled: " + table.innerText.slice(0, 60));
    for (const part of article.querySelectorAll("table, img, canvas, figure, audio")) {
        const box = part.getBoundingClientRect();
        if (box.width && (box.left < left - 1 || box.right > right + 1)) wrong.push(part.outerHTML.slice(0, 90));
    }
    for (const cell of article.querySelectorAll("td, caption"))
        if (cell.textContent.trim() && !cell.closest("details, .toggle") && !cell.getClientRects().length)
            wrong.push("hidden: " + cell.textContent.slice(0, 60));
    for (const formula of article.querySelectorAll("mjx-container"))
        if (formula.firstElementChild.getBoundingClientRect().width > formula.clientWidth + 1)
            wrong.push("formula: " + formula.closest("section").id);
    if (document.documentElement.scrollWidth > innerWidth) wrong.push("the page itself");
    return wrong;
}"""

FAINT = """() => {
    const rgb = (text) => { const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number); return { c: [r, g, b], a }; };
    const light = ({ c }) => c.map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const behind = (element) => {
        for (let at = element; at; at = at.parentElement) {
            const colour = rgb(getComputedStyle(at).backgroundColor);
            if (colour.a > 0.9) return colour;
        }
        return { c: [255, 255, 255] };
    };
    const faint = new Map();
    const read = "article :is(p, li, td, th, caption, figcaption, figcaption *, small)";
    for (const element of document.querySelectorAll(read)) {
        const style = getComputedStyle(element);
        if (!element.innerText?.trim() || style.visibility === "hidden" || !element.getClientRects().length) continue;
        const [high, low] = [light(rgb(style.color)), light(behind(element))].sort((a, b) => b - a);
        const ratio = (high + 0.05) / (low + 0.05);
        const said = element.tagName + element.className;
        if (ratio < 4.5) faint.set(said, ratio.toFixed(1) + " " + element.innerText.slice(0, 40));
    }
    return [...faint];
}"""


@built
@pytest.mark.parametrize("path", PAGES or [None], ids=named)
def test_no_table_figure_or_formula_is_clipped_at_any_width(path: Path, visit: Callable[..., Watched]) -> None:
    watched = visit(path)
    watched.page.evaluate("() => window.MathJax?.startup?.promise.then(() => {})")
    for width in WIDTHS:
        watched.page.set_viewport_size({"width": width, "height": 1000})
        watched.page.wait_for_timeout(300)
        assert watched.page.evaluate(CLIPPED) == [], width
    watched.calm()


@built
@pytest.mark.parametrize("path", PAGES or [None], ids=named)
def test_text_and_captions_have_contrast(path: Path, visit: Callable[..., Watched]) -> None:
    page = visit(path).page
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.wait_for_function("scheme => document.documentElement.dataset.theme === scheme", arg=scheme)
        assert page.evaluate(FAINT) == [], scheme


@built
@pytest.mark.parametrize("path", PAGES or [None], ids=named)
def test_tables_keep_their_lines_on_a_large_page_and_have_headings_in_words(
    path: Path, visit: Callable[..., Watched]
) -> None:
    page = visit(path, viewport={"width": 1300, "height": 1000}).page
    page.wait_for_timeout(300)
    assert page.locator("article .stacked caption").all_inner_texts() == []
    headings = page.locator("article .table-wrapper th").all_inner_texts()
    assert [heading for heading in headings if re.search(r"[a-z]_[a-z]", heading)] == []


@built
@pytest.mark.parametrize("width", WIDTHS)
def test_every_value_of_the_papers_tables_is_seen(width: int, visit: Callable[..., Watched]) -> None:
    page = visit(RESULTS, viewport={"width": width, "height": 1000}).page
    page.wait_for_timeout(300)
    for number, strategies in PAPER.items():
        table = page.locator(f"section[id^={number}]").first
        shown = re.sub(r"\s+", " ", table.inner_text())
        for mean, deviation in (pair for printed in strategies.values() for pair in printed):
            assert f"paper {mean:.2f} ± {deviation:.2f}" in shown, (number, mean)


@built
def test_values_below_each_other_stand_at_the_left_beneath_their_headings(visit: Callable[..., Watched]) -> None:
    page = visit(RESULTS, viewport=PHONE).page
    page.wait_for_timeout(300)
    sides = "cells => cells.map(cell => getComputedStyle(cell).textAlign)"
    assert set(page.locator("article .stacked td").evaluate_all(sides)) == {"left"}


@built
def test_pointing_at_a_term_shows_its_definition_and_escape_hides_it(visit: Callable[..., Watched]) -> None:
    watched = visit(FRONT)
    term = watched.page.locator("article a.term", has_text="TOD-R").first
    term.hover()
    note = watched.page.get_by_role("tooltip")
    assert note.inner_text().startswith("Trace-to-off-diagonal ratio")
    box = note.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= DESKTOP["width"]
    watched.page.keyboard.press("Escape")
    assert note.count() == 0
    watched.calm()


@built
def test_tapping_a_term_shows_its_definition_and_a_second_tap_opens_the_glossary(visit: Callable[..., Watched]) -> None:
    watched = visit(FRONT, viewport=PHONE, has_touch=True, is_mobile=True)
    term = watched.page.locator("article a.term", has_text="TOD-R").first
    term.tap()
    assert watched.page.get_by_role("tooltip").inner_text().startswith("Trace-to-off-diagonal ratio")
    assert "front.html" in watched.page.url
    box = watched.page.get_by_role("tooltip").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= PHONE["width"]
    term.tap(position={"x": 3, "y": 3})
    watched.page.wait_for_url("**/book/glossary.html#*")
    watched.calm()


@built
@pytest.mark.parametrize("path", [path for path in PAGES if SOLUTION.search(path.read_text())] or [None], ids=named)
def test_solutions_unfold_and_fold(path: Path, visit: Callable[..., Watched]) -> None:
    page = visit(path).page
    solution = page.locator(".solution").first
    code = solution.locator(".highlight").first  # of a cell, or of a command
    assert not code.is_visible()
    solution.locator("summary, .toggle-button").first.click()
    code.wait_for(state="visible")
    solution.locator("summary, .toggle-button").first.click()
    code.wait_for(state="hidden")


@built
def test_the_four_players_of_the_front_page_play(visit: Callable[..., Watched]) -> None:
    watched = visit(FRONT)
    voices = watched.page.locator("table.players audio")
    assert voices.count() == 4
    for player in voices.all():
        assert player.evaluate("player => player.play().then(() => player.duration)") == pytest.approx(3.05, abs=0.3)
        watched.page.wait_for_function("player => player.currentTime > 0.1", arg=player.element_handle())
        player.evaluate("player => player.pause()")
    watched.calm()


@built
def test_in_two_screens_the_front_page_says_what_tod_r_is_what_was_found_about_sf_and_lets_it_be_heard(
    visit: Callable[..., Watched], shoot: Callable[[Any, str], None]
) -> None:
    page = visit(FRONT).page
    page.wait_for_timeout(500)
    shoot(page, "front")
    for seen in ("article a.term", "table.players audio >> nth=3", "article ol li >> nth=1"):
        box = page.locator(seen).first.bounding_box()
        assert box["y"] + box["height"] < 2 * DESKTOP["height"], seen
    assert "SF is the most diagonal" in page.locator("article ol li").nth(1).inner_text()


@built
def test_shuffling_all_columns_brings_tod_r_to_chance(visit: Callable[..., Watched]) -> None:
    watched = visit(RESULTS)
    lesson = watched.page.locator(".nca-lesson")
    lesson.wait_for()
    before = float(lesson.get_attribute("data-todr"))
    said = lesson.locator("output")
    chance = float(said.inner_text().rsplit("chance ", 1)[1])
    assert before > 2 * chance
    lesson.locator("input[type=range]").fill("100")
    assert said.inner_text().startswith("100 %")
    assert float(lesson.get_attribute("data-todr")) == pytest.approx(chance, rel=0.5)
    lesson.locator("input[type=range]").fill("0")
    assert float(lesson.get_attribute("data-todr")) == pytest.approx(before)
    watched.calm()


@built
def test_dragging_a_frame_opens_and_closes_units(visit: Callable[..., Watched]) -> None:
    watched = visit(BOOK / "executed" / "mapping.html")
    lesson = watched.page.locator(".nca-lesson")
    lesson.wait_for()
    first = lesson.locator("output").inner_text()
    strip = lesson.locator(".nca-strip")
    strip.scroll_into_view_if_needed()
    box = strip.bounding_box()
    watched.page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 20)
    watched.page.mouse.down()
    watched.page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 20, steps=4)
    watched.page.mouse.up()
    there = lesson.locator("output").inner_text()
    assert there != first
    frames = int(lesson.locator("input[type=range]").get_attribute("max")) + 1
    assert int(re.match(r"Frame (\d+)", there)[1]) == pytest.approx(0.6 * frames, abs=0.02 * frames)
    watched.calm()
