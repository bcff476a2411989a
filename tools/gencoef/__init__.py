"""Coefficients of the kernels' polynomials, with their bounds: made here, and compared with those that stand in the kernels.

    polynomials.py   the table: what each polynomial approximates, where, and how well
    minimax.py       the best real coefficients (Remez)
    rounding.py      the same in the dtype of the kernel
    sources.py       the coefficients that the kernels have
    digits.py        the arithmetic
"""
