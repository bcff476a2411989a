"""Every check and every error that users see, before any work; what passes comes out as the kernels want it."""

import functools
import math
import operator

import numpy as np

from xentfast import _checks, _core, _dispatch
from xentfast._exchange import exchanged_array, output_of
from xentfast._threads import thread_count

FLOATS = ("float16", "bfloat16", "float32", "float64")
REDUCTIONS = ("mean", "sum", "none")
# The smallest normal number: below it a number is 0 or not by the caller's floating-point mode.
SMALLEST = 2.2250738585072014e-308

# Elements that are looked through at a time for the one to name in an error.
LOOK = 65536

# Outputs of more bytes than this go past the cache, which they would not fit (asv: SoftmaxCrossEntropyValueAndGrad.time_wide).
STREAM_BYTES = 16 * 2**20
# A thread's row of exponentials waits in cache meanwhile, if it is no longer than this.
STREAM_ROW_BYTES = 768 * 1024


def float_array(value, name):
    """An array of a float dtype, in the machine's byte order; integers become float64. A copy only where it must be."""
    if _checks.is_plain_float(value):
        return value
    array = value if type(value) is np.ndarray else plain_array(value, name)
    if is_float(array.dtype):
        return np.require(array, array.dtype.newbyteorder("="), "A")
    if array.dtype.kind not in "iub":
        raise TypeError(f"{name} has dtype {array.dtype}; expected float16, bfloat16 (of ml_dtypes), float32 or float64")
    return np.require(array, np.float64, "A")


def is_float(dtype):
    """Whether it is one of the four float dtypes, in whichever byte order."""
    return name_of(dtype) in FLOATS


def result_type(array):
    """The dtype of losses over it: that of its arithmetic."""
    return np.float64 if array.dtype == np.float64 else np.float32


@functools.lru_cache(maxsize=64)
def name_of(dtype):
    """The dtype's name, which NumPy puts together anew each time. bfloat16 is known by it: ml_dtypes is not imported."""
    return dtype.name


def plain_array(value, name, advice=", with ignore_index or sample_weight=0 for masked rows"):
    """Whatever NumPy makes an array of; arrays of other libraries, and buffers, without a copy."""
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{name} is a masked array, whose mask would be lost; pass its filled() data{advice}")
    if hasattr(value, "__dlpack__") and not isinstance(value, np.ndarray):
        return exchanged_array(value, name)
    try:
        return np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} is not an array: {error}") from None


def class_axis(axis, array, name):
    """`axis` as an index from the front; there must be at least one class along it."""
    ndim = array.ndim
    if ndim == 0:
        raise ValueError(f"{name} is zero-dimensional; expected at least one axis, that of the classes")
    axis = ndim - 1 if type(axis) is int and axis == -1 else one_axis(axis, ndim)
    if array.shape[axis] == 0:
        raise ValueError(f"{name} has no classes: its shape is {array.shape} and axis is {axis}")
    return axis


def integer(value, name):
    if type(value) is int:
        return value
    if isinstance(value, bool):
        raise TypeError(f"{name} is a bool; expected an integer")
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{name} is {value!r}; expected an integer") from None


def one_axis(axis, ndim):
    index = integer(axis, "axis")
    if not -ndim <= index < ndim:
        raise np.exceptions.AxisError(index, ndim)
    return index % ndim


def reduction_axes(axis, array, name):
    """An int, a tuple of ints or None → the sorted axes. There must be something along them."""
    ndim = array.ndim
    if ndim == 0:
        raise ValueError(f"{name} is zero-dimensional; expected at least one axis")
    if type(axis) is int and -ndim <= axis < ndim and array.size > 0:
        return (axis % ndim,)                           # the common case
    axes = sorted_axes(axis, ndim)
    if any(array.shape[one] == 0 for one in axes):
        raise ValueError(f"{name} has no classes: its shape is {array.shape} and axis is {axis}")
    return axes


def sorted_axes(axis, ndim):
    if axis is None:
        return tuple(range(ndim))
    if isinstance(axis, tuple):
        axes = sorted(one_axis(one, ndim) for one in axis)
        if len(set(axes)) < len(axes):
            raise ValueError(f"axis is {axis}, which names an axis twice")
        if not axes:
            raise ValueError("axis is an empty tuple; expected an integer, a tuple of integers or None")
        return tuple(axes)
    return (one_axis(axis, ndim),)


def one_axis_of(x, axes):
    """`x` with the given axes made one, the last; `x` itself where there is but one."""
    if len(axes) <= 1:
        return x
    kept = [i for i in range(x.ndim) if i not in axes]
    n_classes = math.prod(x.shape[i] for i in axes)
    return x.transpose(kept + list(axes)).reshape([x.shape[i] for i in kept] + [n_classes])


def reduced_shape(shape, axes, keepdims):
    """`shape` without the axes, or with length one for them."""
    if len(axes) == 1 and not keepdims:
        return shape[:axes[0]] + shape[axes[0] + 1:]    # the common case
    if keepdims:
        return tuple(1 if i in axes else length for i, length in enumerate(shape))
    return tuple(length for i, length in enumerate(shape) if i not in axes)


def real_number(value, name):
    if isinstance(value, (str, bytes)):
        raise TypeError(f"{name} is {value!r}; expected a number")
    try:
        return float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} is {value!r}; expected a number") from None
    except OverflowError:
        raise ValueError(f"{name} is {value!r}; expected a number within the range of float64") from None


def weight_array(value, shape, name, meaning):
    """A contiguous float64 array of finite weights of the given shape."""
    array = value if type(value) is np.ndarray else plain_array(value, name)
    check_weights(array, shape, name, meaning)
    return np.ascontiguousarray(array, np.float64).reshape(shape)


def check_weights(array, shape, name, meaning):
    """Their dtype and shape."""
    if array.dtype.kind not in "iub" and not is_float(array.dtype):
        raise TypeError(f"{name} has dtype {array.dtype}; expected real numbers")
    if array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape}; expected {shape}, {meaning}")


def check_targets(targets, logits_shape, rows, meaning_of_rows):
    """Their dtype and shape. Whether they are class indices; else they are soft."""
    if targets.dtype.kind in "iu":
        if targets.shape != rows:
            raise ValueError(f"targets have shape {targets.shape}; expected {rows}, {meaning_of_rows}")
        return True
    if not is_float(targets.dtype):
        raise TypeError(f"targets have dtype {targets.dtype}; expected integers (class indices) or floats (soft targets)")
    if targets.shape != logits_shape:
        raise ValueError(f"soft targets have shape {targets.shape}; expected that of logits, {logits_shape}; "
                         f"class indices must be integers, of shape {rows}")
    return False


def check_finite(weights, first_bad, name):
    """`first_bad` is the place of the first weight that is not finite, or −1."""
    if first_bad >= 0:
        raise ValueError(f"{name}{position(first_bad, weights.shape)} is {weights.flat[first_bad]}; expected finite weights")


def first_outside(array, allowed):
    """The place, in C order, of the first element that is not allowed, or −1; without a copy of the whole."""
    for start in range(0, array.size, LOOK):
        fine = allowed(array.flat[start:start + LOOK])
        if not fine.all():
            return start + int(np.argmin(fine))
    return -1


def position(flat, shape):
    """'[3, 17]' for a place in an array of `shape`; nothing for a scalar."""
    index = np.unravel_index(flat, shape)
    return f"[{', '.join(str(int(i)) for i in index)}]" if shape else ""


def output_array(out, like, inputs=()):
    """`out` if it can take a result of `like`'s shape and dtype; a new array where it is None.

    `out` may be `like` itself, element for element; any other overlap, with `like` or with the other inputs, is refused.
    """
    if out is None:
        return _checks.new_like(like)
    if _checks.takes(out, like, inputs):
        return out
    out = checked_output(out, like.shape, like.dtype)
    if out is not like and np.may_share_memory(out, like) and not same_elements(out, like) and overlap(out, like):
        raise ValueError("out overlaps the input without being the same elements; pass the input itself, or another array")
    for array in inputs:
        if array is not None and np.may_share_memory(out, array) and overlap(out, array):
            raise ValueError("out overlaps the targets, the weights or where, which are read while it is written")
    return out


def output_pair(out, like, inputs):
    """(gradient, Hessian): two such outputs, apart from each other, the second apart from `like` as well."""
    if out is None:
        return output_array(None, like), output_array(None, like)
    if not isinstance(out, tuple) or len(out) != 2:
        raise TypeError(f"out is of type {type(out).__name__}; expected a tuple of two arrays, for gradient and Hessian")
    gradient, hessian = (output_array(array, like, inputs) for array in out)
    if np.may_share_memory(hessian, like) and overlap(hessian, like):
        raise ValueError("out[1] overlaps the logits, which are read while it is written; pass another array for the Hessian")
    if np.may_share_memory(hessian, gradient) and overlap(hessian, gradient):
        raise ValueError("out[0] and out[1] overlap; pass two separate arrays")
    return gradient, hessian


def checked_output(out, shape, dtype, name="out"):
    """`out` as an array to write to, if it can take a result of that shape and dtype."""
    out = output_of(out, name)
    if out.dtype != dtype or not out.dtype.isnative:
        raise TypeError(f"{name} has dtype {out.dtype}; expected {dtype}")
    if out.shape != shape:
        raise ValueError(f"{name} has shape {out.shape}; expected {shape}")
    if not out.flags.writeable:
        raise ValueError(f"{name} is read-only")
    if not out.flags.aligned:
        raise ValueError(f"{name} is not aligned to its items")
    if not out.flags.forc and overlaps_itself(out):
        raise ValueError(f"{name} has elements that share memory (strides {out.strides}, shape {out.shape})")
    return out


def same_elements(a, b):
    return (a.__array_interface__["data"][0] == b.__array_interface__["data"][0]
            and a.shape == b.shape and a.strides == b.strides)


def overlap(a, b):
    try:
        return np.shares_memory(a, b, max_work=100_000)
    except np.exceptions.TooHardError:
        return True


def overlaps_itself(array):
    """Whether two indices could name one address. Exact for every layout that slicing and transposing can make."""
    reach = array.itemsize
    for stride, length in sorted(zip(map(abs, array.strides), array.shape, strict=True)):
        if length > 1:
            if stride < reach:
                return True
            reach = stride * length
    return False


def passes_cache(out, like, axis):
    """Whether `out`, of the shape of `like`, is worth writing by stores that go past the cache."""
    return (out is not None and out.nbytes > STREAM_BYTES and like.shape[axis] * like.itemsize <= STREAM_ROW_BYTES
            and _checks.apart(out, like))


def logit_options(logits, z_loss, logit_scale, softcap, where):
    """None where none of them is used, else (logit_scale, softcap or 0, z_loss, where broadcast to the logits, or None)."""
    if (softcap is None and where is None and type(z_loss) is type(logit_scale) is float
            and z_loss == 0.0 and logit_scale == 1.0):
        return None                                     # the common case
    z_loss = finite_number(z_loss, "z_loss")
    logit_scale = finite_number(logit_scale, "logit_scale")
    if softcap is not None:
        softcap = finite_number(softcap, "softcap")
        if softcap < SMALLEST:
            raise ValueError(f"softcap is {softcap}; expected a number above 0, or None")
    if where is not None:
        array = where if type(where) is np.ndarray else plain_array(where, "where")
        if array.dtype != np.bool_:
            raise TypeError(f"where has dtype {array.dtype}; expected booleans")
        try:
            where = np.broadcast_to(array, logits.shape)
        except ValueError:
            raise ValueError(
                f"where has shape {array.shape}, which does not broadcast to that of logits, {logits.shape}") from None
    return logit_scale, softcap or 0.0, z_loss, where


def finite_number(value, name):
    number = value if type(value) is float else real_number(value, name)
    if not math.isfinite(number):
        raise ValueError(f"{name} is {number}; expected a finite number")
    return number


class CrossEntropyCall(_checks.PlainCall):
    """The checked arguments of one call to softmax cross-entropy."""

    __slots__ = ()

    def check(self, logits, targets, axis, weight, sample_weight, ignore_index, label_smoothing, z_loss, logit_scale, softcap,
              where, reduction, n_threads):
        logits = self.logits = float_array(logits, "logits")
        axis = self.axis = class_axis(axis, logits, "logits")
        self.n_threads = thread_count(n_threads, logits.size)
        self._set_loss(label_smoothing, reduction)
        self.options = logit_options(logits, z_loss, logit_scale, softcap, where)
        n_classes = logits.shape[axis]
        rows = self.rows
        self._set_weights(weight, sample_weight, rows, n_classes)
        self._set_targets(targets, rows, n_classes, ignore_index)
        self._set_smoothing_mass(n_classes, self.class_weight)

    def _set_loss(self, label_smoothing, reduction):
        if reduction not in REDUCTIONS:
            raise ValueError(f"reduction is {reduction!r}; expected 'mean', 'sum' or 'none'")
        self.reduction = reduction
        smoothing = label_smoothing if type(label_smoothing) is float else real_number(label_smoothing, "label_smoothing")
        self.smoothing = smoothing
        if not 0.0 <= smoothing <= 1.0:
            raise ValueError(f"label_smoothing is {smoothing}; expected a number from 0 to 1")

    def _set_weights(self, weight, sample_weight, rows, n_classes):
        if weight is not None:
            self.class_weight = weight_array(weight, (n_classes,), "weight", "a weight for each class")
            finite = np.isfinite(self.class_weight)
            check_finite(self.class_weight, -1 if finite.all() else int(np.argmin(finite)), "weight")
        if sample_weight is not None:
            self.sample_weight = weight_array(sample_weight, rows, "sample_weight", self.meaning_of_rows)

    def _set_smoothing_mass(self, n_classes, weights):
        """ε/n_classes times the weight of each class of the logits (None: 1), with integer targets."""
        if self.smoothing and self.classes is not None:
            width = self.logits.shape[self.axis]
            lanes = _dispatch.kernels.lanes                 # kernels read whole blocks
            self.smoothing_mass = np.zeros(-(-width // lanes) * lanes, result_type(self.logits))
            self.smoothing_mass[:width] = self.smoothing / n_classes * (1.0 if weights is None else weights)

    def _set_targets(self, targets, rows, n_classes, ignore_index):
        array = targets if type(targets) is np.ndarray else plain_array(targets, "targets")
        if array.size == 0 and not isinstance(targets, np.ndarray) and array.shape == rows:
            array = array.astype(np.int64)              # an empty list holds no float
        if not check_targets(array, None if self.logits is None else self.logits.shape, rows, self.meaning_of_rows):
            self._set_soft(array, rows, n_classes)
            return
        if _checks.is_plain_classes(array):
            classes = array
        elif array.dtype.newbyteorder("=") == np.uint64:
            # Numbers that int64 cannot hold become the largest that it can: no class either.
            classes = np.minimum(array, np.uint64(2**63 - 1), dtype=np.uint64, order="C").view(np.int64).reshape(array.shape)
        else:
            classes = np.ascontiguousarray(array, np.int64).reshape(array.shape)
        self._set_classes(array, classes, rows, n_classes, ignore_index)

    def _set_classes(self, targets, classes, rows, n_classes, ignore_index):
        """`classes` are the targets as contiguous int64."""
        ignored = integer(ignore_index, "ignore_index")
        if not -2**63 <= ignored < 2**63:                           # nor can a target be
            ignored = -2**63
        bad_class, bad_weight, self.weight_sum = _core.scan_targets(
            _dispatch.kernels, math.prod(rows), classes, self.sample_weight, self.class_weight, n_classes, ignored,
            self.n_threads)
        check_finite(self.sample_weight, bad_weight, "sample_weight")
        if bad_class >= 0:
            where = position(bad_class, rows)
            raise IndexError(f"targets{where} is {targets[np.unravel_index(bad_class, rows)]}, but logits have "
                             f"{n_classes} classes (0 to {n_classes - 1}) and ignore_index is {ignore_index}")
        if ignored >= 0:                                            # the kernels skip negative classes
            classes = classes.copy() if np.may_share_memory(classes, targets) else classes
            _core.skip_ignored(classes, ignored)
        self.classes = classes

    def _set_soft(self, targets, rows, n_classes):
        if not _checks.is_plain_float(targets):
            targets = np.require(targets, targets.dtype.newbyteorder("="), "A")
        self.soft = targets
        self.weight_sum = float(math.prod(rows))
        if self.sample_weight is not None:
            _, bad_weight, self.weight_sum = _core.scan_targets(
                _dispatch.kernels, math.prod(rows), None, self.sample_weight, None, n_classes, 0, self.n_threads)
            check_finite(self.sample_weight, bad_weight, "sample_weight")
        if self.class_weight is not None and self.reduction == "mean":
            self.weight_sum = _core.soft_weight_sum(_dispatch.kernels, self)

    @property
    def rows(self):
        """The shape of the rows: that of the logits without the class axis."""
        return self.logits.shape[:self.axis] + self.logits.shape[self.axis + 1:]

    @property
    def meaning_of_rows(self):
        return f"the shape of logits {self.logits.shape} without axis {self.axis}"

    @property
    def inputs(self):
        """The arrays that are read beside the logits, or None for those that there are not."""
        where = None if self.options is None else self.options[3]
        return self.soft, self.classes, self.sample_weight, self.class_weight, where

    def checked_output(self, out):
        return output_array(out, self.logits, self.inputs)

    def outputs(self, out):
        """The arrays for gradient and Hessian: those of `out`, checked, or new ones."""
        return output_pair(out, self.logits, self.inputs)
