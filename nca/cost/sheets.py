"""Devices that are not at hand, by the numbers that their makers publish: predictions, not measurements."""

from nca.cost.calibration import STAGES, Calibration
from nca.errors import ParameterError

# Dense peaks in operations a second by the precision of the products, and bytes a second of the memory.
SHEETS: dict[str, dict[str, float]] = {
    "h100": {"float32": 67e12, "tf32": 495e12, "bfloat16": 989e12, "bandwidth": 3.35e12},
}
SHARE = 0.5  # of the floor's speed; an assumption


def from_sheet(name: str, precision: str = "tf32", share: float = SHARE) -> Calibration:
    """A calibration of published peaks, of which every stage is assumed to reach the same share.

    Raises:
        ParameterError: for a device or a precision without numbers.
    """
    sheet = SHEETS.get(name)
    if sheet is None or precision not in sheet:
        known = ", ".join(f"{device} in {one}" for device, of in SHEETS.items() for one in of if one != "bandwidth")
        raise ParameterError(f"There is no data sheet of {name!r} in {precision!r}; there are {known}.")
    title = f"{name.upper()} by its data sheet, {precision}, {share:.0%} of the floor's speed assumed"
    shares = {stage: {1: share} for stage in STAGES}
    return Calibration(title, sheet[precision], sheet["bandwidth"], False, shares)
