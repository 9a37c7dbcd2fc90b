"""The explorer in Jupyter: a widget, and controls that compute a matrix anew."""

from nca.support.extras import require

require("book", "anywidget", "ipywidgets", "traitlets")
