"""A capsule that looks like a kernel table of another build."""

import ctypes

_MEMORY = (ctypes.c_ssize_t * 256)(1, 2)
_NAME = b"xentfast._kernels.table"


def foreign_table():
    new = ctypes.pythonapi.PyCapsule_New
    new.restype, new.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
    return new(ctypes.addressof(_MEMORY), _NAME, None)
