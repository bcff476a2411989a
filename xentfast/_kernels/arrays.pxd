"""Arrays as every family of kernels gets them: plain structs and pointers, which is all that crosses the level boundary."""

cdef enum:
    MAX_AXES = 64           # NumPy's own limit

# What arrays hold; the first four are the dtypes of logits, weights and results.
cdef enum ValueType:
    FLOAT16 = 0
    BFLOAT16 = 1
    FLOAT32 = 2
    FLOAT64 = 3
    INT8 = 4
    INT16 = 5
    INT32 = 6
    INT64 = 7
    UINT8 = 8               # bool as well
    UINT16 = 9
    UINT32 = 10
    UINT64 = 11

# One operand as rows of classes: where row 0 starts, and byte strides over the row axes and between classes.
cdef struct Operand:
    char* data
    Py_ssize_t strides[MAX_AXES]
    Py_ssize_t step

# One array of an elementwise call, walked in the C order of the call's elements along axes of its own, at least one:
# neighbours that it walks evenly are one axis.
cdef struct Strided:
    char* data                      # NULL where there is no such array
    ValueType type
    int n_axes
    Py_ssize_t shape[MAX_AXES]
    Py_ssize_t strides[MAX_AXES]    # in bytes; 0 where the array is broadcast

# Rows [first, last) of a problem, of whichever struct the kernel is for → row_values[0 : last − first], and its outputs.
# `scratch` belongs to the calling thread alone.
ctypedef void (*RangeKernel)(const void* problem, Py_ssize_t first, Py_ssize_t last, char* scratch,
                             double* row_values) noexcept nogil

# The functions themselves, for the accuracy tests and what is left to do for one number.
ctypedef void (*FloatLanes)(const float* x, float* y, Py_ssize_t n) noexcept nogil
ctypedef void (*DoubleLanes)(const double* x, double* y, Py_ssize_t n) noexcept nogil
ctypedef void (*FloatPairs)(const float* x, const float* y, double* z, Py_ssize_t n) noexcept nogil
ctypedef void (*DoublePairs)(const double* x, const double* y, double* z, Py_ssize_t n) noexcept nogil
