"""The first mention of a glossary's term on each page links there, and has its definition for readers who point or tap.

The definition travels as the link's title, which any browser shows; `book.js` shows it on tapping as well.
"""

import re
from collections.abc import Iterator

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.nodes import make_refnode

GLOSSARY = "book/glossary"
PLAIN = (nodes.paragraph, nodes.emphasis, nodes.strong)  # what a mention stands in: no title, link, code or formula
SPACES = re.compile(r"\s+")


def definitions(env: BuildEnvironment) -> dict[str, tuple[str, str]]:
    """Anchor and definition of every term of the glossary, works cited left out."""
    found = {}
    for item in env.get_doctree(GLOSSARY).findall(nodes.definition_list_item):
        body = item[-1].deepcopy()
        for work in [node for node in body.findall(nodes.Element) if node.get("refdomain") == "cite"]:
            work.parent.remove(work)
        text = SPACES.sub(" ", body.astext()).replace(" ,", ",").replace(" .", ".").replace(" :", ":").strip()
        found |= {term.astext(): (term["ids"][0], text) for term in item.findall(nodes.term)}
    return found


def pattern(terms: list[str]) -> re.Pattern[str]:
    """Any of the terms as a word of its own, the longest first; capitals of a name matter, those of a word do not."""
    ordered = sorted(terms, key=len, reverse=True)
    forms = [f"(?i:{re.escape(term)}s?)" if term.islower() else re.escape(term) for term in ordered]
    return re.compile(rf"(?<![\w-])(?:{'|'.join(forms)})(?![\w-])")


class FirstMentions(SphinxPostTransform):
    """Runs after references are resolved."""

    default_priority = 15
    formats = ("html",)

    def run(self, **kwargs: object) -> None:
        if self.env.docname == GLOSSARY or GLOSSARY not in self.env.found_docs:
            return
        self.known = definitions(self.env)
        by_anchor = {anchor: (term, text) for term, (anchor, text) in self.known.items()}
        unseen = dict(self.known)
        for link in self.document.findall(nodes.reference):
            term, text = by_anchor.get(link.get("refuri", "").partition(f"glossary{self.suffix}#")[2], ("", ""))
            if text:
                unseen.pop(term, None)
                self.define(link, text)
        for text in list(self.mentions()):
            self.link(text, unseen)

    @property
    def suffix(self) -> str:
        return str(self.app.builder.get_target_uri(GLOSSARY).removeprefix(GLOSSARY))

    def mentions(self) -> Iterator[nodes.Text]:
        for text in self.document.findall(nodes.Text):
            if isinstance(text.parent, PLAIN) and not any(isinstance(node, nodes.caption) for node in above(text)):
                yield text

    def link(self, text: nodes.Text, unseen: dict[str, tuple[str, str]]) -> None:
        """Divide a piece of text at the terms that the page has not mentioned before."""
        pieces, rest = [], str(text)
        for found in pattern(list(self.known)).finditer(str(text)):
            term = next((name for name in unseen if pattern([name]).fullmatch(found[0])), None)
            if term:
                anchor, meaning = unseen[term]
                for name in [name for name, known in unseen.items() if known[1] == meaning]:  # its other names too
                    del unseen[name]
                link = make_refnode(self.app.builder, self.env.docname, GLOSSARY, anchor, nodes.Text(found[0]))
                before = rest[: found.start() - len(text) + len(rest)]
                pieces += [nodes.Text(before), self.define(link, meaning)]
                rest = str(text)[found.end() :]
        if pieces:
            text.parent.replace(text, [*pieces, nodes.Text(rest)])

    def define(self, link: nodes.reference, meaning: str) -> nodes.reference:
        link["reftitle"] = meaning
        link["classes"].append("term")
        return link


def above(node: nodes.Node) -> Iterator[nodes.Node]:
    while node.parent is not None:
        node = node.parent
        yield node


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_post_transform(FirstMentions)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
