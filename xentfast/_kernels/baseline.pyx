"""Kernels for the level baseline (see kernels.pxi)."""
include "kernels.pxi"
