"""uniform, normal and truncated_normal: the distributions themselves, with the parameters given."""

from __future__ import annotations

import math

import numpy as np

from xentfast._base.arrays import LARGEST, name_of
from xentfast._base.numbers import real_number
from xentfast.init._checks import scale_number
from xentfast.init._plain import PlainNormal, PlainUniform
from xentfast.init._plan import initialiser, initialiser_with, random_plan
from xentfast.random import _fills
from xentfast.random._places import destination


@initialiser_with(PlainUniform())
def uniform(shape, *, low=0.0, high=1.0, rng=None, name=None, dtype=np.float32, out=None, index=None, n_threads=None):
    r"""Uniform values between two bounds, the upper one excluded.

    Parameters
    ----------
    shape : int or sequence of ints
        Of the global array.
    low, high : float, default 0.0 and 1.0
        The bounds, low ≤ high. No value is below `low`; none is `high` or above it, also after rounding to float32 or
        float64 (where no float lies between the bounds, every value is the one next to `low`). A 16-bit value is rounded
        once more, which may take it to a bound, or past one that 16 bits do not hold. Where the bounds are equal, every
        value is `low`, rounded.
    rng : None, int, sequence of ints, Key, SeedSequence, Generator or BitGenerator, optional
        Where the key comes from (SPEC 7). An int or a SeedSequence gives the same key each time; a Generator is drawn
        from, and gives another one each time; None takes entropy from the operating system.
    name : str, optional
        The parameter's name, which gives it a stream of random words of its own. **Two arrays with the same int seed and
        no name share their words: one is the beginning of the other**.
    dtype : dtype, default float32
        float16, bfloat16 (that of ml_dtypes), float32 or float64.
    out : ndarray, optional
        Where to put the values: of the shape and dtype of the result, of any strides.
    index : int, slice, Ellipsis, or a tuple of them, optional
        The part of the global array that is wanted, as in ``whole[index]``; slices of step 1. Other parts are not made.
    n_threads : int, optional
        Threads to use at most, by default as many as OpenMP would start, not more than the CPUs that this process may use. The
        values have the same bits for any number.

    Returns
    -------
    ndarray
        `out`, or a new array: of shape `shape`, or of ``whole[index]``.

    Raises
    ------
    ValueError, TypeError, IndexError
        For an argument that is not as described. Nothing has been written then.

    See Also
    --------
    normal : Normal values.
    xavier_uniform : Bounds by the fans, and so `he_uniform` and `lecun_uniform`.
    fill : All parameters of a model.
    xentfast.random.Philox4x32 : The engine, as a NumPy bit generator.

    Notes
    -----
    low + u·(high − low), u of 24 random bits (float64: 53), as NumPy's Generator makes it of the same words. A value
    depends on (seed, name, position in the global array) and on nothing else: not on threads, CPU, memory order, or
    `index`. 16-bit values are the float32 ones, rounded once.

    PyTorch: ``torch.nn.init.uniform_(w, low, high)``. Keras: ``RandomUniform(low, high)``.
    JAX: ``jax.random.uniform(key, shape, minval=low, maxval=high)``.

    Examples
    --------
    >>> import xentfast as xf
    >>> xf.init.uniform((2, 3), low=-1, high=1, rng=7, name="embedding")
    array([[ 0.3691715 , -0.92015684, -0.05416346],
           [-0.40297198, -0.5969944 ,  0.33550167]], dtype=float32)

    Its second row, on a machine that wants no other:

    >>> xf.init.uniform((2, 3), low=-1, high=1, rng=7, name="embedding", index=1)
    array([-0.40297198, -0.5969944 ,  0.33550167], dtype=float32)
    """
    to = destination(shape, dtype, out, index)
    low, high = scale_number(low, "low", to.out.dtype), scale_number(high, "high", to.out.dtype)
    if low > high:
        raise ValueError(f"low is {low} and high is {high}; expected low ≤ high")
    if high - low > LARGEST[name_of(to.arithmetic)]:
        raise ValueError(f"low is {low} and high is {high}; their difference is beyond the range of {to.arithmetic}")
    return random_plan(to, _fills.uniform_variates(low, high, to.arithmetic), rng, name, n_threads)


@initialiser_with(PlainNormal())
def normal(shape, *, mean=0.0, std=1.0, rng=None, name=None, dtype=np.float32, out=None, index=None, n_threads=None):
    r"""Normal values.

    Parameters
    ----------
    shape : int or sequence of ints
        Of the global array.
    mean : float, default 0.0
        Mean.
    std : float, default 1.0
        Standard deviation, not negative.
    rng : None, int, sequence of ints, Key, SeedSequence, Generator or BitGenerator, optional
        Where the key comes from. An int or a SeedSequence gives the same values each time.
    name : str, optional
        The parameter's name. Without one, arrays of the same int seed share their random words.
    dtype : dtype, default float32
        float16, bfloat16 (that of ml_dtypes), float32 or float64.
    out : ndarray, optional
        Where to put the values: of the shape and dtype of the result, of any strides.
    index : int, slice, Ellipsis, or a tuple of them, optional
        The part of the global array that is wanted, as in ``whole[index]``.
    n_threads : int, optional
        Threads to use at most; the values have the same bits for any number.

    Returns
    -------
    ndarray
        `out`, or a new array: of shape `shape`, or of ``whole[index]``.

    Raises
    ------
    ValueError, TypeError, IndexError
        For an argument that is not as described. Nothing has been written then.

    See Also
    --------
    truncated_normal : Cut at two bounds.
    he_normal : Standard deviation by the fans, and so `xavier_normal` and `lecun_normal`.
    fill : All parameters of a model.

    Notes
    -----
    mean + std·√(−2 log u)·cos θ for elements of even place, and with the sine for odd ones, u and θ/2π of 32 random bits
    (float64: 53) and a half, so that values reach 6.7 (float64: 8.6) standard deviations.

    PyTorch: ``torch.nn.init.normal_(w, mean, std)``. Keras: ``RandomNormal(mean, std)``.
    JAX: ``mean + std*jax.random.normal(key, shape)``.

    References
    ----------
    Box & Muller, "A note on the generation of random normal deviates", 1958.

    Examples
    --------
    >>> import xentfast as xf
    >>> xf.init.normal((2, 3), std=0.02, rng=7, name="embedding")
    array([[ 0.01686641,  0.00432171, -0.00734578],
           [ 0.0233475 , -0.01768784, -0.03112397]], dtype=float32)

    Another name gives other values:

    >>> xf.init.normal((3,), std=0.02, rng=7, name="head")
    array([-0.01800605, -0.03438374,  0.01180293], dtype=float32)
    """
    to = destination(shape, dtype, out, index)
    mean = scale_number(mean, "mean", to.out.dtype)
    std = scale_number(std, "std", to.out.dtype, positive=True)
    return random_plan(to, _fills.normal_variates(mean, std), rng, name, n_threads)


@initialiser
def truncated_normal(shape, *, mean=0.0, std=1.0, lower=-2.0, upper=2.0, rng=None, name=None, dtype=np.float32, out=None,
                     index=None, n_threads=None):
    r"""Normal values between two bounds.

    Parameters
    ----------
    shape : int or sequence of ints
        Of the global array.
    mean : float, default 0.0
        Mean of the normal distribution before the cut.
    std : float, default 1.0
        Its standard deviation before the cut, not negative.
    lower, upper : float, default -2.0 and 2.0
        Where it is cut, **in units of std from the mean**, lower < upper; infinite for no cut. Accurate as far out as 12
        (float64: 37); a side that is open needs the other bound within 11 (36).
    rng : None, int, sequence of ints, Key, SeedSequence, Generator or BitGenerator, optional
        Where the key comes from. An int or a SeedSequence gives the same values each time.
    name : str, optional
        The parameter's name. Without one, arrays of the same int seed share their random words.
    dtype : dtype, default float32
        float16, bfloat16 (that of ml_dtypes), float32 or float64.
    out : ndarray, optional
        Where to put the values: of the shape and dtype of the result, of any strides.
    index : int, slice, Ellipsis, or a tuple of them, optional
        The part of the global array that is wanted, as in ``whole[index]``.
    n_threads : int, optional
        Threads to use at most; the values have the same bits for any number.

    Returns
    -------
    ndarray
        `out`, or a new array: of shape `shape`, or of ``whole[index]``.

    Raises
    ------
    ValueError, TypeError, IndexError
        For an argument that is not as described, and for bounds whose tails the dtype cannot hold. Nothing has been
        written then.

    See Also
    --------
    normal : Without the cut.
    variance_scaling : By default cut at two standard deviations, and scaled by the fans.

    Notes
    -----
    mean + std·Φ⁻¹(Φ(lower) + u·(Φ(upper) − Φ(lower))), u of 32 random bits (float64: 53) and a half: no rejection, one
    value for each element of the stream.

    PyTorch: ``torch.nn.init.trunc_normal_(w, mean, std, mean + std*lower, mean + std*upper)``, whose bounds are values.
    Keras: ``TruncatedNormal(mean, std)``. JAX: ``mean + std*jax.random.truncated_normal(key, lower, upper, shape)``.

    References
    ----------
    Wichura, "Algorithm AS 241: the percentage points of the normal distribution", 1988.

    Examples
    --------
    >>> import xentfast as xf
    >>> xf.init.truncated_normal((2, 3), std=0.02, rng=7, name="embedding")
    array([[ 0.00914126, -0.03095266, -0.00129681],
           [-0.01004865, -0.01577805,  0.00825571]], dtype=float32)
    >>> w = xf.init.truncated_normal((1000, 1000), std=0.02, lower=-1, upper=3, rng=7, name="embedding")
    >>> round(float(w.min()), 4), round(float(w.max()), 4)
    (-0.02, 0.06)
    """
    to = destination(shape, dtype, out, index)
    mean = scale_number(mean, "mean", to.out.dtype)
    std = scale_number(std, "std", to.out.dtype, positive=True)
    lower, upper = real_number(lower, "lower"), real_number(upper, "upper")
    if math.isnan(lower) or math.isnan(upper) or not lower < upper:
        raise ValueError(f"lower is {lower} and upper is {upper}; expected lower < upper")
    variates = _fills.truncated_variates(mean, std, lower, upper, to.arithmetic)
    return random_plan(to, variates, rng, name, n_threads)
