# Sums in order, with the rounding errors summed beside (Neumaier 1974): a sum whose error hardly depends on how many there are.


cdef struct Total:
    double sum
    double error                # of `sum`: nan beside an infinite one


cdef inline void add_to(Total* total, double value) noexcept nogil:
    cdef double before = total.sum
    total.sum = before + value
    total.error += (before - total.sum) + value if abs(before) >= abs(value) else (value - total.sum) + before
