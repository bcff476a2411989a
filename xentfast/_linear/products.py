"""The products of a linear layer and of its gradients, by chunks of rows, through NumPy's BLAS in reused buffers.

(a) A chunk of rows has its logits in one buffer, where the caller puts their gradient, whose products go to the outputs.
(b) What BLAS takes as it is, it reads and writes in place. Everything else (16 bits, byte order, odd strides, rows that are left
    out) goes through buffers: rows by the chunk, classes by the block.
(c) NumPy's product cannot add to its result: the gradient of the weights is made by blocks of classes in a buffer, and added.
(d) BLAS packs all weights anew for each chunk of rows. Where there is no gradient to make, the logits come in tiles of rows and
    classes, about as many of one as of the other, of which the caller keeps partial results.
"""

import itertools
import math

import numpy as np

# The part of the memory that blocks of classes may take; logits have the rest (tests/linear/test_memory.py, and
# asv_benchmarks/comparisons/compare_peers.py linear).
BLOCK_SHARE = 8


class Rows:
    """An array (..., K) as rows of K numbers: by a slice or an array of row numbers, in the order of the leading axes."""

    def __init__(self, array):
        self.shape = array.shape[:-1]
        self.itemsize = array.itemsize
        self.array = array
        # One and the same row for all, as a mask of classes has.
        self.constant = math.prod(self.shape) > 1 and not any(array.strides[:-1])
        self.even = steps_evenly(array)
        if self.even:
            self.array = array.reshape(math.prod(self.shape), array.shape[-1])          # a view

    def row_bytes(self, indexed):
        """Bytes of a row that taking it copies."""
        return 0 if self.constant or (self.even and not indexed) else self.array.shape[-1] * self.itemsize

    def __getitem__(self, rows):
        """A view where `rows` is a slice and the rows are evenly apart, else a copy."""
        if self.constant:
            rows = slice(0, length_of(rows))
        return self.array[self._index(rows)]

    def __setitem__(self, rows, values):
        self.array[self._index(rows)] = values

    def _index(self, rows):
        if self.even:
            return rows
        return np.unravel_index(np.arange(rows.start, rows.stop) if isinstance(rows, slice) else rows, self.shape)


def steps_evenly(array):
    """Whether its rows, the last axis, are all evenly apart in memory."""
    axes = [(length, stride) for length, stride in zip(array.shape[:-1], array.strides, strict=False) if length != 1]
    return array.size == 0 or all(outer == inner * length for (_, outer), (length, inner) in itertools.pairwise(axes))


def length_of(rows):
    return rows.stop - rows.start if isinstance(rows, slice) else len(rows)


def fits_blas(matrix, dtype):
    """Whether BLAS can read it, or write to it, as it is."""
    if matrix.dtype != dtype or not matrix.flags.aligned:
        return False
    size = dtype.itemsize
    return any(inner == size and outer % size == 0 and outer >= size * max(length, 1)
               for length, (outer, inner) in ((matrix.shape[1], matrix.strides), (matrix.shape[0], matrix.strides[::-1])))


class LinearLayer:
    """hidden @ linear_weight.T + bias by chunks of rows, and what the gradient of its result makes of each.

    hidden (..., D), linear_weight (C, D), bias (C,) or None, of any dtype that `dtype` holds; `kept` the numbers of the rows that
    count, or None for all; `outputs` their gradients in the same order, or None. A row takes `row_bytes` elsewhere as well.
    """

    def __init__(self, hidden, linear_weight, bias, dtype, kept, outputs, row_bytes):
        self.dtype, self.kept = dtype, kept
        self.linear_weight = linear_weight
        self.bias = bias
        self.hidden = Rows(hidden)
        self.n_rows = math.prod(hidden.shape[:-1]) if kept is None else len(kept)
        self.n_classes, self.n_features = linear_weight.shape
        copied = (kept is not None or not self.hidden.even) and not self.hidden.constant
        self.converts_hidden = hidden.dtype != dtype if copied else not fits_blas(self.hidden.array, dtype)
        self.converts_weight = not fits_blas(linear_weight, dtype)
        self.d_hidden, self.d_weight, self.d_bias = outputs or (None, None, None)
        self.differentiates = outputs is not None
        self.adds = False                                   # whether the gradient of the weights goes by way of a buffer
        if self.differentiates:
            self.d_hidden = Rows(self.d_hidden)
            self.fills_hidden = kept is None and self.d_hidden.even and fits_blas(self.d_hidden.array, dtype)
            self.fills_weight = fits_blas(self.d_weight, dtype)
        self.row_bytes = row_bytes + self._row_bytes()
        biases = (bias is not None and bias.dtype != dtype) + (self.d_bias is not None)
        self.fixed_bytes = self.n_classes * dtype.itemsize * biases

    def _row_bytes(self):
        features = self.n_features * self.dtype.itemsize
        total = self.n_classes * self.dtype.itemsize + self.hidden.row_bytes(self.kept is not None)
        total += features * self.converts_hidden
        return total + features * ((not self.fills_hidden) + self.converts_weight) if self.differentiates else total

    def cut(self, memory_limit):
        """(rows of a chunk, classes of a block) within so many bytes, or the bytes that are needed where these are too few."""
        features = self.n_features * self.dtype.itemsize
        n_rows = max(self.n_rows, 1)
        room = memory_limit - self.fixed_bytes
        class_bytes = features * self.converts_weight
        # A single chunk needs no sum.
        self.adds = self.differentiates and not (self.fills_weight and room >= n_rows * self.row_bytes + class_bytes)
        if self.adds and not (self.fills_weight and n_rows == 1):
            class_bytes += features
        if room < self.row_bytes + class_bytes:
            return self.fixed_bytes + self.row_bytes + class_bytes
        block = self.n_classes
        if class_bytes:
            least = self.row_bytes * (n_rows if self.differentiates and not self.adds else 1)
            block = min(block, max(1, min(room // BLOCK_SHARE, room - least) // class_bytes))
        return min(n_rows, (room - block * class_bytes) // self.row_bytes), block

    def cut_tiles(self, memory_limit, chunk, record_bytes):
        """The same where the logits come in tiles, of whole chunks of classes, of each of which a row leaves so many bytes."""
        features, item = self.n_features * self.dtype.itemsize, self.dtype.itemsize
        room = memory_limit - self.fixed_bytes
        class_bytes = features * self.converts_weight
        row_bytes = (self.hidden.row_bytes(self.kept is not None) + features * self.converts_hidden
                     + 2 * record_bytes * -(-self.n_classes // chunk))
        least = min(chunk, self.n_classes)
        if room < row_bytes + least * (item + class_bytes):
            return self.fixed_bytes + row_bytes + least * (item + class_bytes)
        width = min(self.n_classes, max(chunk, math.isqrt(room // item) // chunk * chunk))
        if room < row_bytes + width * (item + class_bytes):
            width = least
        rows = (room - width * class_bytes) // (row_bytes + width * item)
        if rows > self.n_rows:                              # weights are packed once; the wider a tile, the less often are rows
            rows = max(self.n_rows, 1)
            width = max(width, (room - rows * row_bytes) // (rows * item + class_bytes) // chunk * chunk)
        return rows, min(width, self.n_classes)

    def allocate(self, rows, block, width=None):
        """Buffers for chunks of up to so many rows and blocks of so many classes; `width` is that of tiles of logits."""
        def buffer(needed, *shape):
            return np.empty(shape, self.dtype) if needed else None

        backward = self.differentiates
        self.rows, self.block = rows, block
        self.logits_buffer = buffer(True, rows, width or self.n_classes)
        self.hidden_buffer = buffer(self.converts_hidden, rows, self.n_features)
        self.weight_buffer = buffer(self.converts_weight, block, self.n_features)
        self.d_hidden_buffer = buffer(backward and not self.fills_hidden, rows, self.n_features)
        self.d_hidden_term = buffer(backward and self.converts_weight, rows, self.n_features)
        self.d_weight_term = buffer(self.adds, block, self.n_features)
        self.d_bias_term = buffer(self.d_bias is not None, self.n_classes)
        self.ones = buffer(self.d_bias is not None, rows)
        if self.ones is not None:
            self.ones[:] = 1
        if self.bias is not None:
            self.bias = self.bias.astype(self.dtype, copy=False)

    def chunks(self):
        """Even chunks, as slices, or as row numbers where rows are left out."""
        count = -(-self.n_rows // self.rows)
        for i in range(count):
            rows = slice(self.n_rows * i // count, self.n_rows * (i + 1) // count)
            yield rows if self.kept is None else self.kept[rows]

    def blocks(self):
        """Classes, as slices, with their weights as BLAS takes them."""
        step = self.block if self.converts_weight else self.n_classes
        for start in range(0, self.n_classes, step):
            classes = slice(start, min(start + step, self.n_classes))
            weight = self.linear_weight[classes]
            yield classes, converted(weight, self.weight_buffer) if self.converts_weight else weight

    def states(self, rows):
        """The hidden states of a chunk, as BLAS takes them."""
        hidden = self.hidden[rows]
        return converted(hidden, self.hidden_buffer) if self.converts_hidden else hidden

    def tiles(self, rows):
        """The logits of a chunk, by tiles: (the first of a tile's classes, its logits)."""
        hidden = self.states(rows)
        width = self.logits_buffer.shape[1]
        for start in range(0, self.n_classes, width):
            classes = slice(start, min(start + width, self.n_classes))
            weight = self.linear_weight[classes]
            if self.converts_weight:
                weight = converted(weight, self.weight_buffer)
            logits = np.matmul(hidden, weight.T, out=self.logits_buffer[:len(hidden), :len(weight)])
            if self.bias is not None:
                logits += self.bias[classes]
            yield start, logits

    def logits(self, rows):
        """Those of a chunk (n, C), and its hidden states as BLAS takes them."""
        logits = self.logits_buffer[:length_of(rows)]
        hidden = self.states(rows)
        for classes, weight in self.blocks():
            np.matmul(hidden, weight.T, out=logits[:, classes])
        if self.bias is not None:
            logits += self.bias
        return logits, hidden

    def add_gradients(self, rows, gradient, hidden, first):
        """What the gradient (n, C) of a chunk's logits makes of its hidden states; added to what the chunks before have made
        of weights and bias, but for the first."""
        self._differentiate_hidden(rows, gradient)
        multiply = np.matmul if len(gradient) > 1 else np.multiply          # NumPy has no BLAS for a column times a row
        if first and self.fills_weight:
            multiply(gradient.T, hidden, out=self.d_weight)
        else:
            for start in range(0, self.n_classes, self.block):
                term = self.d_weight_term[:min(self.block, self.n_classes - start)]
                multiply(gradient[:, start:start + self.block].T, hidden, out=term)
                put(self.d_weight[start:start + self.block], term, first)
        if self.d_bias is not None:
            put(self.d_bias, np.matmul(self.ones[:len(gradient)], gradient, out=self.d_bias_term), first)

    def _differentiate_hidden(self, rows, gradient):
        d_hidden = self.d_hidden[rows] if self.fills_hidden else self.d_hidden_buffer[:len(gradient)]
        for classes, weight in self.blocks():
            if classes.start == 0:
                np.matmul(gradient[:, classes], weight, out=d_hidden)
            else:
                d_hidden += np.matmul(gradient[:, classes], weight, out=self.d_hidden_term[:len(gradient)])
        if not self.fills_hidden:
            self.d_hidden[rows] = d_hidden


def converted(source, buffer):
    """`source`, copied into the first rows of the buffer."""
    buffer = buffer[:len(source)]
    buffer[...] = source
    return buffer


def put(target, term, first):
    """target = term, or target += term, rounded to the target's dtype."""
    if first:
        target[...] = term
    else:
        np.add(target, term, out=target, casting="same_kind")
