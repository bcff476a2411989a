"""Temperature scaling in compiled code: gradient descent on one number, by xentfast's C functions called from Numba.

    python examples/numba_pipeline.py
"""

import numba
import numpy as np

from xentfast import capi

value_and_grad = capi.table().softmax_cross_entropy_value_and_grad_float64     # ctypes functions are functions to Numba


@numba.njit(nogil=True)
def descend(logits, targets, options, grad, loss, n_steps, rate):
    """The inverse temperature that makes the loss of ``scale * logits`` small, from 1 on; the loss before the last step."""
    scale = 1.0
    n_rows, n_classes = logits.shape
    for _ in range(n_steps):
        options[0].logit_scale = scale
        status = value_and_grad(logits.ctypes, n_rows, n_classes, n_classes, targets.ctypes, options.ctypes, 0, loss.ctypes,
                                grad.ctypes, n_classes)
        if status != 0:
            return status, scale
        slope = 0.0
        for row in range(n_rows):
            for cls in range(n_classes):
                slope += logits[row, cls] * grad[row, cls]
        scale -= rate * slope / scale                   # the gradient is with respect to the logits before scaling
    return 0, scale


def calibrate(logits, targets, n_steps=100, rate=0.1):
    """(scale, mean loss) for a validation set."""
    logits = np.ascontiguousarray(logits, np.float64)
    targets = np.ascontiguousarray(targets, np.int64)
    if logits.ndim != 2 or targets.shape != logits.shape[:1]:
        raise ValueError(f"logits have shape {logits.shape} and targets {targets.shape}; expected (N, C) and (N,)")
    bad_place = np.zeros(1, np.int64)
    options = np.frombuffer(capi.Options(bad_place=bad_place.ctypes.data), capi.Options)    # compiled code sets its fields
    loss = np.empty(1)
    status, scale = descend(logits, targets, options, np.empty_like(logits), loss, n_steps, rate)
    if status:
        raise ValueError(f"{capi.table().status_message(status).decode()} ({bad_place[0]})")
    return scale, loss[0]


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    truth = rng.standard_normal((2000, 10))
    answers = (truth + rng.gumbel(size=truth.shape)).argmax(axis=1)
    scale, loss = calibrate(3.0 * truth, answers)       # logits three times too sure
    print(f"inverse temperature {scale:.3f}, loss {loss:.4f}")
