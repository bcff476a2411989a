"""Philox4x32-10 as a NumPy bit generator: the words of the fills, one after the other."""
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memset

import operator

import numpy as np

cimport numpy as cnp
from numpy.random cimport BitGenerator

cnp.import_array()

cdef extern from "random/philox.h":
    void xf_philox_block(const uint32_t* key, const uint32_t* counter, uint32_t* words) noexcept nogil

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


cdef class Philox4x32(BitGenerator):
    """
    Philox4x32(seed=None, *, key=None, counter=0)

    Philox4x32-10, the engine of `xentfast.init`, as a NumPy bit generator.

    Its first block is that of counter 0, so that a `numpy.random.Generator` over ``Philox4x32(7)`` draws the very
    uniforms that `xentfast.init.uniform` writes for ``rng=7`` without a name, in order.

    Parameters
    ----------
    seed : None, int, sequence of ints, SeedSequence, optional
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
        For `seed` and `key` together, and for what is not as described.

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

    def __init__(self, seed=None, *, key=None, counter=0):
        if seed is not None and key is not None:
            raise ValueError("seed and key are both given; expected one of them")
        if key is not None:
            words = words_of(key, 2, "key")
            BitGenerator.__init__(self, 0)
            self._seed_seq = None                   # spawn() says that there is none
        else:
            BitGenerator.__init__(self, seed)
            words = self._seed_seq.generate_state(2, np.uint32)
        memset(&self.philox, 0, sizeof(State))
        self.set_words(words, words_of(counter, 4, "counter"), (0, 0, 0, 0), 4)
        self._bitgen.state = &self.philox
        self._bitgen.next_uint64 = next_uint64
        self._bitgen.next_uint32 = next_uint32
        self._bitgen.next_double = next_double
        self._bitgen.next_raw = next_raw

    cdef set_words(self, key, counter, words, int position):
        cdef int i
        for i in range(2):
            self.philox.key[i] = key[i]
        for i in range(4):
            self.philox.counter[i] = counter[i]
            self.philox.words[i] = words[i]
        self.philox.position = position

    cdef object number(self):
        return sum(<object>self.philox.counter[i] << 32 * i for i in range(4))

    @property
    def state(self):
        """dict : key, counter of the next block, the block being handed out and the place in it."""
        return {
            "bit_generator": type(self).__name__,
            "state": {"counter": np.array([self.philox.counter[i] for i in range(4)], np.uint32),
                      "key": np.array([self.philox.key[i] for i in range(2)], np.uint32)},
            "buffer": np.array([self.philox.words[i] for i in range(4)], np.uint32),
            "buffer_pos": self.philox.position,
        }

    @state.setter
    def state(self, value):
        if not isinstance(value, dict):
            raise TypeError(f"state is of type {type(value).__name__}; expected a dict")
        if value.get("bit_generator") != type(self).__name__:
            raise ValueError(f"state is of a {value.get('bit_generator')}; expected that of a {type(self).__name__}")
        position = operator.index(value["buffer_pos"])
        if not 0 <= position <= 4:
            raise ValueError(f"state['buffer_pos'] is {position}; expected 0 to 4")
        key, counter = words_of(value["state"]["key"], 2, "key"), words_of(value["state"]["counter"], 4, "counter")
        words = words_of(value["buffer"], 4, "buffer")
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
        with self.lock:
            counter = words_of((self.number() + operator.index(delta)) % 2**128, 4, "counter")
            self.set_words([self.philox.key[i] for i in range(2)], counter, (0, 0, 0, 0), 4)
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
        return new.advance(operator.index(jumps) << 64)


def words_of(value, n, name):
    """An int, or n words, as n uint32, the lowest first."""
    several = isinstance(value, (list, tuple, np.ndarray)) and np.ndim(value) == 1
    try:
        if any(isinstance(word, bool) for word in (value if several else [value])):
            raise TypeError
        words = [operator.index(word) for word in (value if several else [value])]
    except TypeError:
        raise TypeError(f"{name} is {value!r}; expected an integer or {n} words") from None
    if several:
        if len(words) != n or not all(0 <= word < 2**32 for word in words):
            raise ValueError(f"{name} is {value!r}; expected {n} words, each from 0 to 2**32 - 1")
        return words
    number = words[0]
    if not 0 <= number < 2 ** (32 * n):
        raise ValueError(f"{name} is {number}; expected an integer from 0 to 2**{32 * n} - 1")
    return [number >> 32 * i & 0xffffffff for i in range(n)]
