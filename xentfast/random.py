"""Keys, streams and fills: which bits a parameter gets, and the call that writes them.

A value is a function of a key (from `rng`), a stream (from `name`) and the element's place in the global array. Philox
turns the three into random words (_kernels/random/philox.h), the kernels turn words into variates (fills.pxi
there).
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.random.bit_generator import BitGenerator, ISeedSequence

from xentfast import _dispatch, _fills, _tails
from xentfast._arguments import STREAM_BYTES
from xentfast._philox import Philox4x32
from xentfast._threads import thread_count

if TYPE_CHECKING:
    from typing import Any

    from xentfast._weights import Target

__all__ = ["Philox4x32", "key", "stream"]

# Blocks that no element of an array reaches: for random choices about a parameter other than its values.
SPARE_BLOCKS = 2**63


class Key(NamedTuple):
    """The two words of a Philox key, lowest first."""

    low: int
    high: int


def key_of(rng):
    """The key that `rng` gives (SPEC 7). A generator is drawn from, so that its next key is another one."""
    if isinstance(rng, Key):
        return rng
    if isinstance(rng, BitGenerator):
        rng = np.random.Generator(rng)
    if isinstance(rng, np.random.Generator):
        drawn = int(rng.integers(0, 2**64, dtype=np.uint64))
        return Key(drawn & 0xFFFFFFFF, drawn >> 32)
    expected = "expected None, a non-negative integer, a sequence of them, a SeedSequence, a Generator or a BitGenerator"
    if isinstance(rng, (bool, np.bool_, str, bytes)):
        raise TypeError(f"rng is {rng!r}; {expected}")
    try:
        seed = rng if isinstance(rng, ISeedSequence) else np.random.SeedSequence(rng)
    except TypeError:
        raise TypeError(f"rng is {rng!r}; {expected}") from None
    except ValueError:
        raise ValueError(f"rng is {rng!r}; {expected}") from None
    return Key(*map(int, seed.generate_state(2, np.uint32)))


def stream_of(name):
    """The two words of a name's stream, lowest first; zeros without a name."""
    if name is None:
        return (0, 0)
    if not isinstance(name, str):
        raise TypeError(f"name is {name!r}; expected a string or None")
    try:
        digest = hashlib.sha256(name.encode()).digest()
    except UnicodeEncodeError:
        raise ValueError(f"name is {name!r}, which has no UTF-8 form") from None
    return (int.from_bytes(digest[:4], "little"), int.from_bytes(digest[4:8], "little"))


def key(rng: Any = None) -> int:
    """The key of 64 bits that `rng` gives an initialiser, for code that fills arrays by the C functions (`xentfast.capi`).

    Parameters
    ----------
    rng : None, int, sequence of ints, SeedSequence, Generator or BitGenerator, optional
        As for `init.uniform`: a Generator is drawn from, None takes entropy from the operating system.

    Returns
    -------
    int
        From 0 to 2⁶⁴ − 1.

    Raises
    ------
    ValueError, TypeError
        For an `rng` that is not as described.

    Notes
    -----
    docs/streams.md in the repository says how a seed becomes a key.

    Examples
    --------
    >>> import xentfast as xf
    >>> hex(xf.random.key(7))
    '0xead0f7017c326e58'
    """
    words = key_of(rng)
    return words.high << 32 | words.low


def stream(name: str | None = None) -> int:
    """The stream of 64 bits that belongs to a parameter's name, for code that fills arrays by the C functions.

    Parameters
    ----------
    name : str, optional
        As for `init.uniform`.

    Returns
    -------
    int
        From 0 to 2⁶⁴ − 1; 0 without a name.

    Raises
    ------
    ValueError, TypeError
        For a name that is no string, or has no UTF-8 form.

    Examples
    --------
    >>> import xentfast as xf
    >>> hex(xf.random.stream("embedding"))
    '0x7b356ef3560158aa'
    """
    low, high = stream_of(name)
    return high << 32 | low


class Variates(NamedTuple):
    """A distribution with its scale, as the kernels take it (struct Fill in _kernels/random.pxd)."""

    distribution: int
    shift: float
    scale: float
    least: float = -math.inf
    largest: float = math.inf
    truncation: _tails.Truncation = _tails.Truncation(0, False, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


def uniform_variates(low, high, dtype):
    """[low, high) in float32 or float64, of which `dtype` is one: no value below `low`, none at `high` or above it."""
    return Variates(_fills.FOR_UNIFORM, *_fills.uniform_constants(low, high, dtype == np.float64))


def normal_variates(mean, std):
    return Variates(_fills.FOR_NORMAL, mean, std)


def truncated_variates(mean, std, lower, upper, dtype):
    """The normal distribution with `mean` and `std`, cut at `lower` and `upper` standard deviations from the mean."""
    places = 2**53 if dtype == np.float64 else 2**32
    truncation = _tails.truncation(lower, upper, places)
    smallest = min(truncation.lower_tail, truncation.upper_tail)
    if smallest < np.finfo(dtype).tiny:
        far, open_far = (37, 36) if dtype == np.float64 else (12, 11)
        raise ValueError(f"lower is {lower} and upper is {upper}: the last value's tail would be {smallest:.1e}, less than "
                         f"{dtype} holds; expected bounds within about {far} standard deviations from the mean, and within "
                         f"{open_far} where the other side is open")
    as_double = dtype == np.float64
    return Variates(_fills.FOR_TRUNCATED, mean, std, _fills.at_least(lower, as_double), -_fills.at_least(-upper, as_double),
                    truncation)


@dataclass(slots=True)
class Request:
    """One output to fill: what the compiled loops read."""

    target: Target | None
    variates: Variates
    key: Key
    stream: tuple[int, int]
    first_block: int = 0

    @property
    def size(self):
        return self.target.out.size

    def fields(self, passes_cache):
        """In the order in which _fills.set_job unpacks them."""
        target = self.target
        out = target.out
        return (out.view(f"u{out.itemsize}"), target.type_code, target.first, target.places, passes_cache, self.key,
                self.stream, self.first_block, *self.variates)


def run(requests, n_threads=None):
    """Fill the outputs of all requests in one parallel region."""
    requests = [request for request in requests if request.size]
    count = thread_count(n_threads, sum(request.size for request in requests))
    passes_cache = sum(request.target.out.nbytes for request in requests) > STREAM_BYTES
    _fills.run(_dispatch.kernels, [request.fields(passes_cache) for request in requests], count)
