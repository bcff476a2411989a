"""What the plain cases call."""
cimport numpy as cnp

cpdef object sigmoid(cnp.ndarray logits, targets, pos_weight, sample_weight, where, ignored, double smoothing, double gamma,
                     double divisor, bint valued, losses, gradient, hessian, bint stream, int n_threads, block_sums=*)
cpdef double total_within(cnp.ndarray array, double lowest, double highest, int n_threads, block_sums=*) except? -1.0
