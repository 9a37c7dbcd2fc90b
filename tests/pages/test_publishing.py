"""What a published book needs: the branch that is served, the buttons of its pages, the workflow that makes both."""

import shutil
import subprocess
import tomllib
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
import yaml
from extensions import extension
from nbformat.v4 import new_code_cell, new_notebook

ROOT = Path(__file__).parents[2]
PUBLISH = ROOT / ".ci/publish"


def git(*arguments: str | Path, cwd: Path) -> str:
    identity = ["-c", "user.name=A Name", "-c", "user.email=name@example.org"]
    done = subprocess.run(["git", *identity, *arguments], cwd=cwd, check=True, capture_output=True, text=True)
    return done.stdout


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    """An empty repository to publish to; its neighbour `here` has one commit."""
    git("init", "-q", "--bare", "remote", cwd=tmp_path)
    git("init", "-q", "here", cwd=tmp_path)
    git("commit", "-q", "--allow-empty", "-m", "A change", cwd=tmp_path / "here")
    return tmp_path / "remote"


def publish(remote: Path, place: str, text: str | None = None) -> set[str]:
    """Publish a book of one page, or remove what is at the place; the files that are served then."""
    here, book = remote.with_name("here"), remote.with_name("book")
    shutil.rmtree(book, ignore_errors=True)
    (book / "_static").mkdir(parents=True)
    (book / "_static/book.css").touch()
    (book / "index.html").write_text(text or "")
    subprocess.run([PUBLISH, remote, place, *([book] if text else [])], cwd=here, check=True)
    return set(git("ls-tree", "-r", "--name-only", "gh-pages", cwd=remote).split())


@pytest.mark.skipif(not shutil.which("git"), reason="needs git")
def test_the_book_and_its_previews_stand_beside_each_other(remote: Path) -> None:
    book = {".nojekyll", "index.html", "_static/book.css"}
    preview = {"preview/7/index.html", "preview/7/_static/book.css"}
    assert publish(remote, ".", "first") == book
    assert publish(remote, "preview/7", "a change") == book | preview
    assert publish(remote, ".", "second") == book | preview
    assert git("show", "gh-pages:index.html", cwd=remote) == "second"
    assert git("show", "gh-pages:preview/7/index.html", cwd=remote) == "a change"
    assert git("log", "--format=%an", "gh-pages", cwd=remote) == "A Name\n"  # one commit, by who made the change
    assert publish(remote, "preview/7") == book


def buttons(page: str, monkeypatch: pytest.MonkeyPatch, configured: str = "", variable: str | None = None) -> list[str]:
    """Addresses that a page's buttons lead to."""
    monkeypatch.delenv("BOOK_REPOSITORY", raising=False)
    if variable is not None:
        monkeypatch.setenv("BOOK_REPOSITORY", variable)
    config = SimpleNamespace(html_theme_options={"repository_url": configured, "repository_branch": "main"})
    context: dict = {"header_buttons": []}
    extension("publishing").add_buttons(SimpleNamespace(config=config), page, "page.html", context, object())
    return [button["url"] for group in context["header_buttons"] for button in group["buttons"]]


def test_buttons_are_there_where_the_repository_is_known_and_not_before(monkeypatch: pytest.MonkeyPatch) -> None:
    assert buttons("executed/results", monkeypatch) == []
    edit, issue, colab = buttons("executed/results", monkeypatch, variable="https://github.com/owner/book.git")
    assert edit == "https://github.com/owner/book/edit/main/notebooks/results.md"
    assert issue.startswith("https://github.com/owner/book/issues/new?title=")
    assert colab.endswith("/github/owner/book/blob/gh-pages/_sources/executed/results.ipynb")
    assert len(buttons("book/glossary", monkeypatch, configured="https://github.com/owner/book")) == 2
    assert len(buttons("executed/results", monkeypatch, configured="https://git.example.org/owner/book")) == 2


def test_each_download_is_freed_once_and_installs_the_package_from_a_known_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = [
        new_code_cell("trained: list[str] = []", metadata={"tags": ["parameters"]}),
        new_code_cell('trained = ["store/demo/train/a-run"]', metadata={"tags": ["injected-parameters"]}),
    ]
    path = tmp_path / "_sources/executed/page.ipynb"
    path.parent.mkdir(parents=True)
    nbformat.write(new_notebook(cells=cells), path)
    monkeypatch.setenv("BOOK_REPOSITORY", "https://github.com/owner/book")
    app = SimpleNamespace(outdir=tmp_path, config=SimpleNamespace(html_theme_options={}))
    for _ in range(2):
        extension("publishing").free_downloads(app, None)
    says, install, _, given = nbformat.read(path, as_version=4).cells
    assert "that come with the package" in says.source
    assert install.source == '%pip install -q "nca[book] @ git+https://github.com/owner/book"'
    assert given.source.splitlines()[-1] == "trained = alone.runs('train')"


def test_the_workflow_runs_what_the_makefile_and_the_repository_have() -> None:
    jobs = yaml.safe_load((ROOT / ".github/workflows/book.yml").read_text())["jobs"]
    commands = [step["run"].split() for job in jobs.values() for step in job["steps"] if "run" in step]
    targets = {
        line.split(":")[0] for line in (ROOT / "Makefile").read_text().splitlines() if ":  ## " in line or ": " in line
    }
    assert {words[1] for words in commands if words[0] == "make"} <= targets
    assert sum(words[0] == ".ci/publish" for words in commands) == 2


def test_the_package_is_cited_by_the_version_that_it_has() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    page = (ROOT / "book/cite.md").read_text()
    assert cited["version"] == project["version"]
    assert cited["license"] == project["license"]
    assert f"version = {{{project['version']}}}" in page
    assert cited["references"][0]["doi"] in page
