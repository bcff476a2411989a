"""What a result may differ from the exact one, and how that is said."""

import ml_dtypes
import numpy as np
from tolerances import SIXTEEN_BIT

LONG = np.longdouble


class Finding(AssertionError):
    """A promise that a call broke."""


def base_of(dtype):
    """The dtype of the arithmetic."""
    return np.dtype(np.float32 if np.dtype(dtype).itemsize < 4 or dtype == np.float32 else np.float64)


def check(what, got, exact, size, bound, loose=False, floor=0):
    """`got` is within `bound` ulp of `size` of the exact result, or what that rounds to: the infinities, 0 below the smallest
    normal number, a neighbour in 16 bits. Where the exact result is nan, so is `got`, and nowhere else. Elements that are `loose`
    (or all, after a reduction of one that is) overflowed on the way, as is said in docs/trust/faults.md, and may be anything.
    `floor`: how many smallest normal numbers were lost on the way, since products of less are 0."""
    got = np.asarray(got)
    if got.shape != np.shape(exact):
        raise Finding(f"{what} has shape {got.shape}; expected {np.shape(exact)}")
    if got.size == 0:
        return
    base = base_of(got.dtype)
    info, own = np.finfo(base), ml_dtypes.finfo(got.dtype)
    relative, absolute = SIXTEEN_BIT.get(got.dtype.name, (0.0, 0.0))
    wide = got.astype(np.float64).astype(LONG)
    exact, size = np.asarray(exact, LONG), np.maximum(np.asarray(size, LONG), np.abs(np.asarray(exact, LONG)))
    with np.errstate(all="ignore"):
        limit = bound * LONG(info.eps) * size + LONG(info.tiny) * (1.001 + floor)
        limit = limit + relative * (np.abs(exact) + limit) + absolute
        near = np.abs(wide - exact) <= limit
        # What rounds to infinity, and what may.
        largest = LONG(float(own.max))
        near |= np.isinf(wide) & (np.sign(wide) * (exact + np.sign(wide) * np.minimum(limit, largest)) >= largest)
        near |= np.isinf(wide) & (wide == exact)
        near |= np.isnan(wide) & np.isnan(exact)
    near |= loose if np.shape(loose) == got.shape else np.any(loose)
    if not near.all():
        place = np.unravel_index(np.argmin(near), got.shape)
        at = [np.broadcast_to(values, got.shape)[place] for values in (got, exact, size, bound)]
        raise Finding(f"{what}{list(map(int, place))} is {at[0]!r}; expected {at[1]!r} within {float(at[3])} ulp of {at[2]!r}")


def expect_dtype(what, got, dtype):
    if np.asarray(got).dtype != dtype:
        raise Finding(f"{what} has dtype {np.asarray(got).dtype}; expected {dtype}")


def check_bits(what, got, want):
    if (got.dtype, got.shape) != (want.dtype, want.shape):
        raise Finding(f"{what}: {got.dtype} {got.shape}, but {want.dtype} {want.shape}")
    if got.tobytes() != want.tobytes():
        unlike = np.flatnonzero([a.tobytes() != b.tobytes() for a, b in zip(got.ravel(), want.ravel(), strict=True)])[0]
        raise Finding(f"{what}: element {unlike} is {got.ravel()[unlike]!r}, but {want.ravel()[unlike]!r}")
