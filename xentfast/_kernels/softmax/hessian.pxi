# The diagonal of the Hessian, w·p·(1 − p), from the exponentials of the second sweep. Of a focal loss 1 − p is 1 − p + bend·p,
# and w has the factor that the row's gradient has (focal.pxi).
#
# 1 − p is a difference that loses bits where p is near 1. Above ½ there is one class at most: the target, whose two parts come
# from settle.pxi, or a class at the reference, whose 1 − p is the sum of all the others' p (`top_rest`).


cdef double LIKELY = 0.35


cdef inline bint needs_rest(const Problem* problem, const RowState* state) noexcept nogil:
    """Whether a class that is not the target may have more than half: what lies between has to be summed without it. (That at the
    reference has `probability` times at most √2.)"""
    return problem.hess.data != NULL and problem.classes != NULL and state.probability > LIKELY


cdef inline bint is_at_top(double probability, real exponential, double top, double largest) noexcept nogil:
    """Whether the largest class of a chunk, of this exponential, is the row's, and has more than half."""
    cdef double size = <double>exponential * (FLOAT_UNIT if real is float else DOUBLE_UNIT)
    return largest == top and probability * size > 0.5


cdef inline real top_hess(double probability, real exponential, double curvature, double bend, double rest) noexcept nogil:
    """w·p·(1 − p) of the class at the row's reference."""
    cdef double size = <double>exponential * (FLOAT_UNIT if real is float else DOUBLE_UNIT)
    return rounded(exponential, curvature * (probability * size) * (rest + bend * (probability * size)))


cdef inline void hess_chunk(const Problem* problem, const real* source, Py_ssize_t n, const RowState* state, double largest,
                            double share, Py_ssize_t mark, real* target) noexcept nogil:
    """e^{s·x}/B → curvature·p·(1 − p); no subnormal arises."""
    cdef double p_scale = state.probability * share
    cdef Factor factor = factor_of(<real>0, state.curvature * p_scale)
    cdef real power = <real>factor.first
    cdef real second = <real>factor.second
    cdef real least = <real>factor.least
    cdef real probability = <real>(p_scale * (FLOAT_UNIT if real is float else DOUBLE_UNIT) * (1.0 - state.bend))
    cdef real smallest = <real>(FLT_MIN if real is float else DBL_MIN)
    cdef real top = exponential_of_largest(problem, largest, <real>0)
    cdef real top_value, q, e
    cdef Py_ssize_t i
    for i in range(n):
        e = source[i]
        q = e * power * second if e >= least else 0
        q = q * (1 - e * probability)
        target[i] = 0 if -smallest < q < smallest else q
    if is_at_top(state.probability, top, state.top, largest):
        top_value = top_hess(state.probability, top, state.curvature, state.bend, state.top_rest)
        for i in range(n):
            if source[i] == top:
                target[i] = top_value
    if mark >= 0:
        target[mark] = rounded(<real>0, state.target_hess)
