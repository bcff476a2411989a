# The kernels of probabilities at one level: logarithms in float32 or float64, sums in double.
from cpython.pycapsule cimport PyCapsule_New
from libc.string cimport memcpy

from xentfast._kernels.arrays cimport (
    BFLOAT16, FLOAT16, FLOAT32, FLOAT64, INT8, INT16, INT32, INT64, UINT8, UINT16, UINT32, Operand, ValueType)
from xentfast._kernels.probabilities cimport CROSS_ENTROPY, DIVERGENCE, ENTROPY, Comparison, LogLoss, Measure, ProbabilityKernels

include "numerics/bits.pxi"
include "numerics/lanes.pxi"
include "numerics/values.pxi"
include "numerics/sums.pxi"
include "numerics/totals.pxi"
include "probabilities/terms.pxi"
include "probabilities/singles.pxi"
include "probabilities/rows.pxi"
include "probabilities/slopes.pxi"
include "probabilities/log_loss.pxi"


cdef void lanes_log_float(const float* x, float* y, Py_ssize_t n) noexcept nogil:
    cdef float f, k
    cdef Py_ssize_t i
    for i in range(n):
        k = log_parts(x[i], &f, True)
        y[i] = log_float(k, f, 1.0)

cdef void lanes_log_double(const double* x, double* y, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        y[i] = log_probability(x[i])

cdef void lanes_log_ratio_float(const float* p, const float* q, double* y, Py_ssize_t n) noexcept nogil:
    cdef float f, d, k
    cdef Py_ssize_t i
    for i in range(n):
        k = ratio_parts(p[i], q[i], &f, &d, True)
        y[i] = divergence_of(p[i], k, f, d, log_tail_float(f, 1.0), True) / p[i]

cdef void lanes_log_ratio_double(const double* p, const double* q, double* y, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        y[i] = log_ratio(p[i], q[i])


cdef ProbabilityKernels TABLE
TABLE.table_bytes = sizeof(ProbabilityKernels)
TABLE.comparison_bytes = sizeof(Comparison)
TABLE.log_loss_bytes = sizeof(LogLoss)
TABLE.rows = compare_rows
TABLE.chunks = compare_chunks
TABLE.add_chunks = add_chunks
TABLE.slopes = slope_chunks
TABLE.log_loss = log_loss_rows
TABLE.rows_at_once = choose_rows
TABLE.chunk = TERMS
TABLE.scratch_bytes = 2 * HELD_TERMS * sizeof(double)
TABLE.log_float = lanes_log_float
TABLE.log_double = lanes_log_double
TABLE.log_ratio_float = lanes_log_ratio_float
TABLE.log_ratio_double = lanes_log_ratio_double

table = PyCapsule_New(&TABLE, "xentfast._kernels.probabilities", NULL)
