"""What the plain cases call."""
cimport numpy as cnp

cpdef bint compare(int measure, cnp.ndarray p, q, int axis, double least, double largest, cnp.ndarray row_values,
                   int n_threads) except -1
cpdef bint slopes(cnp.ndarray p, cnp.ndarray q, double least, double largest, cnp.ndarray out, bint fresh,
                  int n_threads) except -1
