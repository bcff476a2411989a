# The kernels of elementwise calls, of both dtypes, at one level.
from cpython.pycapsule cimport PyCapsule_New
from libc.string cimport memcpy, memmove, memset

from xentfast._kernels.arrays cimport (
    BFLOAT16, FLOAT16, FLOAT32, FLOAT64, INT8, INT16, INT32, INT64, MAX_AXES, UINT8, UINT16, UINT32, Strided, ValueType)
from xentfast._kernels.sigmoid cimport ELEMENT_BLOCK, Elements, SigmoidKernels

include "numerics/bits.pxi"
include "numerics/lanes.pxi"
include "numerics/values.pxi"
include "numerics/sums.pxi"
include "sigmoid/elements.pxi"
include "sigmoid/sigmoid.pxi"
include "sigmoid/weighted.pxi"


cdef void sigmoid_float(const void* problem, Py_ssize_t first, Py_ssize_t last, char* scratch,
                        double* row_values) noexcept nogil:
    plain_any(<const Elements*>problem, first, last, scratch, row_values, <float>0, False)

cdef void sigmoid_double(const void* problem, Py_ssize_t first, Py_ssize_t last, char* scratch,
                         double* row_values) noexcept nogil:
    plain_any(<const Elements*>problem, first, last, scratch, row_values, <double>0, False)

cdef void general_float(const void* problem, Py_ssize_t first, Py_ssize_t last, char* scratch,
                        double* row_values) noexcept nogil:
    plain_any(<const Elements*>problem, first, last, scratch, row_values, <float>0, True)

cdef void general_double(const void* problem, Py_ssize_t first, Py_ssize_t last, char* scratch,
                         double* row_values) noexcept nogil:
    plain_any(<const Elements*>problem, first, last, scratch, row_values, <double>0, True)

cdef void weighted_float(const void* problem, Py_ssize_t first, Py_ssize_t last, char* scratch,
                         double* row_values) noexcept nogil:
    weighted_any(<const Elements*>problem, first, last, scratch, row_values, <float>0, False)

cdef void weighted_double(const void* problem, Py_ssize_t first, Py_ssize_t last, char* scratch,
                          double* row_values) noexcept nogil:
    weighted_any(<const Elements*>problem, first, last, scratch, row_values, <double>0, False)

cdef void focal_double(const void* problem, Py_ssize_t first, Py_ssize_t last, char* scratch,
                       double* row_values) noexcept nogil:
    weighted_any(<const Elements*>problem, first, last, scratch, row_values, <double>0, True)

cdef void scan_float(const void* problem, Py_ssize_t first, Py_ssize_t last, char* scratch,
                     double* row_values) noexcept nogil:
    scan_range(<const Elements*>problem, first, last, scratch, row_values, <float>0)

cdef void scan_double(const void* problem, Py_ssize_t first, Py_ssize_t last, char* scratch,
                      double* row_values) noexcept nogil:
    scan_range(<const Elements*>problem, first, last, scratch, row_values, <double>0)

cdef void scan_read_float(const void* problem, Py_ssize_t first, Py_ssize_t last, char* scratch,
                          double* row_values) noexcept nogil:
    scan_read_range(<const Elements*>problem, first, last, scratch, row_values, <float>0)

cdef void scan_read_double(const void* problem, Py_ssize_t first, Py_ssize_t last, char* scratch,
                           double* row_values) noexcept nogil:
    scan_read_range(<const Elements*>problem, first, last, scratch, row_values, <double>0)

cdef void lanes_log1p_float(const float* x, float* y, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        y[i] = log1p_float(x[i], x[i])

cdef void lanes_log1p_double(const double* x, double* y, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        y[i] = log1p_double(x[i])


cdef SigmoidKernels TABLE
TABLE.table_bytes = sizeof(SigmoidKernels)
TABLE.elements_bytes = sizeof(Elements)
TABLE.of_float.plain = sigmoid_float
TABLE.of_float.general = general_float
TABLE.of_float.weighted = weighted_float
TABLE.of_float.focal = focal_double
TABLE.of_float.scan = scan_float
TABLE.of_float.scan_read = scan_read_float
TABLE.of_double.plain = sigmoid_double
TABLE.of_double.general = general_double
TABLE.of_double.weighted = weighted_double
TABLE.of_double.focal = focal_double
TABLE.of_double.scan = scan_double
TABLE.of_double.scan_read = scan_read_double
TABLE.scratch_bytes = N_BUFFERS * PADDED_BLOCK * sizeof(double)
TABLE.log1p_float = lanes_log1p_float
TABLE.log1p_double = lanes_log1p_double

table = PyCapsule_New(&TABLE, "xentfast._kernels.sigmoid", NULL)
