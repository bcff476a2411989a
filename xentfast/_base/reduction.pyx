"""Mean, sum, none, and the mean of nothing: the one place that knows them.

A call that is reduced has `reduction`, `weight_sum` (what its mean divides by), `value_shape` and `value_dtype` (of the losses
that "none" gives), and a function compute(call, divisor, values, *results): that puts the losses into `values`, or returns their
sum over the divisor; gradients, over the divisor as well, go to those of `results` that are not None.
"""
import numpy as np

from xentfast._base import numbers

cimport numpy as cnp

from xentfast._base.level cimport chosen_kernels

cnp.import_array()

include "loops.pxi"

REDUCTIONS = ("mean", "sum", "none")

cdef double smallest = numbers.SMALLEST


cpdef bint is_nothing(double weight_sum) noexcept nogil:
    """Whether a mean over these weights is one over nothing."""
    return -smallest < weight_sum < smallest


def nothing_to_divide_by(double weight_sum, *results):
    """is_nothing; the gradients, those of `results` that are not None, are 0 then."""
    if not is_nothing(weight_sum):
        return False
    for result in results:
        if result is not None:
            result[...] = 0
    return True


def mean_of_nothing(empty):
    """The argument `empty` as a float, for `reduced`. To be called before arrays are looked at: a conversion may change them."""
    return empty if type(empty) is float else numbers.real_number(empty, "empty")


def reduced(call, compute, tuple results, double empty):
    """The loss, by `call.reduction`; `empty` is the mean of nothing."""
    cdef object reduction = call.reduction, divisor = 1.0, values = None
    if reduction == "mean":
        divisor = call.weight_sum
        if nothing_to_divide_by(divisor, *results):
            return call.value_dtype.type(empty)
    elif reduction == "none":
        values = np.empty(call.value_shape, call.value_dtype)
    loss = compute(call, divisor, values, *results)
    return loss if values is None else values[()]


def of_the_sum(reduction):
    """The reduction whose gradient is asked for where no losses are: with "none" it is that of the sum."""
    return "sum" if reduction == "none" else reduction


def check_reduction(value):
    return numbers.choice(value, REDUCTIONS, "reduction")


# ---- sums whose bits are those of one call over all rows, for rows that are in several places


def total(cnp.ndarray values):
    """Row values, contiguous float64, → their sum."""
    cdef cnp.ndarray own = values.copy()
    cdef Total sums
    cdef xf_mode saved = xf_enter_ieee()
    sums.sum = sums.error = 0.0
    add_values(&sums, <double*>cnp.PyArray_DATA(own), cnp.PyArray_SIZE(own))
    xf_leave_ieee(saved)
    return total_of(&sums)


def totals(cnp.ndarray values, dtype):
    """Contiguous float64 (…, n) → the sums over the last axis, in order, as float32 or float64."""
    cdef int n_axes = cnp.PyArray_NDIM(values)
    cdef Py_ssize_t n = cnp.PyArray_DIM(values, n_axes - 1), row
    cdef cnp.ndarray sums = np.empty((<object>values).shape[:n_axes - 1])
    cdef cnp.ndarray result = np.empty_like(sums, dtype)
    cdef const double* data = <const double*>cnp.PyArray_DATA(values)
    cdef Total sum
    cdef xf_mode saved
    for row in range(cnp.PyArray_SIZE(sums)):
        saved = xf_enter_ieee()
        sum.sum = sum.error = 0.0
        add_sums(&sum, data + row * n, n)
        xf_leave_ieee(saved)
        (<double*>cnp.PyArray_DATA(sums))[row] = total_of(&sum)
    store_values(<const double*>cnp.PyArray_DATA(sums), cnp.PyArray_SIZE(sums), cnp.PyArray_DATA(result), 0,
                 <ValueType>value_type(result))
    return result


def loss_of(double dividend, double divisor, bint as_double, bint exponential=False):
    """Their quotient as a loss; or e^ of it."""
    return scalar(dividend, divisor, chosen_kernels().softmax(True) if exponential else NULL, as_double)
