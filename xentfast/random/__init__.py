"""Keys, streams and the engine: which bits a parameter gets.

A value is a function of a key (from `rng`), a stream (from `name`) and the element's place in the global array. Philox
turns the three into random words (_kernels/random/philox.h), the kernels turn words into variates (fills.pxi there).

_fills → _places, _loops (compiled)      requests, their variates, where these belong, and the call that writes them
_keys, _philox (compiled) → _words       keys and streams; the engine as a NumPy bit generator
_normal_tails                            constants of the normal distribution, to 60 digits
"""

from typing import TYPE_CHECKING

from xentfast.random._keys import Key, key, stream
from xentfast.random._philox import Philox4x32

if TYPE_CHECKING:       # never run: _philox imports it, which is compiled, and what packs applications reads import statements
    from xentfast.random import _words  # noqa: F401

__all__ = ["Key", "Philox4x32", "key", "stream"]
