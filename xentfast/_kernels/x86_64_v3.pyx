"""Kernels for the level x86_64_v3 (see kernels.pxi)."""
include "kernels.pxi"
