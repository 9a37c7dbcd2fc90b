"""Files, digests, memory and precision: neither audio nor algorithm."""
