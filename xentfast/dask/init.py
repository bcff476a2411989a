"""The initialisers as Dask arrays: the values of one machine's array, whatever the chunks.

`orthogonal` is not here, since no part of its matrix can be made without the whole, nor `dirac`, since kernels of convolutions
are small: ``dask.array.from_array`` takes theirs.
"""

from __future__ import annotations

import inspect

import dask.array as da
import numpy as np

import xentfast.init as of_arrays
from xentfast._base.arrays import plain_array
from xentfast._base.docstrings import entries_of, entry, sections_of, with_module
from xentfast._base.numbers import shown
from xentfast.dask._graphs import apply, operand
from xentfast.init._checks import scale_number
from xentfast.random._keys import key_of
from xentfast.random._places import float_type, shape_of

__all__ = [
    "constant",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "identity",
    "kaiming_normal",
    "kaiming_uniform",
    "lecun_normal",
    "lecun_uniform",
    "normal",
    "ones",
    "sparse",
    "truncated_normal",
    "uniform",
    "variance_scaling",
    "xavier_normal",
    "xavier_uniform",
    "zeros",
]

DOCUMENTATION = """{summary}

As `xentfast.init.{name}`, as a Dask array with the same values, whatever its chunks.

Parameters
----------
{entries}

Returns
-------
dask.array.Array
    Of shape `shape`. Each block is made by itself, of the seed, the name and its place alone.

Raises
------
ValueError, TypeError
    For an argument that is not as described.

See Also
--------
xentfast.init.{name} : The same values as a NumPy array, or a part of them.

Examples
--------
>>> import xentfast as xf
>>> import xentfast.dask as xd
>>> w = xd.init.{name}((512, 2048), {example}rng=7, name="layer1/weight", chunks=(100, 1000))
>>> bool((w.compute() == xf.init.{name}((512, 2048), {example}rng=7, name="layer1/weight")).all())
True
"""
CHUNKS = 'int, tuple or "auto", default "auto"', "How the array is cut, as Dask's own functions take it."
N_THREADS = "int, default 1", "Threads for each block. Dask makes as many blocks at a time as it has threads."
DRAWN = "The key is drawn at once, so that the values stay the same each time they are computed."


def _initialiser(name, example=""):
    """The function of that name for Dask arrays, with the options of the other."""
    one_machine = getattr(of_arrays, name)
    given = inspect.signature(one_machine).parameters
    options = [option for option in given if option not in ("shape", "rng", "name", "dtype", "out", "index", "n_threads")]
    keyword = inspect.Parameter.KEYWORD_ONLY
    signature = inspect.Signature([
        given["shape"], *[given[option] for option in options], inspect.Parameter("chunks", keyword, default="auto"),
        given["rng"], given["name"], given["dtype"], inspect.Parameter("n_threads", keyword, default=1)])

    def initialise(*args, **kwargs):
        arguments = signature.bind(*args, **kwargs)
        arguments.apply_defaults()
        return _lazy(one_machine.__name__, **arguments.arguments)

    initialise.__name__ = initialise.__qualname__ = name
    initialise.__signature__ = signature
    if one_machine.__doc__:                         # python -OO leaves none
        initialise.__doc__ = _documentation(one_machine, signature.parameters, example)
    return initialise


def _documentation(one_machine, parameters, example):
    sections = sections_of(one_machine)
    described = {}
    for names, kind, text in entries_of(sections["Parameters"]):
        described |= dict.fromkeys(names, entry(names, kind, with_module(text, of_arrays)))
    described |= {"chunks": entry(["chunks"], *CHUNKS), "n_threads": entry(["n_threads"], *N_THREADS)}
    described["rng"] += f"\n    {DRAWN}"
    entries = dict.fromkeys(described[name] for name in parameters)             # once for names that share one
    return DOCUMENTATION.format(name=one_machine.__name__, example=example, summary=sections[""].partition("\n")[0],
                                entries="\n".join(entries))


def _lazy(initialiser, shape, *, chunks, rng, name, dtype, n_threads, **options):
    shape, dtype = shape_of(shape), float_type(dtype)
    chunks = cuts(chunks, shape, dtype)
    # The checks, on a part of no elements (one, where there are no axes); the key is drawn when they have passed.
    part(tuple(slice(0) for _ in shape), initialiser=initialiser, shape=shape, rng=0, stream_name=name, block_dtype=dtype,
         n_threads=n_threads, options=options)
    return blocks(part, chunks, dtype, initialiser=initialiser, shape=shape, rng=key_of(rng), stream_name=name,
                  n_threads=n_threads, options=options)


def cuts(chunks, shape, dtype):
    """The lengths of chunks along each axis."""
    try:
        return da.core.normalize_chunks(chunks, shape, dtype=dtype)
    except MemoryError:
        raise
    except Exception as error:
        raise ValueError(f"chunks is {shown(chunks)}, of which Dask makes none for shape {shape}: {error}") from None


def blocks(task, chunks, dtype, *pairs, **options):
    """The array of those chunks."""
    labels = tuple(range(len(chunks)))
    return apply(task, labels, *pairs, dtype=dtype, place=dict(zip(labels, chunks, strict=True)), block_dtype=dtype, **options)


# ---- tasks


def part(place, *, initialiser, shape, rng, stream_name, block_dtype, n_threads, options):
    return getattr(of_arrays, initialiser)(shape, index=place, rng=rng, name=stream_name, dtype=block_dtype, n_threads=n_threads,
                                           **options)


def constant_part(values, place, *, missing, block_dtype):
    return of_arrays.constant(tuple(one.stop - one.start for one in place), np.expand_dims(values, missing), dtype=block_dtype)


def identity_part(place, *, gain, block_dtype):
    rows, columns = place
    block = of_arrays.zeros((rows.stop - rows.start, columns.stop - columns.start), dtype=block_dtype)
    diagonal = np.arange(max(rows.start, columns.start), min(rows.stop, columns.stop))
    block[diagonal - rows.start, diagonal - columns.start] = gain
    return block


# ---- public


def constant(shape, value, *, chunks="auto", dtype=np.float32):
    """One value everywhere, or an array that broadcasts.

    As `xentfast.init.constant`, as a Dask array.

    Parameters
    ----------
    shape : int or sequence of ints
        Of the array.
    value : float or array_like
        The value, or values that broadcast to the array's shape.
    chunks : int, tuple or "auto", default "auto"
        How the array is cut, as Dask's own functions take it.
    dtype : dtype, default float32
        float16, bfloat16 (that of ml_dtypes), float32 or float64.

    Returns
    -------
    dask.array.Array
        Of shape `shape`.

    Raises
    ------
    ValueError, TypeError
        For an argument that is not as described.

    See Also
    --------
    xentfast.init.constant : The same as a NumPy array.
    zeros : The value 0.
    ones : The value 1.

    Examples
    --------
    >>> import xentfast.dask as xd
    >>> xd.init.constant((2, 2), [0.5, 1.0], chunks=1).compute()
    array([[0.5, 1. ],
           [0.5, 1. ]], dtype=float32)
    """
    shape, dtype = shape_of(shape), float_type(dtype)
    value = plain_array(value, "value", advice="")
    values = of_arrays.constant(value.shape, value, dtype=dtype)
    try:
        np.broadcast_to(value, shape)
    except ValueError:
        raise ValueError(f"value has shape {value.shape}, which does not broadcast to {shape}") from None
    chunks = cuts(chunks, shape, dtype)
    found = operand(values, shape, chunks)
    return blocks(constant_part, chunks, dtype, found.pair, missing=found.missing)


def zeros(shape, *, chunks="auto", dtype=np.float32):
    """Zeros.

    As `xentfast.init.zeros`, as a Dask array.

    Parameters
    ----------
    shape : int or sequence of ints
        Of the array.
    chunks : int, tuple or "auto", default "auto"
        How the array is cut, as Dask's own functions take it.
    dtype : dtype, default float32
        float16, bfloat16 (that of ml_dtypes), float32 or float64.

    Returns
    -------
    dask.array.Array
        Of shape `shape`.

    Raises
    ------
    ValueError, TypeError
        For an argument that is not as described.

    See Also
    --------
    xentfast.init.zeros : The same as a NumPy array.
    constant : Any value.

    Examples
    --------
    >>> import xentfast.dask as xd
    >>> xd.init.zeros((2,)).compute()
    array([0., 0.], dtype=float32)
    """
    return constant(shape, 0.0, chunks=chunks, dtype=dtype)


def ones(shape, *, chunks="auto", dtype=np.float32):
    """Ones.

    As `xentfast.init.ones`, as a Dask array.

    Parameters
    ----------
    shape : int or sequence of ints
        Of the array.
    chunks : int, tuple or "auto", default "auto"
        How the array is cut, as Dask's own functions take it.
    dtype : dtype, default float32
        float16, bfloat16 (that of ml_dtypes), float32 or float64.

    Returns
    -------
    dask.array.Array
        Of shape `shape`.

    Raises
    ------
    ValueError, TypeError
        For an argument that is not as described.

    See Also
    --------
    xentfast.init.ones : The same as a NumPy array.
    constant : Any value.

    Examples
    --------
    >>> import xentfast.dask as xd
    >>> xd.init.ones((2,)).compute()
    array([1., 1.], dtype=float32)
    """
    return constant(shape, 1.0, chunks=chunks, dtype=dtype)


def identity(shape, *, gain=1.0, chunks="auto", dtype=np.float32):
    """The identity matrix, times `gain`.

    As `xentfast.init.identity`, as a Dask array.

    Parameters
    ----------
    shape : sequence of two ints
        Of the array; where it is not square, the inputs or outputs beyond the smaller length get zeros.
    gain : float, default 1.0
        What stands on the diagonal.
    chunks : int, tuple or "auto", default "auto"
        How the array is cut, as Dask's own functions take it.
    dtype : dtype, default float32
        float16, bfloat16 (that of ml_dtypes), float32 or float64.

    Returns
    -------
    dask.array.Array
        Of shape `shape`.

    Raises
    ------
    ValueError, TypeError
        For an argument that is not as described.

    See Also
    --------
    xentfast.init.identity : The same as a NumPy array.

    Examples
    --------
    >>> import xentfast.dask as xd
    >>> xd.init.identity((2, 3), chunks=1).compute()
    array([[1., 0., 0.],
           [0., 1., 0.]], dtype=float32)
    """
    shape, dtype = shape_of(shape), float_type(dtype)
    if len(shape) != 2:
        raise ValueError(f"shape is {shape}; expected two axes")
    return blocks(identity_part, cuts(chunks, shape, dtype), dtype, gain=scale_number(gain, "gain", dtype))


variance_scaling = _initialiser("variance_scaling")
xavier_uniform = glorot_uniform = _initialiser("xavier_uniform")
xavier_normal = glorot_normal = _initialiser("xavier_normal")
he_uniform = kaiming_uniform = _initialiser("he_uniform")
he_normal = kaiming_normal = _initialiser("he_normal")
lecun_uniform = _initialiser("lecun_uniform")
lecun_normal = _initialiser("lecun_normal")
uniform = _initialiser("uniform")
normal = _initialiser("normal")
truncated_normal = _initialiser("truncated_normal")
sparse = _initialiser("sparse", "sparsity=0.9, ")
