"""How long an experiment takes and how much memory: work from first principles, a short calibration, a prediction."""

from nca.cost.calibration import Calibration, calibrate
from nca.cost.report import SCALES, Scale, Together, predict, scale_of
from nca.cost.sheets import SHEETS, from_sheet
from nca.cost.work import Work

__all__ = [
    "SCALES",
    "SHEETS",
    "Calibration",
    "Scale",
    "Together",
    "Work",
    "calibrate",
    "from_sheet",
    "predict",
    "scale_of",
]
