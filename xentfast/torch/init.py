"""The initialisers of `xentfast.init`, filling PyTorch's CPU tensors in place, with PyTorch's layout [out, in, *kernel]."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

from xentfast import init
from xentfast._base.docstrings import entries_of, entry, sections_of, with_module
from xentfast.torch._module import init_module
from xentfast.torch._tensors import FLOATS, LAYOUT, array_to_write, check_tensor, note_written

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

__all__ = [
    "constant_",
    "dirac_",
    "eye_",
    "glorot_normal_",
    "glorot_uniform_",
    "he_normal_",
    "he_uniform_",
    "identity_",
    "init_module",
    "kaiming_normal_",
    "kaiming_uniform_",
    "lecun_normal_",
    "lecun_uniform_",
    "normal_",
    "ones_",
    "orthogonal_",
    "sparse_",
    "truncated_normal_",
    "uniform_",
    "variance_scaling_",
    "xavier_normal_",
    "xavier_uniform_",
    "zeros_",
]

# What the tensor says itself; a part of a global array is for xf.init and the tensor's `numpy()`.
FROM_TENSOR = ("shape", "dtype", "out", "index")
# What has no default, with a value for the example.
NEEDED = {"value": "0.5", "sparsity": "0.5"}


def _in_place(initialiser: Callable[..., object]) -> Callable[..., torch.Tensor]:
    """The function of `xentfast.init` as one that fills a tensor."""
    name = initialiser.__name__
    layout = {key: value for key, value in LAYOUT.items() if key in inspect.signature(initialiser).parameters}

    def fill(tensor, *args, **options):
        try:
            bound = signature.bind(tensor, *args, **options)
        except TypeError as error:
            raise TypeError(f"{name}_: {error}") from None
        check_tensor(tensor, "tensor")
        if tensor.dtype not in FLOATS:
            raise TypeError(f"tensor has dtype {tensor.dtype}; expected float16, bfloat16, float32 or float64")
        array = array_to_write(tensor, "tensor")
        options = layout | {key: value for key, value in bound.arguments.items() if key != "tensor"}
        initialiser(array.shape, **options, dtype=array.dtype, out=array)
        note_written(tensor)
        return tensor

    parameters = [inspect.Parameter("tensor", inspect.Parameter.POSITIONAL_OR_KEYWORD)]
    for parameter in inspect.signature(initialiser).parameters.values():
        if parameter.name not in FROM_TENSOR:
            parameters.append(parameter.replace(default=layout.get(parameter.name, parameter.default)))
    signature = inspect.Signature(parameters)
    fill.__name__ = fill.__qualname__ = f"{name}_"
    fill.__signature__ = signature
    if initialiser.__doc__:                         # python -OO leaves none
        fill.__doc__ = _documentation(initialiser, parameters, layout)
    fill.initialiser = initialiser                  # by which init_module knows it
    return fill


def _documentation(initialiser, parameters, layout):
    name = initialiser.__name__
    options = [parameter.name for parameter in parameters[1:]]
    shown = {key: value for key, value in NEEDED.items() if key in options}
    if "rng" in options:
        shown |= {"rng": "7", "name": '"layer1.weight"'}
    ours = ", ".join(["torch.empty(4, 3)", *(f"{key}={value}" for key, value in shown.items())])
    theirs = ", ".join(["(4, 3)", *(f"{key}={value}" for key, value in (shown | layout).items())])
    sections = sections_of(initialiser)
    described = [(["tensor"], "Tensor", "CPU tensor of float16, bfloat16, float32 or float64, any strides.")]
    for names, kind, text in entries_of(sections["Parameters"]):
        if names == list(LAYOUT):
            kind, text = kind.replace("-2 and -1", "1 and 0"), "PyTorch's layout, ``[out, in, *kernel]``, unless given."
        if names[0] in options:
            described.append((names, kind, with_module(text, init)))
    entries = "\n".join(entry(*one) for one in described)
    return f"""{sections[""].partition(chr(10))[0]}

`xentfast.init.{name}`, into a PyTorch tensor in place.

Parameters
----------
{entries}

Returns
-------
Tensor
    `tensor`.

Raises
------
ValueError, TypeError, RuntimeError
    For an argument that is not as described, and for a tensor that is not on the CPU. Nothing has been written then.

See Also
--------
xentfast.init.{name} : The same values as a NumPy array.
init_module : All parameters of a module.

Notes
-----
The values are those of `xentfast.init.{name}`, bit for bit. Autograd does not record it.

Examples
--------
>>> import torch
>>> import xentfast as xf
>>> import xentfast.torch
>>> w = xf.torch.init.{name}_({ours})
>>> bool((w.numpy() == xf.init.{name}({theirs})).all())
True
"""


constant_ = _in_place(init.constant)
dirac_ = _in_place(init.dirac)
he_normal_ = kaiming_normal_ = _in_place(init.he_normal)
he_uniform_ = kaiming_uniform_ = _in_place(init.he_uniform)
identity_ = eye_ = _in_place(init.identity)
lecun_normal_ = _in_place(init.lecun_normal)
lecun_uniform_ = _in_place(init.lecun_uniform)
normal_ = _in_place(init.normal)
ones_ = _in_place(init.ones)
orthogonal_ = _in_place(init.orthogonal)
sparse_ = _in_place(init.sparse)
truncated_normal_ = _in_place(init.truncated_normal)
uniform_ = _in_place(init.uniform)
variance_scaling_ = _in_place(init.variance_scaling)
xavier_normal_ = glorot_normal_ = _in_place(init.xavier_normal)
xavier_uniform_ = glorot_uniform_ = _in_place(init.xavier_uniform)
zeros_ = _in_place(init.zeros)
