"""Philox4x32-10 as a NumPy bit generator: the words of the fills, one after the other."""
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy, memset

import numpy as np

from xentfast._base.numbers import integer, shown
from xentfast.random._words import state_of, words_of

cimport cython
cimport numpy as cnp
from cpython.object cimport PyTypeObject
from numpy.random cimport BitGenerator

cnp.import_array()

cdef extern from "random/philox.h":
    void xf_philox_block(const uint32_t* key, const uint32_t* counter, uint32_t* words) noexcept nogil

SEEDS = "expected None, a non-negative integer, a sequence of them or a SeedSequence"

cdef struct State:
    uint32_t key[2]
    uint32_t counter[4]         # of the next block
    uint32_t words[4]           # the block being handed out …
    int position                # … from here; 4 where it is used up


cdef uint32_t next_word(State* state) noexcept nogil:
    cdef int i
    if state.position == 4:
        xf_philox_block(state.key, state.counter, state.words)
        state.position = 0
        for i in range(4):
            state.counter[i] += 1
            if state.counter[i] != 0:
                break
    state.position += 1
    return state.words[state.position - 1]


cdef uint32_t next_uint32(void* state) noexcept nogil:
    return next_word(<State*>state)


cdef uint64_t next_uint64(void* state) noexcept nogil:
    cdef uint64_t high = next_word(<State*>state)
    return high << 32 | next_word(<State*>state)


cdef double next_double(void* state) noexcept nogil:
    cdef uint32_t high = next_word(<State*>state) >> 5
    cdef uint32_t low = next_word(<State*>state) >> 6
    return (high * 67108864.0 + low) * 1.1102230246251565e-16           # 2²⁶, 2⁻⁵³


cdef uint64_t next_raw(void* state) noexcept nogil:
    return next_word(<State*>state)


cdef cnp.ndarray array_of(const uint32_t* words, int n):
    cdef cnp.ndarray array = np.empty(n, np.uint32)
    memcpy(cnp.PyArray_DATA(array), words, n * sizeof(uint32_t))
    return array


cdef class Philox4x32(BitGenerator):
    """Philox4x32(seed=None, *, key=None, counter=0)\n--\n
    Philox4x32-10, the engine of `xentfast.init`, as a NumPy bit generator.

    Its first block is that of counter 0, so that a `numpy.random.Generator` over ``Philox4x32(7)`` draws the very
    uniforms that `xentfast.init.uniform` writes for ``rng=7`` without a name, in order.

    Parameters
    ----------
    seed : None, int, sequence of ints or SeedSequence, optional
        As for NumPy's bit generators: the key is ``SeedSequence(seed).generate_state(2, np.uint32)``. None takes entropy
        from the operating system.
    key : int or sequence of two uint32, optional
        The key itself, an int below 2⁶⁴ or its two words, low one first; not together with `seed`.
    counter : int or sequence of four uint32, default 0
        Number of the first block, an int below 2¹²⁸ or its four words, lowest first. Its high half is the stream that
        `xentfast.init` makes of a parameter's name.

    Raises
    ------
    ValueError, TypeError
        For ``seed`` and ``key`` together, and for what is not as described.

    See Also
    --------
    key : The key that a seed gives.
    stream : The stream that a name gives, the high half of the counter.
    xentfast.init.uniform : The same words as uniform values, on many threads.

    Notes
    -----
    A double takes two words, a float one: ``((a >> 5)·2²⁶ + (b >> 6))·2⁻⁵³`` and ``(a >> 8)·2⁻²⁴``. A raw word has 32 bits;
    64-bit integers take two, high word first. `jumped` goes 2⁶⁴ blocks on, to the next stream; `advance` skips blocks of
    four words. Passed as ``rng`` to an initialiser it is asked for a key, as any generator is, and the values are others
    than its own.

    References
    ----------
    Salmon, Moraes, Dror & Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.

    Examples
    --------
    >>> import numpy as np
    >>> import xentfast as xf
    >>> generator = np.random.Generator(xf.random.Philox4x32(7))
    >>> bool(np.all(generator.random(3, dtype=np.float32) == xf.init.uniform((3,), rng=7)))
    True
    """
    cdef State philox

    @cython.embedsignature(False)           # Cython 3.3 puts the star elsewhere; the docstring begins with it
    def __init__(self, seed=None, *, key=None, counter=0):
        if seed is not None and key is not None:
            raise ValueError("seed and key are both given; expected one of them")
        if key is not None:
            words = words_of(key, 2, "key")
            BitGenerator.__init__(self, 0)
            self._seed_seq = None                   # spawn() says that there is none
        else:
            try:
                BitGenerator.__init__(self, seed)
            except (MemoryError, RuntimeError):         # the latter where a lock cannot be had
                raise
            except ValueError:
                raise ValueError(f"seed is {shown(seed)}; {SEEDS}") from None
            except Exception:
                raise TypeError(f"seed is {shown(seed)}; {SEEDS}") from None
            words = self._seed_seq.generate_state(2, np.uint32)
        memset(&self.philox, 0, sizeof(State))
        self.set_words(words, words_of(counter, 4, "counter"), (0, 0, 0, 0), 4)
        self._bitgen.state = &self.philox
        self._bitgen.next_uint64 = next_uint64
        self._bitgen.next_uint32 = next_uint32
        self._bitgen.next_double = next_double
        self._bitgen.next_raw = next_raw

    cdef set_words(self, key, counter, words, int position):
        """All of them; they are known to fit."""
        cdef int i
        for i in range(2):
            self.philox.key[i] = key[i]
        for i in range(4):
            self.philox.counter[i] = counter[i]
            self.philox.words[i] = words[i]
        self.philox.position = position

    @property
    def state(self):
        """Key, counter of the next block, the block that is being handed out and the place in it: a dict, to read or to set."""
        with self.lock:                     # a draw of another thread is over, or has not begun
            return {
                "bit_generator": type(self).__name__,
                "state": {"counter": array_of(self.philox.counter, 4), "key": array_of(self.philox.key, 2)},
                "buffer": array_of(self.philox.words, 4),
                "buffer_pos": self.philox.position,
            }

    @state.setter
    def state(self, value):
        key, counter, words, position = state_of(value, type(self).__name__)
        with self.lock:
            self.set_words(key, counter, words, position)

    def advance(self, delta):
        """
        advance(delta)

        Skip `delta` blocks of four words, and what is left of the one being handed out.

        Parameters
        ----------
        delta : int
            How many blocks; modulo 2¹²⁸, so that a negative number goes back.

        Returns
        -------
        Philox4x32
            This generator.
        """
        cdef uint32_t skipped[4]
        cdef uint64_t sum = 0
        cdef int i
        words = words_of(integer(delta, "delta") % 2**128, 4, "delta")
        for i in range(4):
            skipped[i] = words[i]
        with self.lock:
            for i in range(4):
                sum = (sum >> 32) + self.philox.counter[i] + skipped[i]
                self.philox.counter[i] = <uint32_t>sum
            memset(self.philox.words, 0, sizeof(self.philox.words))
            self.philox.position = 4
        return self

    def jumped(self, jumps=1):
        """
        jumped(jumps=1)

        A new generator, `jumps`·2⁶⁴ blocks on: as many streams of `xentfast.init` further.

        Parameters
        ----------
        jumps : int, default 1
            How far.

        Returns
        -------
        Philox4x32
            The new generator; this one stays where it is.
        """
        new = type(self)()
        new.state = self.state
        return new.advance(integer(jumps, "jumps") << 64)


# Pickles, and what is shown of it, name the place that users know.
(<PyTypeObject*>Philox4x32).tp_name = "xentfast.random.Philox4x32"
