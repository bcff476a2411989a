"""init_module: all parameters of a module in one go, each by its name."""

from __future__ import annotations

import fnmatch
import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch

from xentfast import init
from xentfast.torch._tensors import FLOATS, LAYOUT, array_of, check_tensor, note_written

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Literal, TypeVar

    from xentfast._base.typing import Rng

    Module = TypeVar("Module", bound=torch.nn.Module)
    Initialiser = Callable[..., Any]
    Choice = Initialiser | Literal["default"] | None
    Rules = Mapping[str, Choice] | Callable[[str, torch.nn.Parameter, torch.nn.Module], Choice]

__all__ = ["init_module"]

EMBEDDINGS = (torch.nn.Embedding, torch.nn.EmbeddingBag)
# Their weights are [in, out, *kernel].
TRANSPOSED = (torch.nn.ConvTranspose1d, torch.nn.ConvTranspose2d, torch.nn.ConvTranspose3d)


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
    rng : None, int, sequence of ints, SeedSequence, Generator or BitGenerator, optional
        As for `xentfast.init.fill`: where the one key comes from that all parameters share.
    n_threads : int, optional
        As for `xentfast.init.uniform`.

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

    Notes
    -----
    The rules, of which the first one that fits counts: of embeddings standard normal values; for a name whose last part begins
    or ends with "bias" zeros; of layers whose class has "Norm" in its name ones; for anything else of two axes and more
    `weight`. Other parameters (a PReLU's slope, a scale of one's own, the parts of a parametrised weight) need a rule of yours.

    Initialisers get PyTorch's layout, ``in_axis=1, out_axis=0`` for [out, in, *kernel], and the other way round for transposed
    convolutions, unless their options say something else. A parameter's values depend on seed and name alone: they equal
    those of ``xentfast.init.he_normal(shape, rng=rng, name=name, in_axis=1, out_axis=0)``. So call it before anything that
    changes the names (DistributedDataParallel, torch.compile). A parameter with several names (tied weights) is filled once,
    by the first. The row of an embedding's `padding_idx` is zero whatever fills it. Buffers stay as they are.

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
    owners = _owners(model)
    chosen = {}
    for name, initialiser in _choices(owners, weight, rules):
        module, parameter = owners[name]
        chosen[name] = _with_layout(name, initialiser, module), array_of(parameter)
    init.fill(chosen, rng=rng, n_threads=n_threads)
    for name in chosen:
        module, parameter = owners[name]
        if getattr(module, "padding_idx", None) is not None and isinstance(module, EMBEDDINGS):
            array_of(parameter)[module.padding_idx] = 0
        note_written(parameter)
    return model


def _owners(model):
    """name → (the module that owns the parameter, the parameter), each parameter once."""
    modules = dict(model.named_modules())
    return {name: (modules[name.rpartition(".")[0]], parameter) for name, parameter in model.named_parameters()}


def _choices(owners, weight, rules):
    """(name, initialiser) for the parameters that are to be filled."""
    rule = _rule_of(rules, owners)
    for name, (module, parameter) in owners.items():
        initialiser = rule(name, parameter, module)
        if initialiser is None:
            continue
        _check(name, parameter)
        if isinstance(initialiser, str) and initialiser == "default":
            initialiser = _default(name, parameter, module, weight)
        yield name, initialiser


def _rule_of(rules, names):
    if rules is None:
        return lambda name, parameter, module: "default"
    if callable(rules):
        return rules
    if not isinstance(rules, Mapping):
        raise TypeError(f"rules is of type {type(rules).__name__}; expected a mapping or a callable")
    for pattern in rules:
        if not isinstance(pattern, str):
            raise TypeError(f"rules has the pattern {pattern!r}; expected a string")
        if not any(fnmatch.fnmatchcase(name, pattern) for name in names):
            raise ValueError(f"rules has the pattern {pattern!r}, which fits no parameter; there are {', '.join(names)}")

    def first_that_fits(name, parameter, module):
        return next((initialiser for pattern, initialiser in rules.items() if fnmatch.fnmatchcase(name, pattern)), "default")
    return first_that_fits


def _default(name, parameter, module, weight):
    last = name.rpartition(".")[2]
    if isinstance(module, EMBEDDINGS):
        return init.normal
    if last.startswith("bias") or last.endswith("bias"):
        return init.zeros
    if "norm" in type(module).__name__.lower():
        return init.ones
    if parameter.ndim < 2 or "parametrizations" in name.split("."):
        raise ValueError(f"parameter {name!r} of {type(module).__name__}, of shape {tuple(parameter.shape)}, is no weight of a "
                         "layer, bias or norm; say by rules= what it gets, or None")
    return weight


def _check(name, parameter):
    what = f"parameter {name!r}"
    if torch.nn.parameter.is_lazy(parameter):
        raise RuntimeError(f"{what} has no shape yet; run the model on an example before")
    if parameter.device.type == "meta":
        raise RuntimeError(f"{what} is on the meta device, where it has no memory; call model.to_empty(device='cpu') before")
    check_tensor(parameter, what)
    if parameter.dtype not in FLOATS:
        raise TypeError(f"{what} has dtype {parameter.dtype}; expected float16, bfloat16, float32 or float64, or None in rules")


def _with_layout(name, initialiser, module):
    """A function of xf.init with PyTorch's axes, where it has axes and its options do not say them."""
    function, arguments, options = initialiser, (), {}
    if isinstance(initialiser, functools.partial):
        function, arguments, options = initialiser.func, initialiser.args, initialiser.keywords
    function = getattr(function, "initialiser", function)
    if not hasattr(function, "plan_of"):
        raise TypeError(f"parameter {name!r} is to have the initialiser {initialiser!r}; expected a function of xentfast.init or "
                        "of xentfast.torch.init, or a functools.partial of one")
    if "in_axis" in function.plan_of.__kwdefaults__:
        layout = {"in_axis": 0, "out_axis": 1} if isinstance(module, TRANSPOSED) else LAYOUT
        options = layout | options
    return functools.partial(function, *arguments, **options)
