"""The paper's equation numbers in the book, and links between its equations and the API reference.

An equation labelled `eq-22` is numbered (22) as in the paper; the book's own equations are numbered B1, B2, ...
Docstrings are prose: they name equations as the paper does, "Eq. (22)" or "Eqs. (4)-(10)", and each number that the
book shows becomes a link to it. Below each such equation stand links back to the functions whose docstrings name it.
"""

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.nodes import Element
from sphinx.application import Sphinx
from sphinx.domains.math import MathDomain
from sphinx.environment import BuildEnvironment
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.nodes import make_refnode

NAMED = re.compile(r"\bEqs?\.\s*\(?\d+\)?(?:(?:,|\s|and|to|-|–)+\(?\d+\)?)*")
RANGE = re.compile(r"\(?(\d+)\)?\s*(?:-|–|to)\s*\(?(\d+)\)?")
NUMBER = re.compile(r"\(?\b(\d+)\b\)?")
LABEL = re.compile(r"\$\$\s*\(eq-(\d+)\)|:label:\s*eq-(\d+)\b")
CODE = re.compile(r"(```.+?```|``.+?``|`[^`]+`)", re.DOTALL)
FENCE = re.compile(r"```(\w*)\n(.+?)\s*```", re.DOTALL)


class PaperMathDomain(MathDomain):
    """Equations numbered as in the paper; the book's own are B1, B2, ..."""

    def note_equation(self, docname: str, labelid: str, location: Any = None) -> None:
        super().note_equation(docname, labelid, location)
        own = sum(not label.startswith("eq-") for label in self.equations)
        number = labelid.removeprefix("eq-") if labelid.startswith("eq-") else f"B{own}"
        self.equations[labelid] = (docname, number)


def find_shown(app: Sphinx, env: BuildEnvironment, changed: list[str]) -> None:
    """Remember the numbers of the paper's equations that some page of the book shows."""
    pages = (Path(env.doc2path(page)).read_text(encoding="utf-8") for page in env.found_docs)
    env.nca_shown = {int(first or second) for page in pages for first, second in LABEL.findall(page)}


def named_equations(text: str) -> Iterator[int]:
    """Numbers of the equations that a docstring names, those within a range included."""
    for named in NAMED.findall(text):
        yield from map(int, NUMBER.findall(named))
        for first, last in RANGE.findall(named):
            yield from range(int(first), int(last) + 1)


def code_block(fence: re.Match[str]) -> str:
    """A fenced block as reStructuredText."""
    return f".. code-block:: {fence[1] or 'text'}\n\n{textwrap.indent(fence[2], '   ')}\n"


def link_docstring(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Take a docstring as prose, link the equations that it names, and remember which they are."""
    shown = app.env.nca_shown
    text = "\n".join(lines)
    app.env.nca_equations[name] = sorted(set(named_equations(text)) & shown)

    def linked(named: re.Match[str]) -> str:
        return NUMBER.sub(lambda n: f":eq:`eq-{n[1]}`" if int(n[1]) in shown else n[0], named[0])

    pieces = CODE.split(text)
    pieces[::2] = [NAMED.sub(linked, re.sub(r"([|*]|_(?=\W|$))", r"\\\1", prose)) for prose in pieces[::2]]
    lines[:] = FENCE.sub(code_block, "".join(pieces)).split("\n")


class LinksBack(SphinxPostTransform):
    """Below each of the paper's equations, links to what implements it."""

    default_priority = 20
    formats = ("html",)

    def run(self, **kwargs: object) -> None:
        for equation in list(self.document.findall(nodes.math_block)):
            label = equation.get("label") or ""
            found = [self.link(name) for name in self.naming(label)]
            links = [part for link in found if link for part in (nodes.Text(" · "), link)][1:]
            if links:
                where = equation.parent.index(equation) + 1
                equation.parent.insert(where, nodes.paragraph("", "In code: ", *links, classes=["in-code"]))

    def naming(self, label: str) -> list[str]:
        number = label.removeprefix("eq-")
        return [name for name, numbers in self.env.nca_equations.items() if number in map(str, numbers)]

    def link(self, name: str) -> nodes.reference | None:
        entry = self.env.get_domain("py").objects.get(name)
        if entry is None or entry.objtype == "module":
            return None
        shown = nodes.literal("", name)
        return make_refnode(self.app.builder, self.env.docname, entry.docname, entry.node_id, shown)


def resolve_short_name(app: Sphinx, env: BuildEnvironment, node: Element, text: Element) -> Element | None:
    """`nca.tod_ratio` means what is documented where it is defined, as `nca.metrics.tod_ratio`."""
    package, _, name = node.get("reftarget", "").rpartition(".")
    python = env.get_domain("py")
    inside = [full for full in python.objects if full.startswith(f"{package}.") and full.endswith(f".{name}")]
    found = inside if package.startswith("nca") else []
    if len(found) != 1:
        return None
    return python.resolve_xref(env, node["refdoc"], app.builder, node["reftype"], found[0], node, text)


def remember_equations(app: Sphinx) -> None:
    """Keep what earlier builds have learnt: pages that have not changed are not read again."""
    if not hasattr(app.env, "nca_equations"):
        app.env.nca_equations = {}


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_domain(PaperMathDomain, override=True)
    app.connect("builder-inited", remember_equations)
    app.connect("env-before-read-docs", find_shown)
    app.connect("autodoc-process-docstring", link_docstring, priority=400)  # before napoleon reads the sections
    app.connect("missing-reference", resolve_short_name)
    app.add_post_transform(LinksBack)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
