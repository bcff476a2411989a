cpdef bint is_nothing(double weight_sum) noexcept nogil
