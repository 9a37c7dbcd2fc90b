"""Where a cell shows a widget and a picture of it, readers without JavaScript get the picture."""

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

WIDGET, STILL = "application/vnd.jupyter.widget-view+json", "image/png"


class StillPictures(SphinxPostTransform):
    """Runs before myst-nb chooses one of a cell's outputs, and keeps the picture inside `<noscript>`."""

    default_priority = 3
    formats = ("html",)

    def run(self, **kwargs: object) -> None:
        for bundle in list(self.document.findall(nodes.container)):
            views = {view.get("mime_type"): view for view in bundle.children if isinstance(view, nodes.container)}
            if bundle.get("nb_element") == "mime_bundle" and {WIDGET, STILL} <= set(views):
                opening, closing = (nodes.raw("", tag, format="html") for tag in ("<noscript>", "</noscript>"))
                views[WIDGET].extend([opening, *views[STILL].children, closing])


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_post_transform(StillPictures)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
