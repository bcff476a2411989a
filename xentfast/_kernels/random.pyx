# The kernel of random fills at one level.
from cpython.pycapsule cimport PyCapsule_New

from xentfast._kernels.arrays cimport FLOAT16, FLOAT32, FLOAT64
from xentfast._kernels.random cimport FILL_CHUNK, GROUP, LINES, NORMAL, UNIFORM, Fill, RandomKernels

include "numerics/bits.pxi"
include "numerics/lanes.pxi"
include "random/normal.pxi"
include "random/fills.pxi"


cdef RandomKernels TABLE
TABLE.table_bytes = sizeof(RandomKernels)
TABLE.fill_bytes = sizeof(Fill)
TABLE.chunk = random_chunk
TABLE.stream = stream_lines

table = PyCapsule_New(&TABLE, "xentfast._kernels.random", NULL)
