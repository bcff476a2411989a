# Row values to one number: blocks of rows in one tree, the blocks in order, with the rounding errors summed beside
# (Neumaier 1974). The result depends on the values and their order alone.

cdef enum:
    BLOCK = 32              # rows that are added in one tree


cdef struct Total:
    double sum
    double error


cdef void add_values(Total* total, double* values, Py_ssize_t n) noexcept nogil:
    """values[0 : n] is overwritten."""
    cdef Py_ssize_t start = 0, count, width, i
    cdef double value, larger, smaller, sum
    cdef double* block
    while start < n:
        block = values + start
        count = min(<Py_ssize_t>BLOCK, n - start)
        width = BLOCK // 2
        while width > 0:
            for i in range(min(width, count - width)):
                block[i] += block[i + width]
            count = min(count, width)
            width //= 2
        value = block[0]
        sum = total.sum + value
        larger, smaller = total.sum, value
        if abs(value) > abs(larger):
            larger, smaller = smaller, larger
        total.error += (larger - sum) + smaller
        total.sum = sum
        start += BLOCK


cdef double total_of(const Total* total) noexcept nogil:
    """An infinite sum has nan for an error."""
    return total.sum + total.error if total.sum - total.sum == 0.0 else total.sum


cdef inline double flushed(double value, double smallest) noexcept nogil:
    return 0.0 if -smallest < value < smallest else value


cdef void store_values(const double* values, Py_ssize_t n, void* target, bint as_double) noexcept nogil:
    """Row values in their own type; exactly 0 below its smallest normal number."""
    cdef Py_ssize_t i
    if as_double:
        for i in range(n):
            (<double*>target)[i] = flushed(values[i], 2.2250738585072014e-308)
    else:
        for i in range(n):
            (<float*>target)[i] = <float>flushed(values[i], 1.1754943508222875e-38)
