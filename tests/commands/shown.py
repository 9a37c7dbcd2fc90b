"""Every command that the project shows: in README, pages, grids, docstrings and messages, each with its places."""

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROGRAMS = (
    "nca|make|papermill|pip|jupyter|jupyter-book|jupytext|dask|sbatch|srun|pytest|python|grep|mutmut|cosmic-ray|git|npm"
)
BEGINS = re.compile(rf"(?:[A-Z_]+=\S+ )*(?:\./)?(?:\.venv/bin/|\.ci/)?(?:{PROGRAMS})(?= \S)")
BARE = re.compile(r"(?<!%)\b(?:nca (?:sweep|run|book|record|bench|cost|tracks|corpus|fetch|look) |pip install )")
FENCE = re.compile(
    r"^(?P<indent> *)(?P<marks>```+|~~~+)(?P<info>.*)\n(?P<body>(?:.*\n)*?) *(?P=marks) *$", re.MULTILINE
)
SPAN = re.compile(r"(?<!`)(`+)(?!`)((?:(?!\n\s*\n).)+?)(?<!`)\1(?!`)", re.DOTALL)
SHELL = {"sh", "shell", "bash", "console"}


@dataclass(frozen=True)
class Shown:
    """A command word for word, line breaks taken out, and where it stands."""

    text: str
    place: str


def shown() -> list[Shown]:
    """All of them, in the order of the files."""
    return [*in_pages(), *in_grids(), *in_code()]


def in_pages() -> Iterator[Shown]:
    """README, CONTRIBUTING, and every page of the book."""
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
    pages += [path for folder in ("book", "notebooks") for path in sorted((ROOT / folder).rglob("*.md"))]
    for path in pages:
        yield from in_markdown(path.read_text(encoding="utf-8"), _name(path))


def in_grids() -> Iterator[Shown]:
    """The comments of every grid, and of `environment.yml`."""
    for path in [*sorted((ROOT / "notebooks").rglob("*.yml")), ROOT / "environment.yml"]:
        lines = path.read_text(encoding="utf-8").splitlines()
        comments = [(re.findall(r"(?:^|\s)# ?(.*)", line) or [""])[0] for line in lines]
        yield from in_markdown("\n".join(comments) + "\n", _name(path))


def in_code() -> Iterator[Shown]:
    """Docstrings, messages and other texts of the package; the values in them stand as their code does, in braces."""
    for path in sorted((ROOT / "nca").rglob("*.py")):
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        parts = {part for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
        for node in nodes:
            if node not in parts and (text := _text(node)):
                yield from in_markdown(text, f"{_name(path)}:{node.lineno}")


def in_markdown(text: str, place: str) -> Iterator[Shown]:
    """What is in shell blocks, in spans between backticks, and by itself on an indented line."""
    for block in FENCE.finditer(text):
        if block["info"].strip().lower() in SHELL:
            yield from (Shown(line, place) for line in in_shell(block["body"]))
    prose = FENCE.sub("", text)
    spans = [" ".join(span.split()) for _, span in SPAN.findall(prose)]
    yield from (Shown(span, place) for span in spans if BEGINS.match(span))
    indented = re.findall(r"^ {2,}(\S.*)$", SPAN.sub("", prose), re.MULTILINE)
    yield from (Shown(line, place) for line in indented if BEGINS.match(line))
    rest = re.sub(r"^ {2,}\S.*$", "", SPAN.sub("", prose), flags=re.MULTILINE)
    yield from (Shown(f"not between backticks: {bare} ...", place) for bare in BARE.findall(rest))


def in_shell(body: str) -> list[str]:
    """The commands of a shell block: comments left out, continued lines joined."""
    joined = re.sub(r"\\\n\s*", "", body)
    lines = [re.sub(r"(^|\s+)#\s.*$", "", line).strip() for line in joined.splitlines()]
    return [line for line in lines if line]


def in_records() -> Iterator[Shown]:
    """The commands that made the records: what pages print beside them."""
    for path in sorted((ROOT / "book" / "records").glob("*.json")):
        found = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(found, dict) and "command" in found:
            yield Shown(found["command"], _name(path))


def _text(node: ast.AST) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(
            f"{{{ast.unparse(part.value)}}}" if isinstance(part, ast.FormattedValue) else str(part.value)
            for part in node.values
        )
    return ""


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))
