"""The public names of the room and the modules that define them, as in `nca/__init__.pyi`."""

from .engine import Summary as Summary
from .engine import sweep as sweep
from .notebooks import check_executed as check_executed
from .planning import Plan as Plan
from .planning import plan as plan
from .state import Status as Status
from .state import status as status
from .store import failures as failures
from .store import read_record as read_record
from .store import records as records
from .store import verify as verify
from .tables import results as results
from .tables import table as table
from .tables import timetable as timetable
