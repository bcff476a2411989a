"""Weights scaled by their fans: Xavier (Glorot), He (Kaiming), LeCun, and variance scaling, which they are cases of."""

from __future__ import annotations

import math

import numpy as np

from xentfast._base.numbers import one_of, real_number
from xentfast.init._checks import scale_number
from xentfast.init._fans import fans, few_axes
from xentfast.init._fans import gain as gain_of  # `gain` is an argument here
from xentfast.init._plain import PlainScaled
from xentfast.init._plan import initialiser, initialiser_with, random_plan
from xentfast.random import _fills
from xentfast.random._places import destination, shape_of

MODES = ("fan_in", "fan_out", "fan_avg")
DISTRIBUTIONS = ("uniform", "normal", "truncated_normal")
# √Var of a standard normal cut at ±2: √(1 − 4φ(2)/(2Φ(2) − 1)).
CUT_STD = 0.87962566103423976


@initialiser
def variance_scaling(shape, *, scale=1.0, mode="fan_in", distribution="truncated_normal", in_axis=-2, out_axis=-1, fan_in=None,
                     fan_out=None, rng=None, name=None, dtype=np.float32, out=None, index=None, n_threads=None):
    r"""Random values of variance scale/fan.

    Parameters
    ----------
    shape : int or sequence of ints
        Of the global array.
    scale : float, default 1.0
        The variance times the fan, not negative.
    mode : {"fan_in", "fan_out", "fan_avg"}, default "fan_in"
        The fan: that of inputs, of outputs, or the mean of both.
    distribution : {"truncated_normal", "normal", "uniform"}, default "truncated_normal"
        Normal values cut at two standard deviations, which are those of the normal distribution before the cut, so much
        larger that the variance after it is scale/fan; uncut normal values; or uniform ones.
    in_axis, out_axis : int or tuple of ints, default -2 and -1
        Which axes count inputs and outputs; ``in_axis=1, out_axis=0`` for PyTorch's ``[out, in, *kernel]``.
    fan_in, fan_out : float, optional
        Used in place of what shape and axes say.
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
    xavier_uniform, xavier_normal : Scale 1 over the mean of both fans.
    he_uniform, he_normal : Scale 2 over the fan of the inputs.
    lecun_uniform, lecun_normal : Scale 1 over the fan of the inputs.
    fans : What the fans are.

    Notes
    -----
    :math:`\sigma = \sqrt{scale/fan}`; uniform on :math:`\pm\sqrt3\sigma`; truncated normal of σ/0.87962566 before the cut.

    Keras: ``VarianceScaling(scale, mode, distribution)``, where 'normal' is called 'untruncated_normal'.
    JAX: ``jax.nn.initializers.variance_scaling(scale, mode, distribution)``. Keras' and JAX's glorot_normal, he_normal and
    lecun_normal are truncated: here ``variance_scaling`` with scale 1 and 'fan_avg', 2 and 'fan_in', 1 and 'fan_in'.

    Examples
    --------
    >>> import xentfast as xf
    >>> xf.init.variance_scaling((2, 3), scale=2, rng=7, name="layer1/weight")
    array([[-1.0279948 ,  0.641438  , -0.7015573 ],
           [-0.19559601,  1.8458709 ,  2.1037226 ]], dtype=float32)

    What Keras and JAX call glorot_normal, of standard deviation √(2/(300 + 200)):

    >>> w = xf.init.variance_scaling((300, 200), mode="fan_avg", rng=7, name="layer1/weight")
    >>> round(float(w.std()), 2), round((2 / 500)**0.5, 2)
    (0.06, 0.06)
    """
    scale = real_number(scale, "scale")
    if not 0.0 <= scale < math.inf:
        raise ValueError(f"scale is {scale}; expected a finite number of at least 0")
    one_of(distribution, DISTRIBUTIONS, "distribution")
    fan = _fan(shape, mode, in_axis, out_axis, fan_in, fan_out)
    return _scaled(1.0, scale, fan, distribution, shape, dtype, out, index, rng, name, n_threads)


@initialiser_with(PlainScaled(uniform=True, average=True))
def xavier_uniform(shape, *, gain=1.0, in_axis=-2, out_axis=-1, fan_in=None, fan_out=None, rng=None, name=None,
                   dtype=np.float32, out=None, index=None, n_threads=None):
    r"""Xavier (Glorot) initialisation, uniform: keeps the variance of activations and gradients through tanh-like layers.

    Parameters
    ----------
    shape : int or sequence of ints
        Of the global array.
    gain : float, default 1.0
        Multiplies the values; see `gain`.
    in_axis, out_axis : int or tuple of ints, default -2 and -1
        Which axes count inputs and outputs, the others being the receptive field (see `fans`). The default is that of
        ``x @ w``, Keras and JAX; PyTorch's ``[out, in, *kernel]`` is ``in_axis=1, out_axis=0``.
    fan_in, fan_out : float, optional
        Used in place of what shape and axes say: for groups, packed matrices, and shapes of one axis.
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
    xavier_normal : Normal values of the same variance.
    he_uniform : For ReLU.
    variance_scaling : What it is a case of.
    gain : What to pass as `gain`.
    fans : What the fans are.

    Notes
    -----
    Uniform on :math:`\pm gain \sqrt{6/(fan\_in + fan\_out)}`.

    PyTorch, whose axes are ``in_axis=1, out_axis=0``: ``torch.nn.init.xavier_uniform_(w, gain)``.
    Keras: ``GlorotUniform()``.
    JAX: ``jax.nn.initializers.glorot_uniform()``.

    References
    ----------
    Glorot & Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010, eq. 16.

    Examples
    --------
    >>> import xentfast as xf
    >>> xf.init.xavier_uniform((2, 3), rng=7, name="layer1/weight")
    array([[-0.7277769 ,  0.4905107 , -0.5311807 ],
           [-0.15677416,  1.0277963 ,  1.0739343 ]], dtype=float32)

    A kernel of PyTorch's layout, 16 channels to 32, with 3·3·16 inputs and 3·3·32 outputs:

    >>> kernel = xf.init.xavier_uniform((32, 16, 3, 3), in_axis=1, out_axis=0, rng=7, name="conv1.weight")
    >>> round(float(abs(kernel).max()), 3), round((6 / (144 + 288))**0.5, 3)
    (0.118, 0.118)
    """
    fan = _fan(shape, "fan_avg", in_axis, out_axis, fan_in, fan_out)
    return _scaled(_gain(gain), 1.0, fan, "uniform", shape, dtype, out, index, rng, name, n_threads)


@initialiser_with(PlainScaled(uniform=False, average=True))
def xavier_normal(shape, *, gain=1.0, in_axis=-2, out_axis=-1, fan_in=None, fan_out=None, rng=None, name=None,
                  dtype=np.float32, out=None, index=None, n_threads=None):
    r"""Xavier (Glorot) initialisation, normal.

    Parameters
    ----------
    shape : int or sequence of ints
        Of the global array.
    gain : float, default 1.0
        Multiplies the values; see `gain`.
    in_axis, out_axis : int or tuple of ints, default -2 and -1
        Which axes count inputs and outputs; ``in_axis=1, out_axis=0`` for PyTorch's ``[out, in, *kernel]``.
    fan_in, fan_out : float, optional
        Used in place of what shape and axes say.
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
    xavier_uniform : Uniform values of the same variance.
    he_normal : For ReLU.
    variance_scaling : What it is a case of, cut at two standard deviations as well.
    gain : What to pass as `gain`.

    Notes
    -----
    Normal, not truncated, with standard deviation :math:`gain \sqrt{2/(fan\_in + fan\_out)}`.

    PyTorch, whose axes are ``in_axis=1, out_axis=0``: ``torch.nn.init.xavier_normal_(w, gain)``.
    JAX: ``variance_scaling(1, "fan_avg", "normal")``.
    Keras: ``VarianceScaling(1, "fan_avg", "untruncated_normal")``; its GlorotNormal is truncated.

    Examples
    --------
    >>> import xentfast as xf
    >>> xf.init.xavier_normal((2, 3), rng=7, name="layer1/weight")
    array([[-0.19518404, -1.1789014 , -0.93821377],
           [ 0.45275488,  0.15810093, -0.00976557]], dtype=float32)
    """
    fan = _fan(shape, "fan_avg", in_axis, out_axis, fan_in, fan_out)
    return _scaled(_gain(gain), 1.0, fan, "normal", shape, dtype, out, index, rng, name, n_threads)


@initialiser_with(PlainScaled(gain=gain_of("relu"), uniform=True))
def he_uniform(shape, *, gain=1.0, nonlinearity="relu", param=None, mode="fan_in", in_axis=-2, out_axis=-1, fan_in=None,
               fan_out=None, rng=None, name=None, dtype=np.float32, out=None, index=None, n_threads=None):
    r"""He (Kaiming) initialisation, uniform: keeps the mean square of activations through ReLU layers.

    Parameters
    ----------
    shape : int or sequence of ints
        Of the global array.
    gain : float, default 1.0
        Multiplies the values, besides the nonlinearity's own gain.
    nonlinearity : str, default "relu"
        What follows the layer; see `gain`. PyTorch's own default is leaky_relu.
    param : float, optional
        The slope of leaky_relu for negative inputs, 0.01 unless given.
    mode : {"fan_in", "fan_out", "fan_avg"}, default "fan_in"
        fan_in keeps the activations on the way forward, fan_out the gradients on the way back.
    in_axis, out_axis : int or tuple of ints, default -2 and -1
        Which axes count inputs and outputs; ``in_axis=1, out_axis=0`` for PyTorch's ``[out, in, *kernel]``.
    fan_in, fan_out : float, optional
        Used in place of what shape and axes say.
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
    he_normal : Normal values of the same variance.
    xavier_uniform : For tanh and its like.
    variance_scaling : What it is a case of.
    gain : That of the nonlinearity.

    Notes
    -----
    Uniform on :math:`\pm gain\,g \sqrt{3/fan}`, g the gain of the nonlinearity: √2 for relu.

    PyTorch, whose axes are ``in_axis=1, out_axis=0``: ``torch.nn.init.kaiming_uniform_(w, mode=mode, nonlinearity="relu")``.
    Keras: ``HeUniform()``.
    JAX: ``jax.nn.initializers.he_uniform()``.

    References
    ----------
    He, Zhang, Ren & Sun, "Delving deep into rectifiers", 2015, eq. 10 and 14.

    Examples
    --------
    >>> import xentfast as xf
    >>> xf.init.he_uniform((2, 3), rng=7, name="layer1/weight")
    array([[-1.1507163 ,  0.7755655 , -0.8398704 ],
           [-0.24788165,  1.6250886 ,  1.6980394 ]], dtype=float32)
    """
    fan = _fan(shape, mode, in_axis, out_axis, fan_in, fan_out)
    gain = _gain(gain) * gain_of(nonlinearity, param)
    return _scaled(gain, 1.0, fan, "uniform", shape, dtype, out, index, rng, name, n_threads)


@initialiser_with(PlainScaled(gain=gain_of("relu"), uniform=False))
def he_normal(shape, *, gain=1.0, nonlinearity="relu", param=None, mode="fan_in", in_axis=-2, out_axis=-1, fan_in=None,
              fan_out=None, rng=None, name=None, dtype=np.float32, out=None, index=None, n_threads=None):
    r"""He (Kaiming) initialisation, normal.

    Parameters
    ----------
    shape : int or sequence of ints
        Of the global array.
    gain : float, default 1.0
        Multiplies the values, besides the nonlinearity's own gain.
    nonlinearity : str, default "relu"
        What follows the layer; see `gain`. PyTorch's own default is leaky_relu.
    param : float, optional
        The slope of leaky_relu for negative inputs, 0.01 unless given.
    mode : {"fan_in", "fan_out", "fan_avg"}, default "fan_in"
        fan_in keeps the activations on the way forward, fan_out the gradients on the way back.
    in_axis, out_axis : int or tuple of ints, default -2 and -1
        Which axes count inputs and outputs; ``in_axis=1, out_axis=0`` for PyTorch's ``[out, in, *kernel]``.
    fan_in, fan_out : float, optional
        Used in place of what shape and axes say.
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
    he_uniform : Uniform values of the same variance.
    xavier_normal : For tanh and its like.
    variance_scaling : What it is a case of, cut at two standard deviations as well.
    gain : That of the nonlinearity.

    Notes
    -----
    Normal, not truncated, with standard deviation :math:`gain\,g/\sqrt{fan}`, g the gain of the nonlinearity: √2 for relu.

    PyTorch, whose axes are ``in_axis=1, out_axis=0``: ``torch.nn.init.kaiming_normal_(w, mode=mode, nonlinearity="relu")``.
    JAX: ``variance_scaling(2, "fan_in", "normal")``. Keras: ``VarianceScaling(2, "fan_in", "untruncated_normal")``; its
    HeNormal is truncated.

    Examples
    --------
    >>> import xentfast as xf
    >>> xf.init.he_normal((2, 3), rng=7, name="layer1/weight")
    array([[-0.30861306, -1.8640069 , -1.4834462 ],
           [ 0.71586835,  0.24997953, -0.01544072]], dtype=float32)

    Activations keep their mean square through a layer with ReLU:

    >>> import numpy as np
    >>> x = xf.init.normal((1000, 512), rng=7, name="x")
    >>> w = xf.init.he_normal((512, 512), rng=7, name="w")
    >>> round(float(np.mean(np.maximum(x @ w, 0)**2)), 1)
    1.0
    """
    fan = _fan(shape, mode, in_axis, out_axis, fan_in, fan_out)
    gain = _gain(gain) * gain_of(nonlinearity, param)
    return _scaled(gain, 1.0, fan, "normal", shape, dtype, out, index, rng, name, n_threads)


@initialiser_with(PlainScaled(uniform=True))
def lecun_uniform(shape, *, gain=1.0, in_axis=-2, out_axis=-1, fan_in=None, fan_out=None, rng=None, name=None,
                  dtype=np.float32, out=None, index=None, n_threads=None):
    r"""LeCun initialisation, uniform: keeps the variance of activations through linear layers, and through SELU.

    Parameters
    ----------
    shape : int or sequence of ints
        Of the global array.
    gain : float, default 1.0
        Multiplies the values; see `gain`.
    in_axis, out_axis : int or tuple of ints, default -2 and -1
        Which axes count inputs and outputs; ``in_axis=1, out_axis=0`` for PyTorch's ``[out, in, *kernel]``.
    fan_in, fan_out : float, optional
        Used in place of what shape and axes say.
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
    lecun_normal : Normal values of the same variance.
    he_uniform : Twice the variance, for ReLU.
    variance_scaling : What it is a case of.

    Notes
    -----
    Uniform on :math:`\pm gain \sqrt{3/fan\_in}`.

    PyTorch, whose axes are ``in_axis=1, out_axis=0``: ``torch.nn.init.kaiming_uniform_(w, nonlinearity="linear")``.
    Keras: ``LecunUniform()``.
    JAX: ``jax.nn.initializers.lecun_uniform()``.

    References
    ----------
    LeCun, Bottou, Orr & Müller, "Efficient backprop", 1998, eq. 16.

    Examples
    --------
    >>> import xentfast as xf
    >>> xf.init.lecun_uniform((2, 3), rng=7, name="layer1/weight")
    array([[-0.81367934,  0.5484077 , -0.5938781 ],
           [-0.17527878,  1.1491112 ,  1.2006952 ]], dtype=float32)
    """
    fan = _fan(shape, "fan_in", in_axis, out_axis, fan_in, fan_out)
    return _scaled(_gain(gain), 1.0, fan, "uniform", shape, dtype, out, index, rng, name, n_threads)


@initialiser_with(PlainScaled(uniform=False))
def lecun_normal(shape, *, gain=1.0, in_axis=-2, out_axis=-1, fan_in=None, fan_out=None, rng=None, name=None,
                 dtype=np.float32, out=None, index=None, n_threads=None):
    r"""LeCun initialisation, normal.

    Parameters
    ----------
    shape : int or sequence of ints
        Of the global array.
    gain : float, default 1.0
        Multiplies the values; see `gain`.
    in_axis, out_axis : int or tuple of ints, default -2 and -1
        Which axes count inputs and outputs; ``in_axis=1, out_axis=0`` for PyTorch's ``[out, in, *kernel]``.
    fan_in, fan_out : float, optional
        Used in place of what shape and axes say.
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
    lecun_uniform : Uniform values of the same variance.
    he_normal : Twice the variance, for ReLU.
    variance_scaling : What it is a case of, cut at two standard deviations as well.

    Notes
    -----
    Normal, not truncated, with standard deviation :math:`gain/\sqrt{fan\_in}`.

    PyTorch, whose axes are ``in_axis=1, out_axis=0``: ``torch.nn.init.kaiming_normal_(w, nonlinearity="linear")``.
    JAX: ``variance_scaling(1, "fan_in", "normal")``.
    Keras: ``VarianceScaling(1, "fan_in", "untruncated_normal")``; its LecunNormal is truncated.

    Examples
    --------
    >>> import xentfast as xf
    >>> xf.init.lecun_normal((2, 3), rng=7, name="layer1/weight")
    array([[-0.21822238, -1.3180519 , -1.0489548 ],
           [ 0.50619537,  0.17676221, -0.01091824]], dtype=float32)
    """
    fan = _fan(shape, "fan_in", in_axis, out_axis, fan_in, fan_out)
    return _scaled(_gain(gain), 1.0, fan, "normal", shape, dtype, out, index, rng, name, n_threads)


glorot_uniform, glorot_normal = xavier_uniform, xavier_normal
kaiming_uniform, kaiming_normal = he_uniform, he_normal


def _gain(value):
    gain = real_number(value, "gain")
    if not 0.0 <= gain < math.inf:
        raise ValueError(f"gain is {gain}; expected a finite number of at least 0")
    return gain


def _fan(shape, mode, in_axis, out_axis, fan_in, fan_out):
    """The fan of `mode`; infinite for an array that has no elements to scale."""
    one_of(mode, MODES, "mode")
    fan_in, fan_out = _given_fan(fan_in, "fan_in"), _given_fan(fan_out, "fan_out")
    needed = (fan_in,) if mode == "fan_in" else (fan_out,) if mode == "fan_out" else (fan_in, fan_out)
    shape = shape_of(shape)
    if len(shape) < 2 and None in needed:
        raise ValueError(f"shape {few_axes(shape)}; pass fan_in= or fan_out= or both, as the initialiser needs")
    if len(shape) >= 2:
        found_in, found_out = fans(shape, in_axis, out_axis)
        fan_in = found_in if fan_in is None else fan_in
        fan_out = found_out if fan_out is None else fan_out
    fan = fan_in if mode == "fan_in" else fan_out if mode == "fan_out" else (fan_in + fan_out) / 2
    return fan or math.inf


def _given_fan(value, name):
    if value is None:
        return None
    fan = real_number(value, name)
    if not 0.0 < fan < math.inf:
        raise ValueError(f"{name} is {fan}; expected None or a number above 0")
    return fan


def _scaled(gain, scale, fan, distribution, shape, dtype, out, index, rng, name, n_threads):
    """Values of mean 0 and standard deviation gain·√(scale/fan)."""
    to = destination(shape, dtype, out, index)
    std = scale_number(gain * math.sqrt(scale / fan), "the standard deviation", to.out.dtype)
    if distribution == "uniform":
        limit = scale_number(gain * math.sqrt(3.0 * scale / fan), "the largest value", to.out.dtype, share=0.5)
        variates = _fills.uniform_variates(-limit, limit, to.arithmetic)
    elif distribution == "normal":
        variates = _fills.normal_variates(0.0, std)
    else:
        std = scale_number(std / CUT_STD, "the standard deviation before the cut", to.out.dtype)
        variates = _fills.truncated_variates(0.0, std, -2.0, 2.0, to.arithmetic)
    return random_plan(to, variates, rng, name, n_threads)
