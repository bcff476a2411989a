"""Kernels for the level x86_64_v4 (see kernels.pxi)."""
include "kernels.pxi"
