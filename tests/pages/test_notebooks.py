"""What a page shows of its code: the science, in short cells; and each equation of the paper by its number."""

import ast
import re
from pathlib import Path

import pytest

from nca.sweeps.grid import read_grid
from nca.sweeps.notebooks import read_notebook

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "notebooks").glob("*.md"))
LINES, IMPORTS = 12, 4
COLUMNS = 77  # as many characters of code fit into a line of a page 1300 pixels wide


def cells(page: Path) -> list[tuple[str, bool]]:
    """The code cells of a page, but for its parameters: source, and whether a reader sees it."""
    found = []
    for cell in read_notebook(page).cells:
        tags = cell.metadata.get("tags", [])
        if cell.cell_type == "code" and "parameters" not in tags:
            found.append((cell.source, not any(tag.startswith(("hide-", "remove-")) for tag in tags)))
    return found


@pytest.mark.parametrize("page", [page for page in PAGES if page.stem != "front"], ids=lambda page: page.stem)
def test_no_page_but_the_front_hides_more_than_half_of_its_cells(page: Path) -> None:
    shown = [visible for _, visible in cells(page)]
    assert sum(shown) >= len(shown) / 2


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_visible_cells_are_short_and_not_mostly_imports_or_reshaping(page: Path) -> None:
    for source in (source for source, visible in cells(page) if visible):
        lines = [line for line in source.splitlines() if line.strip()]
        imports = [node for node in ast.parse(source).body if isinstance(node, ast.Import | ast.ImportFrom)]
        assert len(lines) <= LINES, source
        assert [line for line in lines if len(line) > COLUMNS] == []
        assert len(imports) <= min(IMPORTS, max(2, len(lines) / 2)), source
        assert len(re.findall(r"\.(?:pivot|pivot_table|melt|merge|stack|unstack|reset_index)\(", source)) <= 1, source


def test_no_page_holds_plotting_code() -> None:
    for page in PAGES:
        for source, _ in cells(page):
            assert "matplotlib" not in source, page
            assert "plt." not in source, page


def named(number: int, folder: str, pattern: str) -> list[Path]:
    """The files in which `grep -iE "eq\\W*NUMBER\\b"` finds an equation, as CONTRIBUTING.md says."""
    sought = re.compile(rf"eq\W*{number}\b", re.IGNORECASE)
    return [path for path in (ROOT / folder).rglob(pattern) if sought.search(path.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("number", range(1, 23))
def test_a_search_for_an_equation_finds_code_test_and_page(number: int) -> None:
    assert named(number, "nca", "*.py")
    assert [path for path in named(number, "tests", "*.py") if path.name != "test_shell.py"]
    assert named(number, "notebooks", "*.md")


def test_no_page_shows_a_first_runs_versions_as_everyones() -> None:
    """Versions, machine and device come from `nca.pages.records`, which reads those of all runs."""
    for page in PAGES:
        for source, _ in cells(page):
            assert not re.search(r"""\[["'](?:versions|machine|device|host|cores|threads)["']\]""", source), page


def chapters() -> list[Path]:
    """The pages that the demo grid makes, but for the front page, which is short itself."""
    stages = read_grid(ROOT / "notebooks" / "demo.yml").stages
    return [ROOT / "notebooks" / f"{name}.md" for name, stage in stages.items() if stage.page and name != "front"]


@pytest.mark.parametrize("page", chapters(), ids=lambda page: page.stem)
def test_a_page_opens_in_short_and_ends_with_an_exercise_that_runs(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    short = re.search(r"^# .+\n\n:::\{admonition\} In short\n:class: .+\n((?:- .+\n)+):::\n", text, re.MULTILINE)
    assert short, "In short stands below the title"
    assert len(short[1].splitlines()) == 3
    assert re.search(r"\{glue:text\}", short[1]), "with figures from the page's own cells"
    last = text[text.rindex("\n## ") :]
    assert last.startswith(("\n## Exercise\n", "\n## Exercises\n"))
    labels = re.findall(r"\{exercise-start\}\n:label: (\S+)", last)
    assert labels
    for label in labels:
        solution = last[last.index(f"{{solution-start}} {label}\n") :].partition("{solution-end}")[0]
        assert "{code-cell}" in solution, label
