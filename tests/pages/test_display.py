"""Tables and players: readable numbers, complete downloads, and names that are text whatever they hold."""

import re
from base64 import b64decode

import numpy as np
import pandas as pd
from bs4 import BeautifulSoup

from nca.pages.display import players, table
from nca.pages.explorer import View, explore
from nca.pages.explorer.saved import FRONTEND

NAME = "<img src=x onerror=alert(1)>"


def test_a_table_is_rounded_and_its_download_is_not():
    page = BeautifulSoup(table(pd.DataFrame({"a": [1 / 3, None]}), "One third", digits=2).data, "html.parser")
    assert [cell.text for cell in page.find_all("td")] == ["0.33", ""]
    assert page.caption.text == "One third CSV"
    link = page.caption.find("a", class_="csv")
    assert link["download"] == "one-third.csv"
    assert "0.3333333333" in b64decode(link["href"].partition("base64,")[2]).decode()


def test_columns_have_names_with_units_and_the_download_their_own():
    rows = pd.DataFrame({"model": ["DAE", "DAE", "SF"], "strategy": ["a", "b", "a"], "snr_model": [1.0, 2.0, 3.0]})
    page = BeautifulSoup(table(rows.set_index(["model", "strategy"]), "Names").data, "html.parser")
    assert [cell.text for cell in page.thead.find_all("th")] == ["network", "strategy", "SNR to the network, dB"]
    lines = [[cell.text for cell in line.find_all(["th", "td"])] for line in page.tbody.find_all("tr")]
    assert lines == [["DAE", "a", "1.00"], ["DAE", "b", "2.00"], ["SF", "a", "3.00"]]  # no cell spans two lines
    assert [cell.text for cell in page.find_all(class_="again")] == ["DAE"]
    assert b64decode(page.a["href"].partition("base64,")[2]).decode().startswith("model,strategy,snr_model\n")


def test_a_deviation_and_the_papers_value_share_a_cell_and_no_value_is_lost():
    keys = [("DAE", "ours"), ("DAE", "paper"), ("SF", "ours"), ("SF", "paper")]
    tables = pd.DataFrame([["1 ± 2", "3 ± 4", "5", ""]], index=["student"], columns=pd.MultiIndex.from_tuples(keys))
    page = BeautifulSoup(table(tables, "Table").data, "html.parser")
    assert [cell.text for cell in page.thead.find_all("th")] == ["", "DAE", "SF"]
    assert [cell.get_text(" ") for cell in page.find_all("td")] == ["1\u00a0±\u00a02 paper 3\u00a0±\u00a04", "5"]
    spread = pd.DataFrame({"x": [1.0, 2.0, 1.0, 4.0], "g": ["a", "a", "b", "b"]}).groupby("g").x
    page = BeautifulSoup(table(spread.agg(["mean", "std", "count"]), "Spread").data, "html.parser")
    assert [cell.text for cell in page.find_all("td")] == ["1.50\u00a0±\u00a00.71", "2", "2.50\u00a0±\u00a02.12", "2"]


def test_an_interval_stands_in_one_cell_and_what_is_not_there_in_none():
    rows = pd.DataFrame({"low": [1.0, 2.0], "high": [3.0, 4.0], "epoch": [None, 5]}, index=["a", "b"])
    page = BeautifulSoup(table(rows, "Intervals").data, "html.parser")
    assert [cell.text for cell in page.thead.find_all("th")] == ["", "95 % interval", "epoch"]
    assert [cell.text for cell in page.find_all("td")] == [
        "1.00\u00a0to\u00a03.00",
        "",
        "2.00\u00a0to\u00a04.00",
        "5.00",
    ]
    kept = pd.DataFrame({"epoch": [None, 5]}, dtype=object)
    page = BeautifulSoup(table(kept, "Objects").data, "html.parser")
    assert [cell.text for cell in page.find_all("td")] == ["", "5"]


def test_large_numbers_have_no_more_figures_than_small_ones():
    page = BeautifulSoup(table(pd.DataFrame({"a": [0.123, 9.87], "b": [-1234.5, 56.7]}), "x").data, "html.parser")
    assert [cell.text for cell in page.find_all("td")] == ["0.12", "-1234", "9.87", "57"]


def test_a_small_ratio_beside_a_large_one_keeps_its_figures_and_its_deviation():
    wide = pd.DataFrame({"mean": [101.4, 5.47, 0.084, float("inf"), None], "std": [22.6, 1.06, 0.012, 0.0, None]})
    page = BeautifulSoup(table(wide, "x", index=False).data, "html.parser")
    cells = [cell.text.replace("\u00a0", " ") for cell in page.find_all("td")]
    assert cells == ["101 ± 23", "5.47 ± 1.06", "0.08 ± 0.01", "inf ± 0.00", ""]


def test_words_are_marked_to_stand_at_the_left_and_numbers_however_written_are_not():
    rows = pd.DataFrame({"song": ["Idle Ferry", "7 Days"], "mask": ["yes", "no"], "x": ["1 ± 2", ""], "y": [-1.0, 2.0]})
    rows["inf"] = [float("inf"), float("-inf")]
    page = BeautifulSoup(table(rows, "Words", index=False).data, "html.parser")
    assert [cell.text for cell in page.thead.find_all(class_="text")] == ["song", "mask"]
    assert [cell.text for cell in page.tbody.find_all(class_="text")] == ["Idle Ferry", "yes", "7 Days", "no"]


def test_what_rounds_to_zero_has_no_sign():
    page = BeautifulSoup(table(pd.Series([-0.0, -1e-4, -0.01, 0.0]), "x", index=False).data, "html.parser")
    assert [cell.text for cell in page.find_all("td")] == ["0.00", "0.00", "-0.01", "0.00"]


def test_a_song_called_like_markup_stays_text_in_tables_and_players():
    rows = pd.DataFrame({"song": [NAME], NAME: [1.0]}, index=[NAME])
    wave = np.zeros(2000)
    for shown in (table(rows, NAME), table(rows.song.rename(NAME), "a"), players({NAME: wave}, 11025)):
        page = BeautifulSoup(shown.data, "html.parser")
        assert not page.find_all("img")
        assert NAME in page.text


def test_the_explorer_makes_no_markup_of_names():
    assert explore([View(np.eye(3), song=NAME)]).views[0]["song"] == NAME  # data, which the script shows as text
    for script in FRONTEND.glob("*.js"):
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write", script.read_text())
