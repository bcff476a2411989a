"""What the parameters of PyTorch's layers are: weights and their axes, matrices in one tensor, norms, parts of a weight norm."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch.nn.utils.parametrizations import _WeightNorm
from torch.nn.utils.parametrize import ParametrizationList
from torch.nn.utils.weight_norm import WeightNorm

from xentfast.torch._tensors import LAYOUT, array_of

if TYPE_CHECKING:
    from collections.abc import Callable

EMBEDDINGS = (torch.nn.Embedding, torch.nn.EmbeddingBag)
CONVOLUTIONS = (torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.Conv3d)
# Their weights are [in, out, *kernel].
TRANSPOSED = (torch.nn.ConvTranspose1d, torch.nn.ConvTranspose2d, torch.nn.ConvTranspose3d)
NORMS = (torch.nn.BatchNorm1d, torch.nn.BatchNorm2d, torch.nn.BatchNorm3d, torch.nn.SyncBatchNorm, torch.nn.InstanceNorm1d,
         torch.nn.InstanceNorm2d, torch.nn.InstanceNorm3d, torch.nn.LayerNorm, torch.nn.GroupNorm, torch.nn.RMSNorm)
GATES = {"LSTM": 4, "GRU": 3}


class Part(NamedTuple):
    """A parameter of a layer, by one of its names."""

    name: str
    owner: torch.nn.Module              # whose attribute it is
    layer: torch.nn.Module              # the same, but for a parametrised weight
    tensor: str                         # the layer's name for what it is or is part of
    kind: str = "whole"                 # or, of a weight norm, "direction" or "magnitude"; or "parametrised" otherwise
    settle: Callable[[torch.nn.Parameter], None] | None = None      # of a magnitude: makes it the norm of its direction
    renew: Callable[[], None] | None = None     # of a weight norm by a hook: makes the weight of its parts

    @property
    def is_embedding(self):
        return isinstance(self.layer, EMBEDDINGS)

    def has_padding(self, shape):
        """Whether a row of it is that of an embedding's padding; of a weight norm of rows the magnitude alone makes it zero."""
        return (self.is_embedding and self.layer.padding_idx is not None and self.kind != "direction"
                and shape[:1] == (self.layer.num_embeddings,))

    @property
    def is_bias(self):
        return self.tensor.startswith("bias") or self.tensor.endswith("bias")

    def is_norm(self, shape):
        """Of PyTorch's own classes all; of others with such a name what scales each channel, which is no matrix."""
        if isinstance(self.layer, NORMS):
            return True
        one_axis = len(shape) < 2 or (len(shape) > 2 and sum(length > 1 for length in shape) < 2)
        return "norm" in type(self.layer).__name__.lower() and one_axis

    @property
    def layout(self):
        return {"in_axis": 0, "out_axis": 1} if isinstance(self.layer, TRANSPOSED) else LAYOUT

    def n_matrices(self, length):
        """How many matrices (kernels) of their own lie one after the other along the first axis, of that length."""
        n = 1
        if isinstance(self.layer, CONVOLUTIONS + TRANSPOSED):
            n = self.layer.groups
        elif isinstance(self.layer, torch.nn.RNNBase) and self.tensor.startswith(("weight_ih", "weight_hh")):
            n = GATES.get(self.layer.mode, 1)
        elif isinstance(self.layer, (torch.nn.LSTMCell, torch.nn.GRUCell)):
            n = GATES["LSTM" if isinstance(self.layer, torch.nn.LSTMCell) else "GRU"]
        elif isinstance(self.layer, torch.nn.MultiheadAttention) and self.tensor == "in_proj_weight":
            n = 3
        return n if length % n == 0 else 1


def parts_of(model):
    """[(parameter, its parts: one for each of its names)], in the order of model.named_parameters()."""
    modules = dict(model.named_modules(remove_duplicate=False))
    found = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        found.setdefault(parameter, []).append(_part(name, modules))
    return list(found.items())


def _part(name, modules):
    path, _, last = name.rpartition(".")
    owner = modules[path]
    if isinstance(owner, ParametrizationList):                      # <layer>.parametrizations.<tensor>.original…
        above, _, tensor = path.rpartition(".")
        layer = modules[above.rpartition(".")[0]]
        if len(owner) != 1 or not isinstance(owner[0], _WeightNorm):
            return Part(name, owner, layer, tensor, "parametrised")
        if last == "original1":
            return Part(name, owner, layer, tensor, "direction")

        return Part(name, owner, layer, tensor, "magnitude",
                    lambda magnitude: _set_norm(magnitude, owner.original1, owner[0].dim))
    for hook in owner._forward_pre_hooks.values():
        if isinstance(hook, WeightNorm) and last in (f"{hook.name}_v", f"{hook.name}_g"):
            return _hooked_part(name, owner, last, hook)
    return Part(name, owner, owner, last)


def _hooked_part(name, owner, last, hook):
    """The weight itself is made when the layer runs; until then it is what it was."""
    def renew():
        hook(owner, None)

    def settle(magnitude):
        _set_norm(magnitude, getattr(owner, f"{hook.name}_v"), hook.dim)
    if last == f"{hook.name}_v":
        return Part(name, owner, owner, hook.name, "direction", renew=renew)
    return Part(name, owner, owner, hook.name, "magnitude", settle, renew)


def _set_norm(magnitude, direction, dim):
    """All axes but `dim` make one norm; −1 for all."""
    array_of(magnitude)[...] = array_of(torch.norm_except_dim(direction, 2, dim))
