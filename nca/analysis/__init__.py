"""What is asked of the couplings: strategies by name, surveys of many segments, diagnostics, tables (Sec. 4.2, 5)."""

from nca.support.extras import require

require("sweeps", "pandas")
