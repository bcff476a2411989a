"""Initialisers: weights that depend on seed, name and position alone, filled at the speed of memory."""

from xentfast.init._distributions import normal, truncated_normal, uniform
from xentfast.init._fans import fans, gain
from xentfast.init._model import fill
from xentfast.init._scaling import (
    glorot_normal,
    glorot_uniform,
    he_normal,
    he_uniform,
    kaiming_normal,
    kaiming_uniform,
    lecun_normal,
    lecun_uniform,
    variance_scaling,
    xavier_normal,
    xavier_uniform,
)
from xentfast.init._structured import constant, dirac, identity, ones, orthogonal, sparse, zeros

__all__ = [
    "constant",
    "dirac",
    "fans",
    "fill",
    "gain",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "identity",
    "kaiming_normal",
    "kaiming_uniform",
    "lecun_normal",
    "lecun_uniform",
    "normal",
    "ones",
    "orthogonal",
    "sparse",
    "truncated_normal",
    "uniform",
    "variance_scaling",
    "xavier_normal",
    "xavier_uniform",
    "zeros",
]
