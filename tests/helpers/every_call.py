"""Calls of every public function of NumPy arrays, with many of their options: what faults and long runs are tried on."""

import ctypes
from functools import partial
from types import SimpleNamespace

import numpy as np

import xentfast as xf
from xentfast import capi, init

# What computes nothing, and second names.
EXEMPT = {"__version__", "get_include", "show_config", *(f"capi.{name}" for name in capi.__all__ if name != "table"),
          "init.glorot_normal", "init.glorot_uniform", "init.kaiming_normal", "init.kaiming_uniform"}
TABLE = capi.table()
ROWS = {"weight": "weight", "sample_weight": "sample_weight", "where": "where", "label_smoothing": 0.1}
SCALED = {"logit_scale": 1.5, "softcap": 8.0, "z_loss": 0.01, "ignore_index": 1}


def arguments(seed, n_rows=None, n_classes=None, dtype=None, n_threads=None):
    """Arrays for any call: of random shape and type, unless they are given, and random values."""
    rng = np.random.default_rng(seed)
    d = SimpleNamespace(n=n_rows or int(rng.integers(1, 200)), c=n_classes or int(rng.choice([2, 3, 10, 33, 100, 1000, 5000])),
                        dtype=np.dtype(dtype or rng.choice(["float16", "float32", "float64"])), seed=int(seed),
                        n_threads=n_threads or int(rng.integers(1, 5)))
    shape = d.n, d.c
    d.x, d.where = (rng.standard_normal(shape) * 3).astype(d.dtype), rng.random(shape) < 0.9
    d.labels = rng.integers(0, d.c, d.n)
    d.t = np.where(rng.random(d.n) < 0.1, -100, d.labels)
    d.weight, d.sample_weight = rng.random(d.c), rng.random(d.n)
    d.p, d.q = (part / part.sum(axis=1, keepdims=True) for part in rng.random((2, *shape)) + 1e-3)
    d.soft, d.binary = d.p.astype(d.dtype), rng.random(shape).astype(d.dtype)
    d.hidden, d.matrix = rng.standard_normal((d.n, 8), np.float32), rng.standard_normal((d.c, 8), np.float32)
    d.bias = rng.standard_normal(d.c, np.float32)
    return d


def of(d, options):
    """Options with the arrays that they name."""
    return {key: getattr(d, value) if isinstance(value, str) and hasattr(d, value) else value for key, value in options.items()}


def softmax_call(function, d, targets="t", **options):
    return function(d.x, getattr(d, targets), n_threads=d.n_threads, **of(d, options))


def softmax_calls(function, *more):
    return [partial(softmax_call, function, targets=targets, **options)
            for targets, options in [("t", {}), ("t", ROWS), ("labels", SCALED), ("soft", ROWS), *more]]


def linear_calls(function):
    def call(d, **options):
        return function(d.hidden, d.matrix, d.t, memory_limit=2**16, n_threads=d.n_threads, **of(d, options))
    return [call, partial(call, bias="bias", **ROWS)]


def sigmoid_calls(function):
    def call(d, **options):
        return function(d.x, d.binary, n_threads=d.n_threads, **options)
    return [call, partial(call, pos_weight=2.0, label_smoothing=0.1), partial(call, focal_gamma=2.0)]


def slices_of(d):
    return [(first, last) for first, last in ((0, d.c // 2), (d.c // 2, d.c))]


def records_of(d):
    return [xf.softmax_cross_entropy_partial(d.x[:, first:last], d.t, n_classes=d.c, first_class=first, n_threads=d.n_threads)
            for first, last in slices_of(d)]


def combine(d):
    return xf.softmax_cross_entropy_combine(np.concatenate(records_of(d), axis=-2), d.t, n_classes=d.c, n_threads=d.n_threads)


def combine_grad(d):
    records = np.concatenate(records_of(d), axis=-2)
    return [xf.softmax_cross_entropy_combine_grad(records, d.x[:, first:last], d.t, n_classes=d.c, first_class=first,
                                                  n_threads=d.n_threads) for first, last in slices_of(d)]


def from_c(d):
    """By the C functions."""
    x, result, grad = d.x.astype(np.float32), np.zeros(d.n, np.float32), np.zeros((d.n, d.c), np.float32)
    filled = np.zeros(d.n)
    options = capi.Options(reduction=capi.NONE, label_smoothing=0.1, ignore_index=1, weight=d.weight.ctypes.data)
    try:
        loss = TABLE.softmax_cross_entropy_value_and_grad_float32(
            x.ctypes.data, d.n, d.c, d.c, d.labels.ctypes.data, ctypes.byref(options), d.n_threads, result.ctypes.data,
            grad.ctypes.data, d.c)
        fill = TABLE.normal_float64(filled.ctypes.data, d.n, d.seed, 7, 0, 0.0, 1.0, d.n_threads)
    except ctypes.ArgumentError as error:
        raise MemoryError from error
    if loss == fill == 0:
        return result, grad, filled
    assert loss == 1 and fill == 0                                  # XENTFAST_NO_MEMORY
    raise MemoryError(TABLE.status_message(loss).decode())


def filled(function, **options):
    return [lambda d: function((d.n, d.c), rng=d.seed, name="w", n_threads=d.n_threads, **options),
            lambda d: function((d.n, d.c), rng=d.seed, dtype=d.dtype, out=np.empty((d.n, d.c), d.dtype), **options)]


def of_many(d):
    return list(init.fill({"a": (init.he_normal, (d.c, d.n)), "b": (init.uniform, (d.n,)), "c": (init.zeros, (3, d.c))},
                          rng=d.seed, n_threads=d.n_threads).values())


# name: calls, each of which takes `arguments` and returns a number, an array or several
CALLS = {
    **{name: softmax_calls(getattr(xf, name)) for name in (
        "softmax_cross_entropy", "softmax_cross_entropy_grad", "softmax_cross_entropy_value_and_grad")},
    "perplexity": [partial(softmax_call, xf.perplexity, **more) for more in ({}, {"weight": "weight", "where": "where"})],
    "softmax_cross_entropy_grad_hess": [partial(softmax_call, xf.softmax_cross_entropy_grad_hess, **more) for more in ({}, ROWS)],
    "softmax_cross_entropy_partial": [records_of],
    "softmax_cross_entropy_combine": [combine],
    "softmax_cross_entropy_combine_grad": [combine_grad],
    "linear_cross_entropy": linear_calls(xf.linear_cross_entropy),
    "linear_cross_entropy_value_and_grad": linear_calls(xf.linear_cross_entropy_value_and_grad),
    **{name: sigmoid_calls(getattr(xf, name)) for name in (
        "sigmoid_cross_entropy", "sigmoid_cross_entropy_grad", "sigmoid_cross_entropy_value_and_grad",
        "sigmoid_cross_entropy_grad_hess")},
    "softmax": [lambda d: xf.softmax(d.x, n_threads=d.n_threads), lambda d: xf.softmax(d.x, axis=(0, 1))],
    "log_softmax": [lambda d: xf.log_softmax(d.x, n_threads=d.n_threads), lambda d: xf.log_softmax(d.x, axis=0)],
    "logsumexp": [lambda d: xf.logsumexp(d.x, n_threads=d.n_threads), lambda d: xf.logsumexp(d.x, axis=None)],
    "cross_entropy": [lambda d: xf.cross_entropy(d.p, d.q, n_threads=d.n_threads), lambda d: xf.cross_entropy(d.p, d.q, axis=0)],
    "cross_entropy_grad": [lambda d: xf.cross_entropy_grad(d.p, d.q, n_threads=d.n_threads)],
    "kl_divergence": [lambda d: xf.kl_divergence(d.p, d.q, n_threads=d.n_threads)],
    "entropy": [lambda d: xf.entropy(d.p, n_threads=d.n_threads), lambda d: xf.entropy(d.p, axis=(0, 1))],
    "log_loss": [lambda d: xf.log_loss(d.labels, d.p, labels=range(d.c), sample_weight=d.sample_weight)],
    "capi.table": [from_c],
    "init.uniform": filled(init.uniform), "init.normal": filled(init.normal, std=0.02),
    "init.truncated_normal": filled(init.truncated_normal), "init.variance_scaling": filled(init.variance_scaling),
    **{f"init.{name}": filled(getattr(init, name)) for name in (
        "xavier_uniform", "xavier_normal", "he_uniform", "he_normal", "lecun_uniform", "lecun_normal")},
    "init.orthogonal": [lambda d: init.orthogonal((min(d.n, 20), min(d.c, 20)), rng=d.seed)],
    "init.sparse": [lambda d: init.sparse((d.n, d.c), sparsity=0.3, rng=d.seed, n_threads=d.n_threads)],
    "init.identity": [lambda d: init.identity((d.n, d.c))], "init.dirac": [lambda d: init.dirac((3, d.n, d.c))],
    "init.zeros": [lambda d: init.zeros((d.n, d.c))], "init.ones": [lambda d: init.ones((d.n, d.c))],
    "init.constant": [lambda d: init.constant((d.n, d.c), 0.5)],
    "init.fill": [of_many],
    "init.fans": [lambda d: init.fans((d.n, d.c))], "init.gain": [lambda d: init.gain("leaky_relu", 0.2)],
    "random.key": [lambda d: xf.random.key(d.seed)], "random.Key": [lambda d: xf.random.Key(d.seed)],
    "random.stream": [lambda d: xf.random.stream("w")],
    "random.Philox4x32": [lambda d: np.random.Generator(xf.random.Philox4x32(d.seed)).random(d.n)],
}

# name: a call into `out`, of the logits' shape and dtype
INTO = {
    **{name: partial(lambda function, d, out: function(d.x, d.t, out=out, n_threads=d.n_threads), getattr(xf, name))
       for name in ("softmax_cross_entropy_grad", "softmax_cross_entropy_value_and_grad")},
    **{name: partial(lambda function, d, out: function(d.x, d.binary, out=out, n_threads=d.n_threads), getattr(xf, name))
       for name in ("sigmoid_cross_entropy_grad", "sigmoid_cross_entropy_value_and_grad")},
    "softmax": lambda d, out: xf.softmax(d.x, out=out), "log_softmax": lambda d, out: xf.log_softmax(d.x, out=out),
    "cross_entropy_grad": lambda d, out: xf.cross_entropy_grad(d.soft, d.soft, out=out),
    "init.normal": lambda d, out: init.normal(out.shape, rng=d.seed, dtype=out.dtype, out=out, n_threads=d.n_threads),
}


def bytes_of(result):
    """Of a number, an array, or several of them."""
    if isinstance(result, (tuple, list)):
        return b"".join(map(bytes_of, result))
    return b"" if result is None else np.asarray(result).tobytes()
