"""Timings of parts of the package on the machine at hand."""

from nca.bench.couplings import bench_couplings, peak_memory
from nca.bench.timing import machine

__all__ = ["bench_couplings", "machine", "peak_memory"]
