"""The explorer: couplings matrices to zoom, read band by band, compare and hear, in a page, a file or JupyterLab."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
