"""init_module: all parameters of a module in one go, each by its name."""

from __future__ import annotations

import fnmatch
import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch

from xentfast import init
from xentfast._base.numbers import shown
from xentfast.torch._layers import parts_of
from xentfast.torch._tensors import FLOATS, array_of, array_to_write, check_tensor, note_written

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Literal, TypeVar

    from xentfast._base.typing import Rng

    Module = TypeVar("Module", bound=torch.nn.Module)
    Initialiser = Callable[..., Any]
    Choice = Initialiser | Literal["default"] | None
    Rules = Mapping[str, Choice] | Callable[[str, torch.nn.Parameter, torch.nn.Module], Choice]

__all__ = ["init_module"]

# Those whose values are about a matrix as a whole.
OF_MATRICES = (init.orthogonal, init.identity, init.dirac, init.sparse)
# In place of an initialiser: the magnitude of a weight norm is that of its direction.
MAGNITUDE = object()


def init_module(
    model: Module,
    weight: Initialiser = init.he_normal,
    *,
    rules: Rules | None = None,
    rng: Rng = None,
    n_threads: int | None = None,
) -> Module:
    """Fill all parameters of a module in place, in one parallel region, each by its name.

    Parameters
    ----------
    model : torch.nn.Module
        Its parameters are float16, bfloat16, float32 or float64 tensors on the CPU, of any strides.
    weight : initialiser, default `xentfast.init.he_normal`
        For weights of two axes and more: a function of `xentfast.init` or of `xentfast.torch.init`, or a `functools.partial`
        of one with its options (but `rng`, `name` and `n_threads`).
    rules : mapping or callable, optional
        What overrules the rules below. A mapping from patterns of names, as of files (``"*.head.weight"``), to an initialiser, or
        to None for parameters that stay as they are; the first pattern that fits counts. Or a function of (name, parameter,
        module that owns it), which returns an initialiser, None, or "default" for the rules below.
    rng : None, int, sequence of ints, Key, SeedSequence, Generator or BitGenerator, optional
        Where the one key comes from that all parameters share, as for `xentfast.init.fill`.
    n_threads : int, optional
        Threads to use at most; the values have the same bits for any number.

    Returns
    -------
    torch.nn.Module
        `model`.

    Raises
    ------
    ValueError, TypeError, RuntimeError
        For an argument that is not as described, a parameter without memory on the CPU (on a GPU or the meta device: call
        ``model.to_empty(device="cpu")`` before), one that no rule below covers, and a pattern that fits no name. Nothing has
        been written then.

    See Also
    --------
    xentfast.init.fill : For arrays, by their names.
    xentfast.torch.init.he_normal_ : One tensor, and so the other initialisers.

    Notes
    -----
    The rules, of which the first one that fits counts: of embeddings standard normal values; for a name whose last part begins
    or ends with "bias" zeros; of PyTorch's norms, and of other classes with "norm" in their name what has one axis, ones; for
    anything else of two axes and more `weight`. Other parameters (a PReLU's slope, a scale of one's own, those behind another
    parametrisation than a weight norm) need a rule of yours.

    Initialisers get PyTorch's layout, ``in_axis=1, out_axis=0`` for ``[out, in, *kernel]``, and the other way round for
    transposed convolutions, unless their options say something else. So a `Bilinear` has in1·in2 inputs. Where several matrices
    lie in one tensor, the fans are those of one: of a group of a convolution, a gate of an LSTM or a GRU (Keras counts all gates
    as one matrix), the query, key or value of `MultiheadAttention`. `orthogonal`, `identity`, `dirac` and `sparse`, which are
    about a matrix as a whole, fill each one as an array of its own, of the name "<name>[0]", "<name>[1]" and so on.

    Of a weight norm, by a hook or as a parametrisation, the direction v is filled as the weight would be, and the magnitude g is
    ‖v‖, so that the weight is v.

    A parameter's values depend on seed and name alone: they equal those of
    ``xentfast.init.he_normal(shape, rng=rng, name=name, in_axis=1, out_axis=0)``, with the `fan_in` and `fan_out` of one matrix
    where there are several. So call it before anything that changes the names (DistributedDataParallel, torch.compile). A
    parameter with several names (tied weights) is filled once, by the first. What `rules` has for any of its names counts (a
    callable: its first answer other than "default"); else the rule of an embedding, if one of its modules is one. The row of an
    embedding's `padding_idx` is zero whatever fills it. Buffers stay as they are.

    Examples
    --------
    >>> import torch
    >>> import xentfast as xf
    >>> import xentfast.torch
    >>> model = torch.nn.Sequential(torch.nn.Embedding(100, 8), torch.nn.Linear(8, 16), torch.nn.LayerNorm(16))
    >>> model = xf.torch.init_module(model, xf.init.xavier_uniform, rules={"0.*": xf.torch.init.lecun_normal_}, rng=7)
    >>> model[2].weight.sum().item(), model[2].bias.sum().item()
    (16.0, 0.0)
    """
    if not isinstance(model, torch.nn.Module):
        raise TypeError(f"model is of type {type(model).__name__}; expected a torch.nn.Module")
    chosen, magnitudes, written = [], [], []
    for parameter, parts, part, initialiser in _choices(parts_of(model), weight, rules):
        written.append((parameter, parts))
        if initialiser is MAGNITUDE:
            magnitudes.append((parameter, part))
        else:
            array = array_to_write(parameter, f"parameter {parts[0].name!r}")
            chosen.extend(_entries(parts[0].name, part, initialiser, array))
    init.fill(chosen, rng=rng, n_threads=n_threads)
    for parameter, part in magnitudes:
        part.settle(parameter)
    for parameter, parts in written:
        for part in parts:
            if part.has_padding(parameter.shape):
                array_of(parameter)[part.layer.padding_idx] = 0
        note_written(parameter)
    for part in (part for _, parts in written for part in parts if part.renew):
        part.renew()
    return model


def _choices(found, weight, rules):
    """(parameter, its parts, the one that counts, initialiser) for the parameters that are to be filled."""
    rule = _rule_of(rules, [part.name for _, parts in found for part in parts])
    for parameter, parts in found:
        initialiser, part = rule(parameter, parts)
        if initialiser is None:
            continue
        _check(parts[0].name, parameter)
        if isinstance(initialiser, str) and initialiser == "default":
            part = next((part for part in parts if part.is_embedding), parts[0])
            initialiser = _default(part, parameter, weight)
        yield parameter, parts, part, initialiser


def _rule_of(rules, names):
    """A function of a parameter and its parts, which returns an initialiser, None or "default", and the part that it is for."""
    if rules is None:
        return lambda parameter, parts: ("default", parts[0])
    if callable(rules):
        def first_answer(parameter, parts):
            for part in parts:
                answer = rules(part.name, parameter, part.owner)
                if not (isinstance(answer, str) and answer == "default"):
                    return answer, part
            return "default", parts[0]
        return first_answer
    if not isinstance(rules, Mapping):
        raise TypeError(f"rules is of type {type(rules).__name__}; expected a mapping or a callable")
    for pattern in rules:
        if not isinstance(pattern, str):
            raise TypeError(f"rules has the pattern {shown(pattern)}; expected a string")
        if not any(fnmatch.fnmatchcase(name, pattern) for name in names):
            raise ValueError(f"rules has the pattern {pattern!r}, which fits no parameter; there are {', '.join(names)}")

    def first_that_fits(parameter, parts):
        return next(((initialiser, part) for pattern, initialiser in rules.items() for part in parts
                     if fnmatch.fnmatchcase(part.name, pattern)), ("default", parts[0]))
    return first_that_fits


def _default(part, parameter, weight):
    if part.kind == "magnitude":
        return MAGNITUDE
    if part.kind != "parametrised":
        if part.is_embedding:
            return init.normal
        if part.is_bias:
            return init.zeros
        if part.is_norm(parameter.shape):
            return init.ones
        if parameter.ndim >= 2:
            return weight
    raise ValueError(f"parameter {part.name!r} of {type(part.owner).__name__}, of shape {tuple(parameter.shape)}, is no weight "
                     "of a layer, bias or norm; say by rules= what it gets, or None")


def _check(name, parameter):
    what = f"parameter {name!r}"
    if torch.nn.parameter.is_lazy(parameter):
        raise RuntimeError(f"{what} has no shape yet; run the model on an example before")
    if parameter.device.type == "meta":
        raise RuntimeError(f"{what} is on the meta device, where it has no memory; call model.to_empty(device='cpu') before")
    check_tensor(parameter, what)
    if parameter.dtype not in FLOATS:
        raise TypeError(f"{what} has dtype {parameter.dtype}; expected float16, bfloat16, float32 or float64, or None in rules")


def _entries(name, part, initialiser, array):
    """What `fill` is to do: a function of xf.init with PyTorch's axes and the fans of one matrix, where it has such options and
    is not told others; or each matrix alone."""
    function, arguments, options = initialiser, (), {}
    if isinstance(initialiser, functools.partial):
        function, arguments, options = initialiser.func, initialiser.args, initialiser.keywords
    function = getattr(function, "initialiser", function)
    if not hasattr(function, "plan_of"):
        raise TypeError(f"parameter {name!r} is to have the initialiser {shown(initialiser)}; expected a function of "
                        "xentfast.init or of xentfast.torch.init, or a functools.partial of one")
    known = function.plan_of.__kwdefaults__
    said = {"in_axis", "out_axis", "fan_in", "fan_out", "groups"} & options.keys()
    n = 1 if said or array.ndim < 2 else part.n_matrices(array.shape[0])
    if "in_axis" in known:
        options = part.layout | options
    if n > 1 and "fan_in" in known:
        fans = init.fans((array.shape[0] // n, *array.shape[1:]), **part.layout)
        options |= {key: fan for key, fan in zip(("fan_in", "fan_out"), fans, strict=True) if fan}
    filler = functools.partial(function, *arguments, **options)
    if n > 1 and function in OF_MATRICES:
        return [(f"{name}[{i}]", (filler, matrix)) for i, matrix in enumerate(np.split(array, n))]
    return [(name, (filler, array))]
