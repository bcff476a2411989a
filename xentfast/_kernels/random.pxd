"""Random fills: one as its kernel gets it, and the table at one level."""
from libc.stdint cimport uint32_t, uint64_t

from xentfast._kernels.arrays cimport ValueType

cdef enum:
    GROUP = 64              # elements of a fill that are made together
    FILL_CHUNK = 1024       # at most so many at a time: words, variates and values stay in L1
    LINES = 128             # bytes that are written past the cache at a time

cdef enum Distribution:
    UNIFORM = 0
    NORMAL = 1
    TRUNCATED = 2

# The values of an array as a function of the element's place in it: shift + scale·variate.
cdef struct Fill:
    Distribution distribution
    ValueType type
    uint32_t key[2]
    uint32_t stream[2]
    uint64_t first_block            # of the stream: that of element 0
    double shift
    double scale
    double least                    # uniform: bounds of the value; truncated: of the variate
    double largest
    # truncated: of 2³² (float64: 2⁵³) places between the bounds, those from `middle` on are above the mean
    uint32_t flip                   # all ones where upwards is down: every bound is below the mean
    bint narrow                     # both bounds within ±2
    double sign                     # −1 where flipped
    double middle
    double mass                     # probability between the bounds
    double upper_tail               # of the last place, beyond it …
    double lower_tail               # … and of the first, below it
    double upper_start              # probability between the mean and place `middle` …
    double lower_start              # … and between the mean and the place before

# Groups [group, group + n_groups) of a fill's global array → values, n_groups·GROUP ≤ FILL_CHUNK numbers.
ctypedef void (*FillKernel)(const Fill* fill, uint64_t group, Py_ssize_t n_groups, void* values) noexcept nogil

# n times LINES bytes past the cache, by stores as wide as the level has; `target` is aligned to 64 bytes.
ctypedef void (*StreamKernel)(char* target, const char* source, Py_ssize_t n) noexcept nogil

cdef struct RandomKernels:
    Py_ssize_t table_bytes          # sizeof(RandomKernels) and sizeof(Fill) where the level was compiled
    Py_ssize_t fill_bytes
    FillKernel chunk
    StreamKernel stream
