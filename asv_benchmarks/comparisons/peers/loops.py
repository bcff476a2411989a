"""The loops that a Numba user would write; those of the softmax loss are in `xentfast._demo.speed`."""

import functools
import math

import numpy as np

from xentfast._demo.speed import numba_kernel


def set_threads(threads):
    import numba

    numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))


@functools.cache
def softmax_kernel(parallel):
    """Loss, and gradient where it gets an array for it: loops of `xentfast._demo.speed`. For one thread, without a
    parallel region."""
    import numba

    kernel = numba_kernel()
    return kernel if parallel else numba.njit(fastmath=True)(kernel.py_func)


@functools.cache
def kernels(parallel):
    """{name: loops}; each is compiled when it is first called."""
    import numba

    compiled = numba.njit(parallel=parallel, fastmath=True)
    one = np.float32(1)

    @compiled
    def softmax(logits, out):
        for row in numba.prange(logits.shape[0]):
            row_max, row_sum = logits[row].max(), np.float32(0)
            for cls in range(logits.shape[1]):
                power = math.exp(logits[row, cls] - row_max)
                out[row, cls] = power
                row_sum += power
            scale = one / row_sum
            for cls in range(logits.shape[1]):
                out[row, cls] *= scale
        return out

    @compiled
    def logsumexp(logits, out):
        for row in numba.prange(logits.shape[0]):
            row_max, row_sum = logits[row].max(), np.float32(0)
            for cls in range(logits.shape[1]):
                row_sum += math.exp(logits[row, cls] - row_max)
            out[row] = math.log(row_sum) + row_max
        return out

    @compiled
    def log_softmax(logits, out):
        for row in numba.prange(logits.shape[0]):
            row_max, row_sum = logits[row].max(), np.float32(0)
            for cls in range(logits.shape[1]):
                row_sum += math.exp(logits[row, cls] - row_max)
            log_sum = math.log(row_sum) + row_max
            for cls in range(logits.shape[1]):
                out[row, cls] = logits[row, cls] - log_sum
        return out

    @compiled
    def softmax_hessian(logits, targets, gradient, hessian):
        for row in numba.prange(logits.shape[0]):
            row_max, row_sum = logits[row].max(), np.float32(0)
            for cls in range(logits.shape[1]):
                power = math.exp(logits[row, cls] - row_max)
                gradient[row, cls] = power
                row_sum += power
            scale = one / row_sum
            for cls in range(logits.shape[1]):
                p = gradient[row, cls] * scale
                gradient[row, cls] = p
                hessian[row, cls] = p * (one - p)
            gradient[row, targets[row]] -= one
        return gradient, hessian

    @compiled
    def sigmoid_loss(logits, targets):
        total = 0.0
        for i in numba.prange(logits.size):
            x = logits[i]
            total += max(x, np.float32(0)) - x * targets[i] + math.log1p(math.exp(-abs(x)))
        return total / logits.size

    @compiled
    def sigmoid_both(logits, targets, gradient):
        total, share = 0.0, np.float32(1 / logits.size)
        for i in numba.prange(logits.size):
            x = logits[i]
            power = math.exp(-abs(x))
            total += max(x, np.float32(0)) - x * targets[i] + math.log1p(power)
            p = (one if x >= 0 else power) / (one + power)
            gradient[i] = (p - targets[i]) * share
        return total / logits.size

    @compiled
    def sigmoid_hessian(logits, targets, gradient, hessian):
        for i in numba.prange(logits.size):
            p = one / (one + math.exp(-logits[i]))
            gradient[i] = p - targets[i]
            hessian[i] = p * (one - p)
        return gradient, hessian

    @compiled
    def entropy(p, out):
        for row in numba.prange(p.shape[0]):
            total = 0.0
            for cls in range(p.shape[1]):
                if p[row, cls] > 0:
                    total -= p[row, cls] * math.log(p[row, cls])
            out[row] = total
        return out

    @compiled
    def cross_entropy(p, q, out):
        for row in numba.prange(p.shape[0]):
            total = 0.0
            for cls in range(p.shape[1]):
                if p[row, cls] > 0:
                    total -= p[row, cls] * math.log(q[row, cls])
            out[row] = total
        return out

    @compiled
    def kl_divergence(p, q, out):
        for row in numba.prange(p.shape[0]):
            total = 0.0
            for cls in range(p.shape[1]):
                if p[row, cls] > 0:
                    total += p[row, cls] * math.log(p[row, cls] / q[row, cls])
            out[row] = total
        return out

    @compiled
    def cross_entropy_grad(p, q, out):
        for row in numba.prange(p.shape[0]):
            for cls in range(p.shape[1]):
                out[row, cls] = -p[row, cls] / q[row, cls]
        return out

    @compiled
    def log_loss(labels, q):
        total = 0.0
        for row in numba.prange(q.shape[0]):
            total -= math.log(q[row, labels[row]])
        return total / q.shape[0]

    @compiled
    def uniform(out, low, high):
        for i in numba.prange(out.size):
            out[i] = low + (high - low) * np.random.random()  # noqa: NPY002 (Numba's own, one engine a thread)
        return out

    @compiled
    def normal(out, mean, std):
        for i in numba.prange(out.size):
            out[i] = mean + std * np.random.standard_normal()  # noqa: NPY002
        return out

    return {name: loops for name, loops in locals().items() if hasattr(loops, "py_func")}
