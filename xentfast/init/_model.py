"""fill: a whole model in one go."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING

from xentfast._base.exchange import output_of
from xentfast._base.memory import memory_span
from xentfast._base.numbers import shown
from xentfast._base.outputs import overlap
from xentfast._base.threads import requested
from xentfast.init._plan import Plan, carry_out
from xentfast.random import _keys

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from numpy.typing import NDArray

    from xentfast._base.typing import Rng, Shape

    Entry = tuple[Callable[..., NDArray[Any]], Shape | NDArray[Any]]


def fill(
    params: Mapping[str, Entry] | Sequence[tuple[str, Entry]],
    *,
    rng: Rng = None,
    n_threads: int | None = None,
) -> dict[str, NDArray[Any]]:
    """Fill all parameters of a model in one parallel region.

    Parameters
    ----------
    params : mapping from str to (initialiser, shape or array), or sequence of such pairs
        What each name gets. An initialiser is a function of `xentfast.init`, or a `functools.partial` of one with its options
        (but `rng`, `name` and `n_threads`). A shape makes a new array; an array is filled, with its own shape and dtype.
    rng : None, int, sequence of ints, Key, SeedSequence, Generator or BitGenerator, optional
        Where the one key comes from that all parameters share, as for `uniform`. Their names make their values differ.
    n_threads : int, optional
        Threads to use at most; the values have the same bits for any number.

    Returns
    -------
    dict
        From the names to the arrays, in the order of `params`.

    Raises
    ------
    ValueError, TypeError, IndexError
        For an argument that is not as described, a name that comes twice, and arrays that share memory. Nothing has been
        written then.

    See Also
    --------
    uniform : What `rng` and `name` mean.
    xentfast.torch.init_module : All parameters of a PyTorch module.

    Notes
    -----
    With an int or a SeedSequence, every array equals that of a call of its own with the same `rng`, and ``name`` its name.

    Examples
    --------
    >>> from functools import partial
    >>> import numpy as np
    >>> import xentfast as xf
    >>> params = xf.init.fill({
    ...     "embedding": (partial(xf.init.normal, std=0.02), (100, 8)),
    ...     "weight": (xf.init.he_normal, (8, 16)),
    ...     "bias": (xf.init.zeros, (16,)),
    ... }, rng=7)
    >>> bool(np.all(params["weight"] == xf.init.he_normal((8, 16), rng=7, name="weight")))
    True
    """
    requested(n_threads)
    try:
        pairs = list(params.items() if isinstance(params, Mapping) else params)
    except MemoryError:
        raise
    except Exception:
        raise TypeError(f"params is {shown(params)}; expected a mapping or a sequence of pairs") from None
    plans, given = {}, []
    for pair in pairs:
        name, initialiser, where = _entry(pair)
        if name in plans:
            raise ValueError(f"params has the name {name!r} twice")
        try:
            plans[name] = _plan(name, initialiser, where)
            if type(where) is not tuple or isinstance(initialiser, functools.partial):      # else its array is a new one
                given.append(name)
        except (ValueError, TypeError, IndexError) as error:
            error.add_note(f"for params[{name!r}]")
            raise
    if given:
        _check_apart({name: plans[name] for name in given})
    key = _keys.key_of(rng)                        # when all else is known to be good: it may advance a generator
    for plan in plans.values():
        if plan.request is not None:
            plan.request.key = key
    carry_out(plans.values(), n_threads)
    return {name: plan.out for name, plan in plans.items()}


def _entry(pair):
    try:
        name, (initialiser, where) = pair
    except (TypeError, ValueError):
        raise TypeError(f"params holds {shown(pair)}; expected (name, (initialiser, shape or array))") from None
    if not isinstance(name, str):
        raise TypeError(f"params has the name {shown(name)}; expected a string")
    return name, initialiser, where


def _plan(name, initialiser, where):
    function, options = initialiser, {}
    arguments = ()
    if isinstance(initialiser, functools.partial):
        function, arguments, options = initialiser.func, initialiser.args, dict(initialiser.keywords)
    if not hasattr(function, "plan_of"):
        raise TypeError(f"params[{name!r}] has the initialiser {shown(initialiser)}; expected a function of xentfast.init, or a "
                        "functools.partial of one")
    if arguments:
        raise TypeError(f"params[{name!r}] has an initialiser with positional arguments {arguments}; expected keywords alone")
    taken = options and sorted({"rng", "name", "n_threads"} & options.keys())
    if taken:
        raise TypeError(f"params[{name!r}] has an initialiser with {', '.join(taken)}, which fill gives itself")
    if hasattr(where, "__dlpack__"):                # an array, or a tensor
        where = output_of(where)
        if {"out", "dtype", "index"} & options.keys():
            raise TypeError(f"params[{name!r}] has an array besides out, dtype or index; pass the shape of the global array")
        where, options = where.shape, options | {"out": where, "dtype": where.dtype}
    request = function.plain.request(where, name, options) if hasattr(function, "plain") else None
    if request is not None:
        return Plan(request.out, request)
    if "rng" in function.plan_of.__kwdefaults__:
        options |= {"rng": _keys.Key(0), "name": name}      # a key in place of the one to be drawn
    return function.plan_of(where, **options)


def _check_apart(plans):
    """No two arrays share memory."""
    ordered = sorted((*memory_span(plan.out), name) for name, plan in plans.items() if plan.out.size)
    reaching = []                                   # those before that end behind where this one begins
    for low, high, name in ordered:
        reaching = [(end, other) for end, other in reaching if end > low]
        for _, other in reaching:
            if overlap(plans[name].out, plans[other].out):
                raise ValueError(f"params[{name!r}] and params[{other!r}] share memory")
        reaching.append((high, name))
