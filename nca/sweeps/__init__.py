"""Sweeps: many runs of parameterised notebooks that lose nothing.

papermill runs the notebooks, Dask distributes them; here are the grid, a run's identity and the store. Names are loaded
when first asked for: papermill imports this package for its text notebooks, and needs none of the rest.
"""

import lazy_loader

from nca.support.extras import require

require("sweeps", "papermill", "jupytext", "nbformat", "pandas", "dask", "distributed")

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
