"""Keys and streams: what `rng` and `name` give an initialiser."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.random.bit_generator import BitGenerator, ISeedSequence

from xentfast._base.numbers import shown

if TYPE_CHECKING:
    from xentfast._base.typing import Rng


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
    except ValueError:
        raise ValueError(f"rng is {shown(rng)}; {expected}") from None
    except MemoryError:
        raise
    except Exception:
        raise TypeError(f"rng is {shown(rng)}; {expected}") from None
    return Key(*map(int, seed.generate_state(2, np.uint32)))


def stream_of(name):
    """The two words of a name's stream, lowest first; zeros without a name."""
    if name is None:
        return (0, 0)
    if not isinstance(name, str):
        raise TypeError(f"name is {shown(name)}; expected a string or None")
    try:
        digest = hashlib.sha256(name.encode()).digest()
    except UnicodeEncodeError:
        raise ValueError(f"name is {name!r}, which has no UTF-8 form") from None
    return (int.from_bytes(digest[:4], "little"), int.from_bytes(digest[4:8], "little"))


def key(rng: Rng = None) -> int:
    """The key of 64 bits that `rng` gives an initialiser, for code that fills arrays by the C functions (`xentfast.capi`).

    Parameters
    ----------
    rng : None, int, sequence of ints, SeedSequence, Generator or BitGenerator, optional
        As for `xentfast.init.uniform`: a Generator is drawn from, None takes entropy from the operating system.

    Returns
    -------
    int
        From 0 to 2⁶⁴ − 1.

    Raises
    ------
    ValueError, TypeError
        For an `rng` that is not as described.

    See Also
    --------
    stream : What a name gives.
    Philox4x32 : The engine, which takes the key as it is.
    xentfast.capi.table : The C functions that fill arrays.

    Notes
    -----
    docs/how/streams.md in the repository says how a seed becomes a key.

    Examples
    --------
    >>> import xentfast as xf
    >>> hex(xf.random.key(7))
    '0xead0f7017c326e58'

    The engine with that key is the engine with that seed:

    >>> seeded, keyed = xf.random.Philox4x32(7), xf.random.Philox4x32(key=xf.random.key(7))
    >>> bool((seeded.random_raw(4) == keyed.random_raw(4)).all())
    True
    """
    words = key_of(rng)
    return words.high << 32 | words.low


def stream(name: str | None = None) -> int:
    """The stream of 64 bits that belongs to a parameter's name, for code that fills arrays by the C functions.

    Parameters
    ----------
    name : str, optional
        The parameter's name, as for `xentfast.init.uniform`.

    Returns
    -------
    int
        From 0 to 2⁶⁴ − 1; 0 without a name.

    Raises
    ------
    ValueError, TypeError
        For a name that is no string, or has no UTF-8 form.

    See Also
    --------
    key : What `rng` gives.
    xentfast.capi.table : The C functions that fill arrays.

    Examples
    --------
    >>> import xentfast as xf
    >>> hex(xf.random.stream("embedding"))
    '0x7b356ef3560158aa'

    What an initialiser writes is the engine's, from the stream's first block on:

    >>> import numpy as np
    >>> engine = xf.random.Philox4x32(7, counter=xf.random.stream("embedding") << 64)
    >>> drawn = np.random.Generator(engine).random(3, dtype=np.float32)
    >>> bool((drawn == xf.init.uniform((3,), rng=7, name="embedding")).all())
    True
    """
    low, high = stream_of(name)
    return high << 32 | low
