"""Keys and streams: what `rng` and `name` give an initialiser."""

from __future__ import annotations

import functools
import hashlib
from typing import TYPE_CHECKING

import numpy as np
from numpy.random.bit_generator import BitGenerator, ISeedSequence

from xentfast._base.numbers import integer, shown

if TYPE_CHECKING:
    from typing import Self

    from xentfast._base.typing import Rng


class Key(int):
    """A key of 64 bits, ready for use: what `rng` may be where many arrays are made with one seed.

    An integer that is taken as it is, not hashed as a seed: made by `key`, or from the 64 bits themselves.

    Parameters
    ----------
    bits : int
        From 0 to 2⁶⁴ − 1.

    Raises
    ------
    ValueError, TypeError
        For anything else.

    See Also
    --------
    key : Makes one of whatever `rng` may be.

    Examples
    --------
    >>> import xentfast as xf
    >>> key = xf.random.key(7)
    >>> key
    Key(0xead0f7017c326e58)
    >>> bool((xf.init.normal((3,), rng=key) == xf.init.normal((3,), rng=7)).all())
    True
    """

    __slots__ = ()

    def __new__(cls, bits: int) -> Self:
        number = integer(bits, "bits")
        if not 0 <= number < 2**64:
            raise ValueError(f"bits is {shown(number)}; expected an integer from 0 to 2**64 - 1")
        return super().__new__(cls, number)

    def __repr__(self) -> str:
        return f"Key({int(self):#x})"

    def __reduce__(self) -> tuple[type[Key], tuple[int]]:
        return Key, (int(self),)


def key_of(rng):
    """The key that `rng` gives (SPEC 7). A generator is drawn from, so that its next key is another one."""
    if type(rng) is Key:
        return rng
    if type(rng) is int and 0 <= rng < 2**32:
        return _of_seed(rng)
    if isinstance(rng, BitGenerator):
        rng = np.random.Generator(rng)
    if isinstance(rng, np.random.Generator):
        return Key(int(rng.integers(0, 2**64, dtype=np.uint64)))
    expected = "expected None, a non-negative integer, a sequence of them, a Key, a SeedSequence, a Generator or a BitGenerator"
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
    return _of_sequence(seed)


def _of_sequence(seed):
    low, high = seed.generate_state(2, np.uint32).tolist()
    return Key(high << 32 | low)


@functools.lru_cache(maxsize=1024)
def _of_seed(seed):
    """Hashing takes longer than to fill a small array, and seeds are used again."""
    return _of_sequence(np.random.SeedSequence(seed))


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
    number = int.from_bytes(digest[:8], "little")
    return number & 0xFFFFFFFF, number >> 32


def key(rng: Rng = None) -> Key:
    """The key of 64 bits that `rng` gives an initialiser: for `rng` again, many times, or for the C functions (`xentfast.capi`).

    Parameters
    ----------
    rng : None, int, sequence of ints, Key, SeedSequence, Generator or BitGenerator, optional
        As for `xentfast.init.uniform`: a Generator is drawn from, None takes entropy from the operating system.

    Returns
    -------
    Key
        An int from 0 to 2⁶⁴ − 1.

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
    >>> key = xf.random.key(7)
    >>> key
    Key(0xead0f7017c326e58)

    An array made with it is one made with the seed, of which the hashing is done:

    >>> bool((xf.init.he_normal((2, 3), rng=key) == xf.init.he_normal((2, 3), rng=7)).all())
    True

    The engine with that key is the engine with that seed:

    >>> seeded, keyed = xf.random.Philox4x32(7), xf.random.Philox4x32(key=key)
    >>> bool((seeded.random_raw(4) == keyed.random_raw(4)).all())
    True
    """
    return key_of(rng)


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
