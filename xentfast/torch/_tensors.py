"""CPU tensors as NumPy arrays over the same memory, and back."""

import ml_dtypes
import numpy as np
import torch

from xentfast._base.exchange import settled_tensor

FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
# PyTorch's weights are [out, in, *kernel].
LAYOUT = {"in_axis": 1, "out_axis": 0}


def check_tensor(tensor, name):
    """Strided CPU tensors have memory that a kernel can read."""
    if not isinstance(tensor, torch.Tensor):
        raise TypeError(f"{name} is of type {type(tensor).__name__}; expected a tensor")
    if tensor.device.type != "cpu":
        raise RuntimeError(f"{name} is on the device {tensor.device}; expected a CPU tensor")
    if tensor.layout != torch.strided:
        raise RuntimeError(f"{name} has the layout {tensor.layout}; expected a strided tensor")


def array_of(tensor):
    """The tensor's elements as an array: the same memory, any strides. NumPy has bfloat16 of ml_dtypes."""
    tensor = tensor.detach()
    if tensor.dtype == torch.bfloat16:
        return tensor.view(torch.int16).numpy().view(ml_dtypes.bfloat16)
    return tensor.numpy()


def stored(tensor):
    """For reading: itself, or a copy where its memory holds something else (a view with the negative bit, a zero tensor)."""
    return settled_tensor(tensor, "tensor") if tensor.is_neg() or tensor._is_zerotensor() else tensor


def array_to_write(tensor, name):
    """The same for writing: an error where there is no such memory."""
    return array_of(settled_tensor(tensor, name, to_write=True))


def tensor_of(array):
    """The reverse, of an array that may be written to."""
    if array.dtype == ml_dtypes.bfloat16:
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)


def new_like(tensor):
    """What torch.empty_like gives, in memory of NumPy's: it asks the system for huge pages, so that a large new gradient takes
    a third of the time (docs/performance/index.md)."""
    like = array_of(tensor)
    if tensor.is_contiguous():
        return tensor_of(np.empty(like.shape, like.dtype))
    strides = torch.empty_like(tensor, device="meta").stride()
    return tensor_of(np.empty(like.size, like.dtype)).as_strided(tensor.shape, strides)


def note_written(tensor):
    """After a write through its array: autograd notices, as after PyTorch's own functions, where it had saved the tensor."""
    if not tensor.is_inference():
        torch.autograd.graph.increment_version(tensor)
