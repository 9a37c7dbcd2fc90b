"""What a page of the book shows: figures, tables, sound, the explorer; and the build of the book (Figs. 1 to 3)."""

from nca.support.extras import require

require("book", "jinja2", "matplotlib", "pandas")
