"""Sweeps: many runs of parameterised notebooks that lose nothing.

papermill runs the notebooks, Dask distributes them; here are the grid, a run's identity and the store. Names are loaded
when first asked for: papermill imports this package for its text notebooks, and needs none of the rest.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # for editors and type checkers, and for the search of imports
    from nca.sweeps.engine import Summary as Summary
    from nca.sweeps.engine import sweep as sweep
    from nca.sweeps.gate import check_executed as check_executed
    from nca.sweeps.overview import Status as Status
    from nca.sweeps.overview import status as status
    from nca.sweeps.planning import Plan as Plan
    from nca.sweeps.planning import plan as plan
    from nca.sweeps.store import failures as failures
    from nca.sweeps.store import read_record as read_record
    from nca.sweeps.store import records as records
    from nca.sweeps.store import verify as verify
    from nca.sweeps.tables import results as results
    from nca.sweeps.tables import table as table
    from nca.sweeps.tables import timetable as timetable

_HOMES = {
    "engine": "Summary sweep",
    "gate": "check_executed",
    "planning": "Plan plan",
    "overview": "Status status",
    "store": "failures read_record records verify",
    "tables": "results table timetable",
}
_HOME = {name: f"nca.sweeps.{module}" for module, names in _HOMES.items() for name in names.split()}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'nca.sweeps' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
