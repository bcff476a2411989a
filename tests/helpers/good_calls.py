"""A good call of every public function: what tests of all functions start from. No assert: it runs under python -OO as well."""

import inspect
from functools import partial
from operator import attrgetter

import numpy as np
from extras import is_installed, public_names

import xentfast as xf

RNG = np.random.default_rng(11)
X = RNG.standard_normal((3, 4)).astype(np.float32)
T = np.array([1, 0, 3])
P = np.full((3, 4), 0.25)
# By the names of arguments; then those of functions which want others.
GOOD = {
    "logits": X, "targets": T, "x": X, "p": P, "q": P, "y_true": T, "y_pred": P, "labels": None, "first_class": 0, "n_classes": 4,
    "partials": xf.softmax_cross_entropy_partial(X, T, first_class=0, n_classes=4),
    "hidden": X[:, :2], "linear_weight": X.T[:, :2],
    "shape": (3, 4), "value": 0.5, "sparsity": 0.5, "nonlinearity": "relu", "rng": 7, "bits": 7, "library": "xgboost",
    "hessian": "xgboost",
}
OTHERS = {"init.fill": {"params": {"w": (xf.init.he_normal, (3, 4))}}, "boosting.base_margin": {"labels": T},
          "random.Philox4x32": {"seed": 7, "counter": 0}}
# What takes no arguments, and C structures; aliases of what is there.
LEFT_OUT = {"show_config", "get_include", "__version__", "torch.init.init_module", *(f"capi.{name}" for name in xf.capi.__all__)}


def _arguments(name, function):
    parameters = inspect.signature(function).parameters
    others = OTHERS.get(name, {})
    if name.endswith("log_loss"):
        others = {"y_true": np.eye(4)[T]}
    if name.rpartition(".")[2].startswith("sigmoid"):
        others = {"targets": (X > 0).astype(np.float32)}
    found = {key: others.get(key, GOOD.get(key, parameter.default)) for key, parameter in parameters.items()}
    if "where_count" in found:
        found["where_count"] = None
    return found


def _of_torch(name, function):
    import torch

    own = {"input": torch.from_numpy(X), "target": torch.from_numpy(T), "tensor": torch.zeros(3, 4),
           "model": torch.nn.Linear(3, 4)}
    given = _arguments(name, function)
    return given | {key: own[key] for key in own.keys() & given.keys()}


def _of_dask(name, function):
    import dask.array as da

    given = _arguments(name, function)
    return {key: da.from_array(value, chunks=2) if key in ("logits", "x", "p", "q", "y_pred") else value
            for key, value in given.items()}


def _computed(function, **given):
    import dask

    return dask.compute(function(**given), scheduler="sync")[0]


def _on_numpy(function, **given):
    """JAX goes on while a call runs: what went wrong is an error where the values are wanted."""
    import jax

    with jax.default_device(jax.devices("cpu")[0]):
        results = function(**given)
        return tuple(map(np.asarray, results)) if isinstance(results, tuple) else np.asarray(results)


def good_calls():
    """{name: (function, all its arguments by name)}"""
    calls = {}
    for name in public_names():
        function = attrgetter(name)(xf)
        if name in LEFT_OUT or not callable(function):
            continue
        if name.startswith("torch."):
            calls[name] = function, _of_torch(name, function)
        elif name.startswith("dask."):
            calls[name] = partial(_computed, function), _of_dask(name, function)
        elif name.startswith("jax."):
            calls[name] = partial(_on_numpy, function), _arguments(name, function)
        else:
            calls[name] = function, _arguments(name, function)
    if is_installed("boosting"):
        for kind in ("Softmax", "Sigmoid"):
            given = {"y_true": T if kind == "Softmax" else T[:3] % 2, "y_pred": X if kind == "Softmax" else X[:, 0],
                     "sample_weight": None}
            calls[f"boosting.{kind}Objective()"] = getattr(xf.boosting, f"{kind}Objective")(**_made_with(kind)), given
            calls[f"boosting.{kind}Metric()"] = getattr(xf.boosting, f"{kind}Metric")("xgboost"), given
    generator = xf.random.Philox4x32(7)
    calls["random.Philox4x32().advance"] = generator.advance, {"delta": 3}
    calls["random.Philox4x32().jumped"] = generator.jumped, {"jumps": 3}
    return calls


def _made_with(kind):
    return {"hessian": "xgboost"} if kind == "Softmax" else {}


def answers():
    """{name: what its good call gives, as text}"""
    return {name: _text(function(**given)) for name, (function, given) in good_calls().items()}


def _text(result):
    if isinstance(result, (tuple, list)):
        return [_text(part) for part in result]
    if isinstance(result, dict):
        return {key: _text(part) for key, part in result.items()}
    if hasattr(result, "parameters"):                           # a module of PyTorch's
        return [_text(part) for part in result.parameters()]
    if hasattr(result, "detach"):
        result = result.detach().numpy()
    array = np.asarray(result)
    return type(result).__name__ if array.dtype.hasobject else [str(array.dtype), list(array.shape), array.tobytes().hex()]
