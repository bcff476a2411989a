"""Checks of what the loss of a linear layer is given, and the arguments of each chunk of its rows."""

import math

import numpy as np

from xentfast._base.arrays import is_float, plain_array
from xentfast._base.level import count_threads
from xentfast._base.numbers import integer
from xentfast._base.outputs import checked_output, overlap
from xentfast._base.reduction import mean_of_nothing
from xentfast._linear.products import LinearLayer, Rows
from xentfast._partials.checks import FIELDS, chunk_length
from xentfast._partials.functions import combine_records, write_records
from xentfast._softmax.call import CrossEntropyCall, cross_entropy_call

OUTPUTS = "(d_hidden, d_linear_weight, d_bias)"
# After a product BLAS's threads spin for some milliseconds, on every core but the caller's, and take half of it: of two threads
# of ours the second waits as long as it saves. A chunk's loss on two took 19 to 25 ms, on one 10 (EPYC, OpenBLAS, 2026-11).
SPINNING = 2


class LinearCall:
    """The checked arguments of one call to linear + cross-entropy. `loss` holds those that are not the layer's."""

    def __init__(self, hidden, linear_weight, targets, bias, weight, sample_weight, ignore_index, label_smoothing, focal_gamma,
                 z_loss, logit_scale, softcap, where, reduction, empty, memory_limit, n_threads):
        self.empty = mean_of_nothing(empty)
        self.memory_limit = integer(memory_limit, "memory_limit")
        self.hidden = number_array(hidden, "hidden")
        self.linear_weight = number_array(linear_weight, "linear_weight")
        self.bias = None if bias is None else number_array(bias, "bias")
        self._check_shapes()
        arrays = [array for array in (self.hidden, self.linear_weight, self.bias) if array is not None]
        double = any(array.dtype.kind in "iub" or array.dtype.itemsize == 8 for array in arrays)
        self.dtype = np.dtype(np.float64 if double else np.float32)
        shape = (*self.hidden.shape[:-1], len(self.linear_weight))
        # All that the checks need of the logits is their shape and dtype: one number stands for each of them.
        logits = np.broadcast_to(np.zeros((), self.dtype), shape)
        self.loss = cross_entropy_call(
            logits, targets, weight=weight, sample_weight=sample_weight, ignore_index=ignore_index,
            label_smoothing=label_smoothing, focal_gamma=focal_gamma, z_loss=z_loss, logit_scale=logit_scale, softcap=softcap,
            where=where, reduction=reduction, n_threads=n_threads)
        if n_threads is None and count_threads(0, logits.size) == SPINNING:
            self.loss.n_threads = 1
        self._set_rows()

    def _check_shapes(self):
        hidden, linear_weight, bias = self.hidden, self.linear_weight, self.bias
        if hidden.ndim == 0:
            raise ValueError("hidden is zero-dimensional; expected at least one axis, that of the features")
        if linear_weight.ndim != 2:
            raise ValueError(f"linear_weight has shape {linear_weight.shape}; expected two axes, classes and features")
        if linear_weight.shape[1] != hidden.shape[-1]:
            raise ValueError(f"linear_weight has shape {linear_weight.shape}, for {linear_weight.shape[1]} features, but hidden "
                             f"has shape {hidden.shape}, with {hidden.shape[-1]} features along its last axis")
        if len(linear_weight) == 0:
            raise ValueError(f"linear_weight has no classes: its shape is {linear_weight.shape}")
        if bias is not None and bias.shape != linear_weight.shape[:1]:
            raise ValueError(f"bias has shape {bias.shape}; expected {linear_weight.shape[:1]}, a number for each class")

    def _set_rows(self):
        """What a chunk's arguments are taken from; `kept` is None, or the numbers of the rows that count."""
        loss = self.loss
        kept = np.ones(math.prod(loss.rows), bool) if loss.classes is None else loss.classes.reshape(-1) >= 0
        self.classes = None if loss.classes is None else loss.classes.reshape(-1)
        self.sample_weight = None if loss.sample_weight is None else loss.sample_weight.reshape(-1)
        if self.sample_weight is not None:
            kept &= self.sample_weight != 0
        self.kept = None if kept.all() else np.flatnonzero(kept)
        self.soft = None if loss.soft is None else Rows(loss.soft)
        self.where = None if loss.where is None else Rows(loss.where)

    # What the loss is reduced by.

    @property
    def reduction(self):
        return self.loss.reduction

    @property
    def weight_sum(self):
        return self.loss.weight_sum

    @property
    def value_shape(self):
        return self.loss.rows

    @property
    def value_dtype(self):
        return self.dtype

    @property
    def in_tiles(self):
        """Whether a loss alone can be had of tiles of the logits: there are several, and nothing else is as wide."""
        return self.soft is None and self.where is None and len(self.linear_weight) > chunk_length(self.dtype)

    def layer(self, outputs):
        """The layer, with its rows cut to the memory limit."""
        row_bytes = sum(rows.row_bytes(self.kept is not None) for rows in (self.soft, self.where) if rows is not None)
        layer = LinearLayer(self.hidden, self.linear_weight, self.bias, self.dtype, self.kept, outputs, row_bytes)
        if outputs is None and self.in_tiles:
            cut = layer.cut_tiles(self.memory_limit, chunk_length(self.dtype), FIELDS * 8)
        else:
            cut = layer.cut(self.memory_limit)
        if not isinstance(cut, tuple):
            raise ValueError(f"memory_limit is {self.memory_limit} bytes; expected at least {cut}, for a row of "
                             f"{layer.n_classes} logits in {self.dtype} and what is made with it")
        layer.allocate(*cut, width=cut[1] if outputs is None and self.in_tiles else None)
        return layer

    def losses_of_tiles(self, layer, rows, losses):
        """Those of a chunk of rows → `losses`, contiguous: of the partial results of each tile."""
        chunk, n_classes = chunk_length(self.dtype), layer.n_classes
        records = np.empty((len(losses), -(-n_classes // chunk), FIELDS))
        for first, logits in layer.tiles(rows):
            own = np.empty((len(losses), -(-logits.shape[1] // chunk), FIELDS))
            arguments = self.chunk(rows, logits)
            write_records(arguments, own, n_classes, first, None)
            records[:, first // chunk:first // chunk + own.shape[1]] = own
        combine_records(self.chunk(rows, None), records, n_classes, None, self.dtype == np.float64, 1.0, losses)

    def chunk(self, rows, logits):
        """The arguments of the loss over a chunk of rows, whose logits are made, or are not needed any more."""
        loss, arguments = self.loss, CrossEntropyCall()
        arguments.logits = logits
        arguments.axis = 1
        arguments.classes = None if self.classes is None else self.classes[rows]
        arguments.soft = None if self.soft is None else self.soft[rows]
        arguments.sample_weight = None if self.sample_weight is None else self.sample_weight[rows]
        arguments.class_weight = loss.class_weight
        arguments.smoothing = loss.smoothing
        arguments.gamma = loss.gamma
        arguments.z_loss, arguments.logit_scale, arguments.softcap = loss.z_loss, loss.logit_scale, loss.softcap
        arguments.where = None if self.where is None else self.where[rows]
        arguments.n_threads = loss.n_threads
        return arguments

    def outputs(self, out):
        """The arrays for the gradients: those of `out`, checked, or new ones; None for that of no bias."""
        if out is None:
            out = (None, None, None)
        if not isinstance(out, tuple) or len(out) != 3:
            raise TypeError(f"out is of type {type(out).__name__}; expected a tuple of three, {OUTPUTS}")
        if self.bias is None and out[2] is not None:
            raise ValueError("out[2] is an array, but there is no bias; expected None")
        likes = (self.hidden, self.linear_weight, self.bias)
        dtypes = (gradient_dtype(self.hidden), *map(sum_dtype, likes[1:]))
        out = tuple(None if array is None else checked_output(array, like.shape, dtype, f"out[{i}]")
                    for i, (array, like, dtype) in enumerate(zip(out, likes, dtypes, strict=True)))
        self._check_apart(out)
        return tuple(np.empty(like.shape, dtype) if array is None and like is not None else array
                     for array, like, dtype in zip(out, likes, dtypes, strict=True))

    def _check_apart(self, out):
        inputs = (self.hidden, self.linear_weight, self.bias, *self.loss.inputs)
        for i, array in enumerate(out):
            if array is None:
                continue
            if any(one is not None and np.may_share_memory(array, one) and overlap(array, one) for one in inputs):
                raise ValueError(f"out[{i}] overlaps an input, which is read while it is written; pass another array")
            for k, other in enumerate(out[:i]):
                if other is not None and np.may_share_memory(array, other) and overlap(array, other):
                    raise ValueError(f"out[{k}] and out[{i}] overlap; pass separate arrays")


def number_array(value, name):
    """An array of one of the four float dtypes or of integers, as it is: what must be converted, is by the chunk."""
    array = plain_array(value, name)
    if not is_float(array.dtype) and array.dtype.kind not in "iub":
        raise TypeError(f"{name} has dtype {array.dtype}; expected float16, bfloat16 (of ml_dtypes), float32 or float64")
    return array


def gradient_dtype(array):
    """An array's own, in the machine's byte order; float64 for integers."""
    return array.dtype.newbyteorder("=") if is_float(array.dtype) else np.dtype(np.float64)


def sum_dtype(array):
    """That of a gradient which is a sum over all rows: 16 bits are too few to add up in."""
    dtype = None if array is None else gradient_dtype(array)
    return np.dtype(np.float32) if dtype is not None and dtype.itemsize == 2 else dtype
