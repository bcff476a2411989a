"""Requests to fill: a distribution, a key, a stream and a place, and the call that writes them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from xentfast._base.level import policy
from xentfast._base.threads import requested
from xentfast.random import _loops, _normal_tails

if TYPE_CHECKING:
    from xentfast.random._keys import Key
    from xentfast.random._places import Destination

# Blocks that no element of an array reaches: for random choices about a parameter other than its values.
SPARE_BLOCKS = 2**63


class Variates(NamedTuple):
    """A distribution with its scale, as the kernels take it (struct Fill in _kernels/random.pxd)."""

    distribution: int
    shift: float
    scale: float
    least: float = -math.inf
    largest: float = math.inf
    truncation: _normal_tails.Truncation = _normal_tails.NOTHING


def uniform_variates(low, high, dtype):
    """[low, high) in float32 or float64, of which `dtype` is one: no value below `low`, none at `high` or above it."""
    return Variates(_loops.FOR_UNIFORM, *_loops.uniform_constants(low, high, dtype == np.float64))


def normal_variates(mean, std):
    return Variates(_loops.FOR_NORMAL, mean, std)


def truncated_variates(mean, std, lower, upper, dtype):
    """The normal distribution with `mean` and `std`, cut at `lower` and `upper` standard deviations from the mean."""
    places = 2**53 if dtype == np.float64 else 2**32
    truncation = _normal_tails.truncation(lower, upper, places)
    smallest = min(truncation.lower_tail, truncation.upper_tail)
    if smallest < np.finfo(dtype).tiny:
        far, open_far = (37, 36) if dtype == np.float64 else (12, 11)
        raise ValueError(f"lower is {lower} and upper is {upper}: the last value's tail would be {smallest:.1e}, less than "
                         f"{dtype} holds; expected bounds within about {far} standard deviations from the mean, and within "
                         f"{open_far} where the other side is open")
    as_double = dtype == np.float64
    return Variates(_loops.FOR_TRUNCATED, mean, std, _loops.at_least(lower, as_double), -_loops.at_least(-upper, as_double),
                    truncation)


@dataclass(slots=True)
class Request:
    """One output to fill: what the compiled loops read. (A plain one is a PlainRequest there.)"""

    target: Destination | None
    variates: Variates
    key: Key
    stream: tuple[int, int]
    first_block: int = 0

    @property
    def size(self):
        return self.target.out.size

    @property
    def nbytes(self):
        return self.target.out.nbytes

    def fields(self, passes_cache):
        """In the order in which _loops.set_job unpacks them."""
        target = self.target
        out = target.out
        return (out.view(f"u{out.itemsize}"), target.type_code, target.first, target.places, passes_cache, self.key,
                self.stream, self.first_block, *self.variates)


def run(requests, n_threads=None):
    """Fill the outputs of all requests in one parallel region."""
    requests = [request for request in requests if request.size]
    passes_cache = sum(request.nbytes for request in requests) > policy.stream_bytes
    _loops.run([request.fields(passes_cache) for request in requests], requested(n_threads))
