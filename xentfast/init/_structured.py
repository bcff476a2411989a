"""Initialisers whose values are fixed, or fixed in part: constants, identities, sparse and orthogonal matrices."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from xentfast._base.arrays import name_of, plain_array
from xentfast._base.numbers import integer, real_number, shown
from xentfast.init._checks import in_and_out_axes, scale_number
from xentfast.init._orthonormal import orthonormal_columns
from xentfast.init._plan import Plan, initialiser, random_plan, random_request
from xentfast.random import _fills
from xentfast.random._places import TYPE_CODES, destination

# Random numbers that `sparse` ranks at a time, whole columns of them: 1 MiB with their copy.
RANKED = 2**16
# Of a product of two floats, relative, of which one was rounded before: a few ulp.
ROUNDED = 2.0**-50


@initialiser
def constant(shape, value, *, dtype=np.float32, out=None):
    """One value everywhere, or an array that broadcasts.

    Parameters
    ----------
    shape : int or sequence of ints
        Of the array.
    value : float or array_like
        The value, or values that broadcast to the array's shape.
    dtype : dtype, default float32
        float16, bfloat16 (that of ml_dtypes), float32 or float64.
    out : ndarray, optional
        Where to put the values: of that shape and dtype, of any strides.

    Returns
    -------
    ndarray
        `out`, or a new array.

    Raises
    ------
    ValueError, TypeError
        For an argument that is not as described, and for a value beyond the range of the dtype. Nothing has been written
        then.

    See Also
    --------
    zeros : The value 0.
    ones : The value 1.
    identity : Ones on a diagonal.

    Notes
    -----
    PyTorch: ``torch.nn.init.constant_(w, value)``. Keras: ``Constant(value)``. JAX: ``jax.nn.initializers.constant(value)``.

    Examples
    --------
    >>> import xentfast as xf
    >>> xf.init.constant((2,), 0.5)
    array([0.5, 0.5], dtype=float32)
    >>> xf.init.constant((2, 3), [0.0, 1.0, 0.0])               # such as biases of an LSTM's gates
    array([[0., 1., 0.],
           [0., 1., 0.]], dtype=float32)
    """
    to = destination(shape, dtype, out)
    array = plain_array(value, "value", advice="")
    if array.dtype.kind not in "fiub" and name_of(array.dtype) not in TYPE_CODES:
        raise TypeError(f"value has dtype {array.dtype}; expected real numbers")
    try:
        np.broadcast_to(array, to.out.shape)
    except ValueError:
        raise ValueError(f"value has shape {array.shape}, which does not broadcast to {to.out.shape}") from None
    with np.errstate(over="ignore"):
        cast = array.astype(to.out.dtype)
    if np.any(np.isinf(cast) & ~np.isinf(array)):
        raise ValueError(f"value is {shown(value)}; expected numbers within the range of {to.out.dtype}")

    def finish(n_threads):
        _write(to.out, cast)
    return Plan(to.out, finish=finish)


def _write(out, values):
    """out[...] = values, of one dtype, as integers: ml_dtypes' own copies take four times as long."""
    out.view(f"u{out.itemsize}")[...] = values.view(f"u{out.itemsize}")


@initialiser
def zeros(shape, *, dtype=np.float32, out=None):
    """Zeros.

    Parameters
    ----------
    shape : int or sequence of ints
        Of the array.
    dtype : dtype, default float32
        float16, bfloat16 (that of ml_dtypes), float32 or float64.
    out : ndarray, optional
        Where to put the values: of that shape and dtype, of any strides.

    Returns
    -------
    ndarray
        `out`, or a new array.

    Raises
    ------
    ValueError, TypeError
        For an argument that is not as described. Nothing has been written then.

    See Also
    --------
    ones : The value 1.
    constant : Any value.

    Notes
    -----
    PyTorch: ``torch.nn.init.zeros_(w)``. Keras: ``Zeros()``. JAX: ``jax.nn.initializers.zeros``.

    Examples
    --------
    >>> import numpy as np
    >>> import xentfast as xf
    >>> xf.init.zeros((2,))
    array([0., 0.], dtype=float32)
    >>> bias = np.ones(3)
    >>> xf.init.zeros(bias.shape, dtype=bias.dtype, out=bias) is bias
    True
    """
    return constant.plan_of(shape, 0.0, dtype=dtype, out=out)


@initialiser
def ones(shape, *, dtype=np.float32, out=None):
    """Ones.

    Parameters
    ----------
    shape : int or sequence of ints
        Of the array.
    dtype : dtype, default float32
        float16, bfloat16 (that of ml_dtypes), float32 or float64.
    out : ndarray, optional
        Where to put the values: of that shape and dtype, of any strides.

    Returns
    -------
    ndarray
        `out`, or a new array.

    Raises
    ------
    ValueError, TypeError
        For an argument that is not as described. Nothing has been written then.

    See Also
    --------
    zeros : The value 0.
    constant : Any value.

    Notes
    -----
    PyTorch: ``torch.nn.init.ones_(w)``. Keras: ``Ones()``. JAX: ``jax.nn.initializers.ones``.

    Examples
    --------
    >>> import numpy as np
    >>> import xentfast as xf
    >>> xf.init.ones((2,), dtype=np.float16)
    array([1., 1.], dtype=float16)
    """
    return constant.plan_of(shape, 1.0, dtype=dtype, out=out)


@initialiser
def identity(shape, *, gain=1.0, dtype=np.float32, out=None):
    """The identity matrix, times `gain`.

    Parameters
    ----------
    shape : sequence of two ints
        Of the array; where it is not square, the inputs or outputs beyond the smaller length get zeros.
    gain : float, default 1.0
        What stands on the diagonal.
    dtype : dtype, default float32
        float16, bfloat16 (that of ml_dtypes), float32 or float64.
    out : ndarray, optional
        Where to put the values: of that shape and dtype, of any strides.

    Returns
    -------
    ndarray
        `out`, or a new array.

    Raises
    ------
    ValueError, TypeError
        For an argument that is not as described. Nothing has been written then.

    See Also
    --------
    dirac : The identity of a convolution.
    orthogonal : A random rotation.

    Notes
    -----
    PyTorch: ``torch.nn.init.eye_(w)``. Keras: ``Identity(gain)``. JAX: ``gain*jax.numpy.eye(*shape)``.

    Examples
    --------
    >>> import xentfast as xf
    >>> xf.init.identity((2, 3))
    array([[1., 0., 0.],
           [0., 1., 0.]], dtype=float32)
    """
    to = destination(shape, dtype, out)
    if len(to.shape) != 2:
        raise ValueError(f"shape is {to.shape}; expected two axes (dirac is the identity of convolutions)")
    gain = scale_number(gain, "gain", to.out.dtype)

    def finish(n_threads):
        _write(to.out, np.zeros((), to.out.dtype))
        diagonal = np.arange(min(to.shape))
        to.out[diagonal, diagonal] = gain
    return Plan(to.out, finish=finish)


@initialiser
def dirac(shape, *, groups=1, in_axis=-2, out_axis=-1, dtype=np.float32, out=None):
    """The identity of a convolution: each output channel passes on the input channel of its own number.

    Parameters
    ----------
    shape : sequence of ints
        Of the kernel: an axis of inputs, one of outputs, and those of the receptive field.
    groups : int, default 1
        Groups of the convolution, each of which gets an identity of its own. The out axis must be a multiple of it; the in
        axis counts the inputs of one group.
    in_axis, out_axis : int, default -2 and -1
        Which axis counts inputs, and which outputs; ``in_axis=1, out_axis=0`` for PyTorch's ``[out, in, *kernel]``.
    dtype : dtype, default float32
        float16, bfloat16 (that of ml_dtypes), float32 or float64.
    out : ndarray, optional
        Where to put the values: of that shape and dtype, of any strides.

    Returns
    -------
    ndarray
        `out`, or a new array.

    Raises
    ------
    ValueError, TypeError
        For an argument that is not as described. Nothing has been written then.

    See Also
    --------
    identity : Of matrices.

    Notes
    -----
    A one in the middle of the receptive field (at length // 2), for as many channels as inputs and outputs share.

    PyTorch: ``torch.nn.init.dirac_(w, groups)``, with ``in_axis=1, out_axis=0``. Keras and JAX have none.

    Examples
    --------
    >>> import xentfast as xf
    >>> xf.init.dirac((3, 2, 2))[1]
    array([[1., 0.],
           [0., 1.]], dtype=float32)
    """
    to = destination(shape, dtype, out)
    if len(to.shape) < 2:
        raise ValueError(f"shape is {to.shape}; expected an axis of inputs and one of outputs at least")
    in_axes, out_axes = in_and_out_axes(to.shape, in_axis, out_axis)
    if len(in_axes) != 1 or len(out_axes) != 1:
        raise ValueError(f"in_axis is {in_axis} and out_axis is {out_axis}; expected one axis each")
    n_in, n_out, n_groups = to.shape[in_axes[0]], to.shape[out_axes[0]], integer(groups, "groups")
    if n_groups < 1 or n_out % n_groups:
        raise ValueError(f"groups is {n_groups}; expected a divisor of the {n_out} outputs")

    def finish(n_threads):
        _write(to.out, np.zeros((), to.out.dtype))
        if to.out.size:
            centre = tuple(length // 2 for axis, length in enumerate(to.shape) if axis not in in_axes + out_axes)
            middle = np.moveaxis(to.out, in_axes + out_axes, (-2, -1))[centre]
            for group in range(n_groups):
                channel = np.arange(min(n_in, n_out // n_groups))
                middle[channel, group * (n_out // n_groups) + channel] = 1
    return Plan(to.out, finish=finish)


@initialiser
def sparse(shape, *, sparsity, std=0.01, rng=None, name=None, dtype=np.float32, out=None, index=None, n_threads=None):
    """Normal values, of which a fixed number in each column is zero.

    Parameters
    ----------
    shape : sequence of two ints
        Of the global array.
    sparsity : float
        The fraction of a column that is zero, from 0 to 1; rounded up to whole elements, but for the rounding of floats: 0.07
        of 100 rows are 7, though ``0.07*100`` is 7.000000000000001.
    std : float, default 0.01
        Standard deviation of the others.
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
    normal : Without the zeros.

    Notes
    -----
    With the default layout (inputs, outputs) a column is an output, and each unit is connected to the same number of inputs.
    Every element gets a random number besides its value; the smallest ones of each column are zero. A part of a column
    therefore takes the random numbers of the whole column, two doubles a row.

    PyTorch: ``torch.nn.init.sparse_(w, sparsity, std)``, whose columns are inputs, and of which 8 are zero in that example. Keras
    and JAX have none.

    References
    ----------
    Martens, "Deep learning via Hessian-free optimization", 2010.

    Examples
    --------
    >>> import xentfast as xf
    >>> xf.init.sparse((4, 2), sparsity=0.5, rng=7, name="layer1/weight")
    array([[ 0.        , -0.01864007],
           [ 0.        ,  0.        ],
           [ 0.0024998 ,  0.        ],
           [-0.0052847 ,  0.01365965]], dtype=float32)
    """
    to = destination(shape, dtype, out, index)
    if len(to.shape) != 2:
        raise ValueError(f"shape is {to.shape}; expected two axes")
    if isinstance(sparsity, (np.float16, np.float32)):
        sparsity = float(str(sparsity))             # the number that it stands for
    sparsity = real_number(sparsity, "sparsity")
    if not 0.0 <= sparsity <= 1.0:
        raise ValueError(f"sparsity is {sparsity}; expected a number from 0 to 1")
    std = scale_number(std, "std", to.out.dtype, positive=True)
    plan = random_plan(to, _fills.normal_variates(0.0, std), rng, name, n_threads)
    n_zeros = _rounded_up(sparsity * to.shape[0])

    def finish(n_threads):
        _zero_smallest(to, n_zeros, plan.request)
    if n_zeros and to.out.size:
        plan.finish = finish
    return plan


def _rounded_up(product):
    """The smallest integer that a product of floats reaches; or that it would, if it were not rounded."""
    nearest = round(product)
    return nearest if abs(product - nearest) <= ROUNDED * product else math.ceil(product)


def _zero_smallest(to, n_zeros, request):
    """Zeros where the random numbers of a column are its n smallest; they are doubles, so that none is met twice. On one
    thread: NumPy's partition takes most of the time."""
    n_rows = to.shape[0]
    (first_row, rows), (first_column, columns) = ((start, 1 if length is None else length) for start, length in to.parts)
    out = np.expand_dims(to.out, [axis for axis, (_, length) in enumerate(to.parts) if length is None])
    for start in range(first_column, first_column + columns, max(1, RANKED // n_rows)):
        stop = min(start + max(1, RANKED // n_rows), first_column + columns)
        columns_in_memory = np.empty((stop - start, n_rows)).T
        ranks = destination(to.shape, np.float64, columns_in_memory, (slice(None), slice(start, stop)))
        _fills.run([_fills.Request(ranks, _fills.uniform_variates(0.0, 1.0, ranks.out.dtype), request.key, request.stream,
                                   _fills.SPARE_BLOCKS)], 1)
        threshold = np.partition(ranks.out.T, n_zeros - 1, axis=1)[:, n_zeros - 1]
        wanted = ranks.out[first_row:first_row + rows]
        np.copyto(out[:, start - first_column:stop - first_column], 0, where=wanted <= threshold)


@initialiser
def orthogonal(shape, *, gain=1.0, in_axis=-2, out_axis=-1, rng=None, name=None, dtype=np.float32, out=None, n_threads=None):
    r"""A random matrix with orthonormal columns, or rows where there are fewer of them: of all such, none is more likely.

    Parameters
    ----------
    shape : sequence of ints
        At least two axes. The out axis makes the columns of the matrix, all others together make its rows: the receptive
        field first, then the inputs.
    gain : float, default 1.0
        Multiplies the values; see `gain`.
    in_axis, out_axis : int or tuple of ints, default -2 and -1
        Which axes count inputs and outputs; ``in_axis=1, out_axis=0`` for PyTorch's ``[out, in, *kernel]``.
    rng : None, int, sequence of ints, Key, SeedSequence, Generator or BitGenerator, optional
        Where the key comes from. An int or a SeedSequence gives the same values each time.
    name : str, optional
        The parameter's name. Without one, arrays of the same int seed share their random words.
    dtype : dtype, default float32
        float16, bfloat16 (that of ml_dtypes), float32 or float64.
    out : ndarray, optional
        Where to put the values: of the shape and dtype of the result, of any strides.
    n_threads : int, optional
        For the random numbers; how many threads NumPy's linear algebra takes is its own affair (OMP_NUM_THREADS,
        threadpoolctl).

    Returns
    -------
    ndarray
        `out`, or a new array.

    Raises
    ------
    ValueError, TypeError
        For an argument that is not as described. Nothing has been written then.

    See Also
    --------
    identity : The matrix that changes nothing.
    gain : What to pass as `gain`.

    Notes
    -----
    The Q of the QR decomposition of a normal matrix, with the diagonal of R made positive, which makes Q uniform over the
    orthogonal matrices (Haar measure), in float64 and rounded at the end. The matrix products are those of NumPy's BLAS:
    **the last bits of these values depend on it**, on the CPU and on the number of threads, unlike those of all other
    initialisers.

    PyTorch: ``torch.nn.init.orthogonal_(w, gain)``. Keras: ``Orthogonal(gain)``. JAX:
    ``jax.nn.initializers.orthogonal(gain)``.

    References
    ----------
    Saxe, McClelland & Ganguli, "Exact solutions to the nonlinear dynamics of learning in deep linear neural networks", 2014.

    Mezzadri, "How to generate random matrices from the classical compact groups", 2007.

    Examples
    --------
    >>> import numpy as np
    >>> import xentfast as xf
    >>> q = xf.init.orthogonal((64, 32), rng=7, name="layer1/weight")
    >>> bool(np.allclose(q.T @ q, np.eye(32), atol=1e-6))
    True
    """
    to = destination(shape, dtype, out)
    if len(to.shape) < 2:
        raise ValueError(f"shape is {to.shape}; expected two axes at least")
    in_axes, out_axes = in_and_out_axes(to.shape, in_axis, out_axis)
    gain = scale_number(gain, "gain", to.out.dtype)
    n_columns = math.prod(to.shape[axis] for axis in out_axes)
    n_rows = math.prod(length for axis, length in enumerate(to.shape) if axis not in out_axes)
    tall = (max(n_rows, n_columns), min(n_rows, n_columns))
    # The normal values lie in an array of their own, which is made when this plan's turn has come.
    request = random_request(None, _fills.normal_variates(0.0, 1.0), rng, name, n_threads)

    def finish(n_threads):
        normals = destination(tall, np.float64, None)
        _fills.run([replace(request, target=normals)], n_threads)
        q = orthonormal_columns(normals.out, to.out.dtype == np.float64)
        q *= gain
        kernel = [axis for axis in range(len(to.shape)) if axis not in in_axes + out_axes]
        view = to.out.transpose([*kernel, *in_axes, *out_axes])
        # 16 bits by way of float32, once rounded as all others are
        view[...] = (q if n_rows >= n_columns else q.T).astype(to.arithmetic).reshape(view.shape)
    return Plan(to.out, request, finish if to.out.size else None, n_threads)
