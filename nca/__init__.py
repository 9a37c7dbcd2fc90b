"""Neural couplings: what singing-voice separation networks learn, after Mimilakis et al. (2019).

The public names, listed in `__init__.pyi`, are loaded when they are first asked for: the console command starts without
torch.
"""

from typing import Any

import lazy_loader

_load, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
_RENAMED = {
    "Case": "SegmentJob",
    "drawn": "seeded_choice",
    "gather_couplings": "load_couplings",
    "gather_results": "load_results",
    "gather_trained": "load_networks",
}


def __getattr__(name: str) -> Any:
    """A public name, or what a name of an earlier version has become."""
    return _load(_RENAMED.get(name, name))
