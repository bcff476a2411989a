"""Arrays of other libraries as NumPy arrays that share their memory: by DLPack, or by the buffer protocol."""

import sys

import numpy as np

# DLPack's numbers of devices whose memory the CPU reads: its own, and the host's or managed memory of CUDA and ROCm.
CPU_DEVICES = {1, 3, 11, 13}


def exchanged_array(value, name):
    """An object with ``__dlpack__`` that is no NumPy array, as one, without a copy."""
    if getattr(value, "requires_grad", False):
        raise TypeError(f"{name} is a tensor that requires grad, which NumPy arrays do not carry; pass its detach(), or use "
                        "xentfast.torch")
    check_device(value, name)
    if str(getattr(value, "dtype", "")) == "torch.bfloat16":        # neither NumPy nor its DLPack knows the type
        return shared_array(value.view(sys.modules["torch"].int16), name).view(bfloat16_type(name))
    return shared_array(value, name)


def check_device(value, name):
    expected = "expected an array in the CPU's memory (a tensor's cpu() copies it there)"
    try:
        device, number = value.__dlpack_device__()
    except (AttributeError, BufferError, ValueError) as error:
        raise TypeError(f"{name} is on the device {getattr(value, 'device', 'unknown')}; {expected}") from error
    if device not in CPU_DEVICES:
        raise TypeError(f"{name} is on the device {getattr(value, 'device', f'{device}:{number}')}; {expected}")


def shared_array(value, name):
    """By DLPack; by what the object has for NumPy where that knows more: other dtypes, or that it may be written to."""
    try:
        array = np.from_dlpack(value)
    except (BufferError, RuntimeError, TypeError, ValueError) as error:
        if not hasattr(value, "__array__"):
            raise TypeError(f"{name} is of type {type(value).__name__}, whose memory NumPy cannot share: {error}") from None
        array = None
    if hasattr(value, "__array__") and (array is None or not array.flags.writeable):
        try:
            array = np.asarray(value)
        except (RuntimeError, TypeError, ValueError) as error:
            raise TypeError(f"{name} is of type {type(value).__name__}, whose memory NumPy cannot share: {error}") from None
    return array


def bfloat16_type(name):
    try:
        import ml_dtypes
    except ImportError:
        raise ImportError(f"{name} is a tensor of bfloat16, for which NumPy's dtype comes from ml_dtypes: "
                          "pip install ml_dtypes") from None
    return np.dtype(ml_dtypes.bfloat16)


def output_of(out, name="out"):
    """What is to be written to, as a NumPy array that shares its memory."""
    if isinstance(out, np.ndarray):
        return out
    if hasattr(out, "__dlpack__"):
        return exchanged_array(out, name)
    try:
        return np.asarray(memoryview(out))
    except TypeError:
        raise TypeError(f"{name} is of type {type(out).__name__}; expected a NumPy array, or an object with __dlpack__ or the "
                        "buffer protocol") from None
