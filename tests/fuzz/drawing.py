"""Random choices, random values, and the same values in other memory: what hostile calls are made of. A seed gives them all."""

import random

import ml_dtypes
import numpy as np

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
FLOATS = [np.dtype(np.float32), np.dtype(np.float64), np.dtype(np.float16), BFLOAT16]
INTEGERS = [np.dtype(code) for code in "bBhHiIlLqQ"]
INF, NAN = float("inf"), float("nan")
# Number of classes, at and around every size at which kernels change their way; and of rows.
CLASSES = [1, 2, 3, 4, 5, 7, 8, 9, 10, 15, 16, 17, 20, 31, 32, 33, 40, 63, 64, 65, 100]
WIDE = [255, 256, 257, 511, 513, 1000, 1023, 1024, 1025, 2047, 2048, 2049, 2500, 4096, 4100]
ROWS = [1, 1, 2, 2, 3, 4, 5, 7, 8, 9, 16, 17, 31, 32, 33, 64, 65]
# The most elements of a call: a thousand calls take seconds.
MOST = 6000


class Draw:
    """Choices by Python's generator, arrays by NumPy's; both follow from the seed and the number of the call."""

    def __init__(self, seed, number):
        self.random = random.Random(f"{seed}:{number}")
        self.rng = np.random.default_rng([seed, number])
        self.buffers = []           # (memory that a call gets, its bytes before, an output in it or None, its values before)

    def chance(self, probability):
        return self.random.random() < probability

    def choice(self, sequence):
        return self.random.choice(sequence)

    def between(self, low, high):
        return self.random.randint(low, high)

    # ---- shapes and values

    def shape(self, classes=None):
        """(shape, axis): of a few rows, or of none; the class axis anywhere."""
        n_classes = classes or self.choice(WIDE if self.chance(0.08) else CLASSES)
        rows = [self.choice(ROWS) for _ in range(self.choice([0, 1, 1, 1, 1, 2, 2, 3]))]
        while rows and n_classes * np.prod(rows) > MOST:
            rows[self.between(0, len(rows) - 1)] = 1
        if rows and self.chance(0.03):
            rows[self.between(0, len(rows) - 1)] = 0
        axis = len(rows) if self.chance(0.6) else self.between(0, len(rows))
        shape = (*rows[:axis], n_classes, *rows[axis:])
        return shape, axis - len(shape) if self.chance(0.5) else axis

    def floats(self, shape, dtype, wild=None):
        """Numbers as users have them, or (wild) of any size, with nan, infinities and subnormal numbers among them."""
        values = self.rng.standard_normal(shape) * self.choice([0, 1e-3, 1, 1, 3, 3, 10, 60])
        if self.chance(0.2):
            values += self.choice([1e4, -300.0, 88.0, 2112.0, -1e6, 20.0])
        if dtype.kind in "iu":
            info = np.iinfo(dtype)
            return np.clip(values, max(info.min, -2**50), min(info.max, 2**50)).astype(dtype)
        if dtype.kind == "b":
            return values > 0
        info = ml_dtypes.finfo(dtype)
        values = np.clip(values, -float(info.max), float(info.max)).astype(dtype)
        if self.chance(0.25) if wild is None else wild:
            # Sums of differences of float64 logits have to be float64 numbers; those of others are taken in double.
            most = float(info.max) / (2**14 if dtype == np.float64 else 1)
            special = np.array([NAN, INF, -INF, -INF, -INF, 0.0, -0.0, most, -most, info.tiny, -info.tiny, 1e30, -1e30,
                                info.smallest_subnormal, -info.smallest_subnormal * 3.0, 1e4, -1e4, 1.0])
            special = special[:self.choice([3, 5, 7, len(special)])]
            with np.errstate(over="ignore"):
                special = special.astype(dtype)
            hit = self.rng.random(shape) < self.choice([0.01, 0.1, 0.5, 1.0])
            values = np.where(hit, special[self.rng.integers(0, len(special), shape)], values)
        return np.asarray(values, dtype)

    def weights(self, shape, signed=True, zeros=True):
        """Finite numbers whose sums are exact in double, so that a sum of 0 is 0 for everyone; or any positive ones."""
        if self.chance(0.4):
            values = self.rng.random(shape) * self.choice([1, 1, 1e-3, 1e3]) + 1e-6
        else:
            values = self.rng.integers(-2 if signed and self.chance(0.3) else 0 if zeros else 1, 5, shape) / 4
        if zeros and self.chance(0.3):
            values = np.where(self.rng.random(shape) < 0.3, 0.0, values)
        values = values.astype(self.choice([np.float64, np.float64, np.float32, np.float16, BFLOAT16]))
        return (values != 0) if self.chance(0.05) else np.round(values * 4).astype(np.int8) if self.chance(0.05) else values

    def mask(self, shape):
        """Booleans that broadcast to a shape."""
        shape = tuple(1 if self.chance(0.15) else n for n in shape)[self.between(0, len(shape)) if self.chance(0.2) else 0:]
        return np.asarray(self.rng.random(shape) < self.choice([0.0, 0.3, 0.8, 0.95, 1.0]))

    # ---- memory

    def laid(self, array):
        """(the same values in other memory or another container, a plain array of them)"""
        array = np.asarray(array)
        if self.chance(0.06) and array.ndim and array.size:
            axis = self.between(0, array.ndim - 1)
            array = np.broadcast_to(array.take([0], axis), array.shape)
            plain = np.array(array)
            return self.held(array), plain
        plain = np.array(array, order="C")
        if self.chance(0.3):
            return self.held(array.copy()), plain
        if self.chance(0.08):
            return self.contained(array), plain
        view = self.view(array.shape, array.dtype, aligned=self.chance(0.8), swapped=self.chance(0.15))
        view[...] = array
        if self.chance(0.2):
            view.flags.writeable = False
        return self.held(view), plain

    def contained(self, array):
        """As what is no array."""
        kinds = ["masked", "interface", "subclass", "dlpack"]
        if array.dtype in (np.float64, np.int64, np.bool_) and array.size:
            kinds.append("list")
        kind = self.choice(kinds)
        if kind == "list":
            return array.tolist()
        if kind == "masked":
            return np.ma.masked_array(array.copy(), mask=self.choice([np.ma.nomask, False]))
        if kind == "subclass":
            return array.copy().view(Subclass)
        return (Interface if kind == "interface" or array.dtype.kind not in "iuf" else Exchanged)(array.copy())

    def view(self, shape, dtype, aligned=True, swapped=False):
        """An array of undefined values: axes in any order in memory, forwards or backwards, with gaps, within a larger buffer."""
        order = self.random.sample(range(len(shape)), len(shape)) if self.chance(0.5) else list(range(len(shape)))
        steps = [self.choice([1, 1, 1, 1, 2, 3, -1, -1, -2]) for _ in shape]
        pads = [self.choice([0, 0, 0, 1, 3]) for _ in shape]
        sizes = [shape[axis] * abs(steps[axis]) + pads[axis] for axis in order]
        count = int(np.prod(sizes, dtype=np.int64))
        buffer = np.full(count * dtype.itemsize + 64, 0xff, np.uint8)
        start = -buffer.ctypes.data % 64 if aligned else (1 - buffer.ctypes.data) % 64 % 32
        whole = buffer[start:start + count * dtype.itemsize].view(dtype.newbyteorder("S") if swapped else dtype).reshape(sizes)
        cut = tuple(slice(pads[axis] // 2, pads[axis] // 2 + shape[axis] * abs(steps[axis])) for axis in order)
        turn = tuple(slice(None, None, steps[axis]) for axis in order)
        return whole[(*cut, ...)][(*turn, ...)].transpose(np.argsort(order) if order else ())

    def held(self, array):
        """Watched: no call changes it."""
        root = _root(array)
        self.buffers.append((root, root.tobytes(), None, None))
        return array

    def out(self, shape, dtype):
        """An output in any memory."""
        return self.filled(self.view(shape, dtype) if self.chance(0.6) else np.full(shape, 7, dtype))

    def filled(self, out):
        """An output: what lies around it is watched."""
        root = _root(out)
        self.buffers.append((root, root.tobytes(), out, out.copy()))
        return out

    def changed(self, into_outputs):
        """Whether calls have changed memory that is not theirs; an output is theirs where they had to write it."""
        for root, before, out, old in self.buffers:
            new = None
            if into_outputs and out is not None:
                new = out.copy()
                out[...] = old
            same = root.tobytes() == before
            if new is not None:
                out[...] = new
            if not same:
                return True
        return False


def _root(array):
    """The array that has the memory."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


class Subclass(np.ndarray):
    """As some libraries have it."""


class Interface:
    """Becomes an array when it is asked."""

    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return self.array if dtype is None else self.array.astype(dtype)


class Exchanged:
    """Has DLPack's methods alone."""

    def __init__(self, array):
        self.array = array

    def __dlpack__(self, **options):
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()
