"""The Q of a QR decomposition, mostly by matrix products, which use all threads where LAPACK's does not."""

import numpy as np

# Columns that are made orthonormal together by their Gram matrix: the rest is matrix products.
PANEL = 32
# Up to so many columns LAPACK is as fast (both: asv, InitOrthogonal.time_square).
SMALL = 96
# Of a column's length, what is left of it when the columns before it are taken off. Where it is less, a result that is rounded to
# float32 needs the second pass as well: the first one's error is some 10⁻¹⁶ over this, and its square at the very most.
LEAST_REST = 1e-3


def orthonormal_columns(a, to_double):
    """Q of a = Q·R, R with a positive diagonal; a (m, n), m ≥ n, float64, of full rank or nearly. `to_double`: it is to be
    orthogonal to the last digits; else to those of float32.

    Block Gram–Schmidt, by halves: the left one is made orthonormal, the right one freed from it, then made orthonormal itself. At
    the end of the halving stands the Cholesky factor of a Gram matrix. Of a well-conditioned matrix that leaves an error of
    10⁻¹³; the same again on the result brings it to rounding ("twice is enough": Giraud, Langou & Rozložník 2005). `a` is
    overwritten.
    """
    if a.shape[1] <= SMALL:
        return _householder(a)
    lengths = np.sqrt(np.einsum("ij,ij->j", a, a))
    least = _pass(a, lengths)
    if to_double or least < LEAST_REST:
        least = _pass(a, np.ones_like(lengths))
    if least < LEAST_REST:                  # columns that were dependent have a direction of their own now
        _pass(a, np.ones_like(lengths))
    return a


def _pass(a, lengths):
    """Makes the columns orthonormal, nearly. The least rest of one, as a share of its length."""
    n = a.shape[1]
    if n <= PANEL:
        return _cholesky_step(a, lengths)
    half = (n // 2 + PANEL - 1) // PANEL * PANEL
    left, right = a[:, :half], a[:, half:]
    least = _pass(left, lengths[:half])
    right -= left @ (left.T @ right)
    return min(least, _pass(right, lengths[half:]))


def _cholesky_step(panel, lengths):
    try:
        factor = np.linalg.cholesky(panel.T @ panel)
    except np.linalg.LinAlgError:           # nearly dependent columns: their Gram matrix is not positive to rounding
        panel[...] = _householder(panel)
        return 0.0
    panel[...] = panel @ np.linalg.inv(factor).T
    return (np.diagonal(factor) / lengths).min()


def _householder(panel):
    """LAPACK's QR, with the signs of Q's columns such that R's diagonal is positive; the sign of 0 is +."""
    q, r = np.linalg.qr(panel)
    q *= np.where(np.diagonal(r) < 0, -1.0, 1.0)
    return q
