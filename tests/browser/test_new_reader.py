"""A new reader at the front page of the built book: what is asked for is found, each in at most three clicks."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from browserkit import BOOK, Watched, choose

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not (BOOK / "index.html").exists(), reason=f"needs a built book in {BOOK.name} (NCA_BOOK)"),
]
CLICKS = 3


class Reader:
    """Someone who points and clicks, and counts it."""

    def __init__(self, watched: Watched) -> None:
        self.page, self.clicks = watched.page, 0
        self.page.wait_for_url("**/executed/front.html")

    def follow(self, words: str) -> None:
        """Click the link in the text that is called so."""
        self.page.locator("article").get_by_role("link", name=words, exact=True).first.click()
        self.page.wait_for_load_state()
        self.clicks += 1

    def text(self) -> str:
        """What the page says, from where the link has led to."""
        shown = self.page.evaluate(
            """() => {
                const place = document.getElementById(location.hash.slice(1)) ?? document.querySelector("article");
                return (place.closest("dt")?.nextElementSibling ?? place).innerText;
            }"""
        )
        return re.sub(r"\s+", " ", shown)


@pytest.fixture
def reader(visit: Callable[..., Watched]) -> Any:
    watched = visit(BOOK / "index.html")
    newcomer = Reader(watched)
    yield newcomer
    assert newcomer.clicks <= CLICKS
    watched.calm()


def test_what_tod_r_is(reader: Reader) -> None:
    reader.follow("TOD-R")
    assert reader.text().startswith("Trace-to-off-diagonal ratio")


def test_its_value_for_mss_dae_and_how_sure_it_is(reader: Reader) -> None:
    reader.follow("Table 1")
    said = re.search(
        r"For the MSS-DAE the compositional strategy gives (\d\.\d+) ± (\d\.\d+): mean and standard deviation over"
        r" (\d+) segments of \d+ songs.*standard error of (\d\.\d+).*The paper gives 0\.14 ± 0\.04",
        reader.text(),
    )
    assert said, reader.text()
    mean, deviation, count, error = map(float, said.groups())
    assert error == pytest.approx(deviation / count**0.5, abs=0.001)
    row = reader.page.locator("table tr", has=reader.page.get_by_role("rowheader", name="compositional", exact=True))
    shown = list(map(float, re.findall(r"\d\.\d+", row.first.inner_text())))  # ours and the paper's, model by model
    assert shown[4:6] == pytest.approx([mean, deviation], abs=0.0055)  # rounded once more in the table


def test_hearing_sf_through_its_couplings(reader: Reader) -> None:
    reader.follow("The explorer")
    widget = reader.page.locator(".nca-explorer")
    widget.wait_for()
    choose(widget, "model", "SF")
    reader.clicks += 1
    assert widget.locator("figcaption").first.inner_text().startswith("SF, ")
    player = widget.locator("label", has_text="voice through the couplings").locator("audio")
    player.scroll_into_view_if_needed()
    player.click(position={"x": 20, "y": player.bounding_box()["height"] / 2})  # its own play button
    reader.clicks += 1
    reader.page.wait_for_function("player => player.currentTime > 0.2", arg=player.element_handle())


def test_the_command_for_ones_own_song(reader: Reader) -> None:
    reader.follow("One command")
    assert "nca run notebooks/train.md --out my-model --set data=my-songs" in reader.text().replace("\\ ", "")
