"""Arrays of other libraries as NumPy arrays that share their memory: by DLPack, or by the buffer protocol."""

import sys

import numpy as np

from xentfast._base.memory import allows_writing, enable_writing
from xentfast._base.tables import is_table

# DLPack's numbers of devices whose memory the CPU reads: its own, and the host's or managed memory of CUDA and ROCm.
CPU_DEVICES = {1, 3, 11, 13}


def exchanged_array(value, name, to_write=False):
    """An object with ``__dlpack__`` that is no NumPy array, as one, without a copy."""
    if getattr(value, "requires_grad", False):
        raise TypeError(f"{name} is a tensor that requires grad, which NumPy arrays do not carry; pass its detach(), or use "
                        "xentfast.torch")
    check_device(value, name)
    if hasattr(value, "untyped_storage"):
        value = settled_tensor(value, name, to_write)
    if str(getattr(value, "dtype", "")) == "torch.bfloat16":        # neither NumPy nor its DLPack knows the type
        return shared_array(value.view(sys.modules["torch"].int16), name, to_write).view(bfloat16_type(name))
    return shared_array(value, name, to_write)


def settled_tensor(tensor, name, to_write=False):
    """A tensor of PyTorch whose memory holds its values: DLPack would hand over that of one which is lazy without a word."""
    if tensor.is_neg() or tensor.is_conj():
        if to_write:
            raise ValueError(f"{name} is a lazy view of PyTorch's, whose memory holds the negatives (or conjugates) of its "
                             "values; pass a tensor without, such as its resolve_neg()")
        return tensor.resolve_neg().resolve_conj()
    if has_memory(tensor):
        return tensor
    if tensor._is_zerotensor() and not to_write:
        return tensor.new_zeros(tensor.shape)
    raise TypeError(f"{name} is of type {type(tensor).__name__}, whose memory NumPy cannot share: it has none of its own, as "
                    "fake, functional and wrapping tensors")


def has_memory(tensor):
    """Whether its address leads somewhere, or sharing will find out that it has none."""
    try:
        if type(tensor) is sys.modules["torch"].Tensor:
            return tensor.data_ptr() != 0 or tensor.numel() == 0
    except RuntimeError:                                            # of a layout or a transform which sharing refuses
        return True
    try:
        storage = tensor.untyped_storage()
        return storage.device.type != "meta" and storage.data_ptr() != 0 or tensor.numel() == 0
    except RuntimeError:
        return False


def check_device(value, name):
    expected = "expected an array in the CPU's memory (a tensor's cpu() copies it there)"
    try:
        device, number = value.__dlpack_device__()
    except (AttributeError, BufferError, ValueError) as error:
        raise TypeError(f"{name} is on the device {getattr(value, 'device', 'unknown')}; {expected}") from error
    except Exception as error:                                      # of tensors that PyTorch's modes and transforms wrap
        raise TypeError(f"{name} is of type {type(value).__name__}, whose memory NumPy cannot share: {error}") from error
    if device not in CPU_DEVICES:
        raise TypeError(f"{name} is on the device {getattr(value, 'device', f'{device}:{number}')}; {expected}")


def shared_array(value, name, to_write):
    """By DLPack; by what the object has for NumPy where that knows more: other dtypes, or that it may be written to."""
    try:
        asked = Asked(value) if to_write else value
        array = np.from_dlpack(asked)
    except (BufferError, RuntimeError, TypeError, ValueError) as error:
        if not hasattr(value, "__array__"):
            raise TypeError(f"{name} is of type {type(value).__name__}, whose memory NumPy cannot share: {error}") from None
        array = None
    if hasattr(value, "__array__") and (array is None or to_write and not array.flags.writeable):
        try:
            array = np.asarray(value)
        except (RuntimeError, TypeError, ValueError) as error:
            raise TypeError(f"{name} is of type {type(value).__name__}, whose memory NumPy cannot share: {error}") from None
    elif to_write and asked.gives_to_write:
        enable_writing(array)
    return array


class Asked:
    """An object for NumPy's from_dlpack, which sees what comes. NumPy marks read-only whatever comes without a version, and
    before 2.2.5 all else as well."""

    def __init__(self, value):
        self.value = value

    def __dlpack_device__(self):
        return self.value.__dlpack_device__()

    def __dlpack__(self, **keywords):
        capsule = self.value.__dlpack__(**keywords)
        self.gives_to_write = allows_writing(capsule)
        return capsule


def bfloat16_type(name):
    try:
        import ml_dtypes
    except ImportError:
        raise ImportError(f"{name} is a tensor of bfloat16, for which NumPy's dtype comes from ml_dtypes: "
                          "pip install ml_dtypes") from None
    return np.dtype(ml_dtypes.bfloat16)


def output_of(out, name="out"):
    """What is to be written to, as a NumPy array that shares its memory."""
    if isinstance(out, np.ma.MaskedArray):
        if np.ma.is_masked(out):
            raise TypeError(f"{name} is a masked array, whose mask would not be written; pass its data attribute")
        return np.asarray(out.data)
    if isinstance(out, np.ndarray):
        return out
    if hasattr(out, "__dlpack__"):
        if is_table(out):
            raise ValueError(f"{name} is read-only")                # as Arrow's arrays are
        return exchanged_array(out, name, to_write=True)
    try:
        return np.asarray(memoryview(out))
    except TypeError:
        raise TypeError(f"{name} is of type {type(out).__name__}; expected a NumPy array, or an object with __dlpack__ or the "
                        "buffer protocol") from None
