"""What users pass as arrays: JAX's, traced ones too, as they are; all else by way of NumPy, if JAX can hold it as it is."""

import jax
import jax.numpy as jnp
import numpy as np

from xentfast._base.arrays import is_float, native_array, plain_array
from xentfast._base.numbers import position


def array_of(value, name):
    """An array of JAX's, on a CPU where it has a place, or of NumPy's."""
    if isinstance(value, jax.Array):
        if not isinstance(value, jax.core.Tracer):
            check_devices(value.devices(), name)
        return value
    if hasattr(value, "__jax_array__"):
        return jnp.asarray(value)
    return plain_array(value, name)


def check_devices(devices, name):
    """What is traced has no place yet: there XLA says that it knows no such call on a GPU."""
    others = sorted({str(device) for device in devices if device.platform != "cpu"})
    if others:
        raise ValueError(f"{name} is on the device {', '.join(others)}; expected an array on a CPU: "
                         f"jax.device_put({name}, jax.devices('cpu')[0])")


def held(array, name):
    """Of a checked dtype, as JAX holds it without changing a number. Where jax_enable_x64 is off it has no dtypes of 64 bits, and
    makes others of them without a word."""
    if isinstance(array, jax.Array):
        return array
    array = native_array(array)
    dtype = jax.dtypes.canonicalize_dtype(array.dtype)
    if dtype == array.dtype:
        return array
    ways = f'jax.config.update("jax_enable_x64", True) keeps it, {name}.astype("{dtype}") does the same'
    if name == "logits":
        raise TypeError(f"logits have dtype {array.dtype}, of which JAX would make {dtype}; {ways}")
    with np.errstate(over="ignore"):
        narrow = array.astype(dtype)
    changed = (narrow != array) & (array == array)
    if changed.any():
        first = int(np.argmax(changed))
        raise TypeError(f"{name}{position(first, array.shape)} is {array.flat[first]} of dtype {array.dtype}, of which JAX would "
                        f"make {narrow.flat[first]} of dtype {dtype}; {ways}")
    return narrow


def numbers_of(array):
    """16 bits as float32, in which they are the same; other dtypes as they are."""
    return array.astype(np.float32) if is_float(array.dtype) and array.dtype.itemsize == 2 else array
