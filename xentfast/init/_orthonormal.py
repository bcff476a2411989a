"""The Q of a QR decomposition, mostly by matrix products, which use all threads where LAPACK's does not."""

import numpy as np

# Columns that are made orthonormal together: the rest is matrix products.
PANEL = 128
# Up to so many columns LAPACK is as fast (both: asv, InitOrthogonal.time_square).
SMALL = 384


def orthonormal_columns(a):
    """Q of a = Q·R, R with a positive diagonal; a (m, n), m ≥ n, float64, of full rank or nearly.

    Block Gram–Schmidt. Each panel is freed from the columns before it and made orthonormal by the Cholesky factor of its
    Gram matrix, and that twice, which brings both kinds of orthogonality to rounding ("twice is enough": Giraud, Langou &
    Rozložník 2005). `a` is overwritten.
    """
    if a.shape[1] <= SMALL:
        return _householder(a)
    for start in range(0, a.shape[1], PANEL):
        done, panel = a[:, :start], a[:, start:start + PANEL]
        for _ in range(2):
            if start:
                panel -= done @ (done.T @ panel)
            panel[...] = _cholesky_step(panel)
    return a


def _cholesky_step(panel):
    try:
        factor = np.linalg.cholesky(panel.T @ panel)
    except np.linalg.LinAlgError:           # nearly dependent columns: their Gram matrix is not positive to rounding
        return _householder(panel)
    return panel @ np.linalg.inv(factor).T


def _householder(panel):
    """LAPACK's QR, with the signs of Q's columns such that R's diagonal is positive; the sign of 0 is +."""
    q, r = np.linalg.qr(panel)
    q *= np.where(np.diagonal(r) < 0, -1.0, 1.0)
    return q
