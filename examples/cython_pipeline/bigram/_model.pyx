"""Row t of the weights holds the logits of what follows token t. Python makes arrays and checks; the loops run without it."""
from cython.parallel cimport prange
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy

import numpy as np
import xentfast

from xentfast cimport XENTFAST_OK, XENTFAST_SUM, xentfast_api, xentfast_default_options, xentfast_import, xentfast_options

cdef const xentfast_api* api = xentfast_import()        # an ImportError where the installed xentfast does not match the header


cdef check(int status):
    if status != XENTFAST_OK:
        raise ValueError(api.status_message(status).decode())


cdef check_tokens(const int64_t[::1] tokens, Py_ssize_t n_tokens):
    if tokens.shape[0] and not 0 <= np.min(tokens) <= np.max(tokens) < n_tokens:
        raise ValueError(f"tokens go from {np.min(tokens)} to {np.max(tokens)}; expected 0 to {n_tokens - 1}")


def new_weights(Py_ssize_t n_tokens, rng, str name, double std=0.02, int n_threads=0):
    """What ``xentfast.init.normal((n_tokens, n_tokens), std=std, rng=rng, name=name)`` gives."""
    weights = np.empty((n_tokens, n_tokens), np.float32)
    cdef float[:, ::1] view = weights
    cdef uint64_t key = xentfast.random.key(rng), stream = xentfast.random.stream(name)
    cdef int status
    with nogil:
        status = api.normal_float32(&view[0, 0], n_tokens * n_tokens, key, stream, 0, 0.0, std, n_threads)
    check(status)
    return weights


def train(float[:, ::1] weights, const int64_t[::1] tokens, Py_ssize_t batch, float rate, double label_smoothing=0.0,
          int n_threads=0):
    """One pass of gradient descent over the pairs of neighbours, `batch` at a time. The mean loss of each step."""
    cdef Py_ssize_t n_tokens = weights.shape[1], n_steps = (tokens.shape[0] - 1) // batch, step, i, token
    cdef float[:, ::1] logits = np.empty((batch, n_tokens), np.float32)
    losses = np.empty(n_steps, np.float32)
    cdef float[::1] loss = losses
    cdef xentfast_options options = xentfast_default_options()
    cdef int status = XENTFAST_OK
    check_tokens(tokens, min(n_tokens, weights.shape[0]))
    options.label_smoothing = label_smoothing
    with nogil:
        for step in range(n_steps):
            for i in range(batch):
                memcpy(&logits[i, 0], &weights[tokens[step * batch + i], 0], n_tokens * sizeof(float))
            status = api.softmax_cross_entropy_value_and_grad_float32(      # in place: logits become their gradient
                &logits[0, 0], batch, n_tokens, n_tokens, &tokens[step * batch + 1], &options, n_threads, &loss[step],
                &logits[0, 0], n_tokens)
            if status != XENTFAST_OK:
                break
            for i in range(batch):
                for token in range(n_tokens):
                    weights[tokens[step * batch + i], token] -= rate * logits[i, token]
    check(status)
    return losses


def text_losses(const float[:, ::1] weights, const int64_t[::1] tokens, const int64_t[::1] starts, int n_threads=2):
    """The loss of each text, tokens[starts[i] : starts[i + 1]], summed over its pairs: texts go over threads, each call over
    one row of the weights stays on its thread."""
    cdef Py_ssize_t n_tokens = weights.shape[1], n_texts = starts.shape[0] - 1, text, i
    losses, failed = np.zeros(n_texts), np.zeros(n_texts, np.intc)
    cdef double[::1] total = losses
    cdef int[::1] status = failed
    cdef xentfast_options options = xentfast_default_options()
    check_tokens(tokens, min(n_tokens, weights.shape[0]))
    if n_texts and not (0 <= starts[0] and np.all(np.diff(starts) >= 0) and starts[n_texts] <= tokens.shape[0]):
        raise ValueError("starts must rise from 0 to the number of tokens")
    options.reduction = XENTFAST_SUM
    for text in prange(n_texts, nogil=True, num_threads=n_threads):
        for i in range(starts[text], starts[text + 1] - 1):
            status[text] = status[text] | add_loss(&weights[tokens[i], 0], n_tokens, &tokens[i + 1], &options, &total[text])
    check(np.max(failed, initial=0))
    return losses


cdef int add_loss(const float* logits, Py_ssize_t n_tokens, const int64_t* target, const xentfast_options* options,
                  double* total) noexcept nogil:
    cdef float loss = 0.0
    cdef int status = api.softmax_cross_entropy_float32(logits, 1, n_tokens, n_tokens, target, options, 1, &loss)
    total[0] += loss
    return status
