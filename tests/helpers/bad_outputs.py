"""Outputs for float32 logits of shape (3, 10) that every function refuses."""

import numpy as np

# float32 in the byte order that this machine has not.
SWAPPED = np.dtype(np.float32).newbyteorder()

READ_ONLY = np.zeros((3, 10), np.float32)
READ_ONLY.flags.writeable = False
# (out, error, what its message says)
OUTS = [
    (np.zeros((3, 9), np.float32), ValueError, "out has shape (3, 9); expected (3, 10)"),
    (np.zeros((3, 10)), TypeError, "out has dtype float64; expected float32"),
    (np.zeros((3, 10), SWAPPED), TypeError, f"out has dtype {SWAPPED}; expected float32"),
    (READ_ONLY.tolist(), TypeError, "out is of type list; expected a NumPy array"),
    (READ_ONLY, ValueError, "out is read-only"),
    (np.lib.stride_tricks.as_strided(np.zeros(10, np.float32), (3, 10), (0, 4)), ValueError,
     "out has elements that share memory"),
    (np.frombuffer(bytearray(121), np.uint8)[1:].view(np.float32).reshape(3, 10), ValueError, "out is not aligned"),
]
