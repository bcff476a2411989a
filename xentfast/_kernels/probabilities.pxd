"""Entropies of probabilities and log_loss: calls as their kernels get them, and their table at one level."""
from libc.stdint cimport int64_t

from xentfast._kernels.arrays cimport MAX_AXES, DoubleLanes, DoublePairs, FloatLanes, FloatPairs, Operand, RangeKernel, ValueType

# What is added up over the classes of two probabilities p and q.
cdef enum Measure:
    CROSS_ENTROPY = 0       # −p·log q
    ENTROPY = 1             # −p·log p; there is no q
    DIVERGENCE = 2          # p·log(p/q)

# A whole call on probabilities, in rows as a Problem's; or its gradient, whose rows are those of the memory.
cdef struct Comparison:
    Measure measure
    int n_axes
    Py_ssize_t shape[MAX_AXES]
    Py_ssize_t n_classes
    Py_ssize_t rows_at_once         # neighbours on the last axis that go side by side
    Operand p
    Operand q                       # data is NULL where there is none
    Operand out                     # of the gradient
    ValueType p_type
    ValueType q_type
    ValueType out_type
    double least                    # q is clipped to what lies between
    double largest
    const double* chunk_sums        # of every chunk of every row, once they are there
    int* bad                        # becomes 1 where p or q is no probability

# A call of log_loss: rows of probabilities q, and each row's label or indicators.
cdef struct LogLoss:
    Py_ssize_t n_classes            # 1: q is the probability of label 1 of two
    Operand q
    Operand indicators              # 0 or 1 for each label, two for one column of q; data is NULL where `classes` tells
    ValueType q_type
    ValueType indicator_type
    const int64_t* classes
    const double* sample_weight     # or NULL: 1
    double least                    # q is clipped to what lies between
    double largest
    double slack                    # how far from 1 a row may sum
    int* bad                        # becomes 1 where q is no probability …
    int* uneven                     # … and where a row does not sum to 1

cdef struct ProbabilityKernels:
    Py_ssize_t table_bytes          # sizeof(ProbabilityKernels) and of the calls' structs where the level was compiled
    Py_ssize_t comparison_bytes
    Py_ssize_t log_loss_bytes
    RangeKernel rows                # of a Comparison
    RangeKernel chunks              # its chunks, counted through all rows …
    RangeKernel add_chunks          # … and their sums to rows
    RangeKernel slopes              # the gradient's chunks
    RangeKernel log_loss            # rows of a LogLoss
    Py_ssize_t (*rows_at_once)(const Comparison* comparison) noexcept nogil
    Py_ssize_t chunk                # classes of a chunk
    Py_ssize_t scratch_bytes
    FloatLanes log_float
    DoubleLanes log_double
    FloatPairs log_ratio_float
    DoublePairs log_ratio_double
