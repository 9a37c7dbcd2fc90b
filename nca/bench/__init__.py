"""What a step costs: measured on the machine at hand, and predicted from first principles and a short calibration."""

from nca.support.extras import require

require("sweeps", "pandas")
