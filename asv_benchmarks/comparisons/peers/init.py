"""Initialisers: what each library calls for each function, or the formula that its users write, as in `losses`.

Weights go into a ready array where the library takes one (xentfast, NumPy, Numba, PyTorch). Each library draws from an engine of
its own. Matrices are inputs × outputs, PyTorch's outputs × inputs.
"""

import functools
import math
from typing import NamedTuple

import numpy as np

import xentfast as xf
from xentfast._demo import speed
from xentfast.init._scaling import CUT_STD

from .loops import kernels, set_threads
from .tensors import by_jax, by_torch

# From inputs and outputs: the distribution, and its limits, or its mean and standard deviation (before the cut, at two of it).
DISTRIBUTIONS = {
    "init.uniform": lambda fan_in, fan_out: ("uniform", 0.0, 1.0),
    "init.normal": lambda fan_in, fan_out: ("normal", 0.0, 1.0),
    "init.truncated_normal": lambda fan_in, fan_out: ("truncated", 0.0, 1.0),
    "init.xavier_uniform": lambda fan_in, fan_out: uniform_around_0(6 / (fan_in + fan_out)),
    "init.he_uniform": lambda fan_in, fan_out: uniform_around_0(6 / fan_in),
    "init.lecun_uniform": lambda fan_in, fan_out: uniform_around_0(3 / fan_in),
    "init.xavier_normal": lambda fan_in, fan_out: ("normal", 0.0, math.sqrt(2 / (fan_in + fan_out))),
    "init.he_normal": lambda fan_in, fan_out: ("normal", 0.0, math.sqrt(2 / fan_in)),
    "init.lecun_normal": lambda fan_in, fan_out: ("normal", 0.0, math.sqrt(1 / fan_in)),
    "init.variance_scaling": lambda fan_in, fan_out: ("truncated", 0.0, math.sqrt(2 / fan_in) / CUT_STD),
}
FIXED = {"init.zeros": 0.0, "init.ones": 1.0, "init.constant": 0.5}
FUNCTIONS = dict.fromkeys([*DISTRIBUTIONS, *FIXED, "init.identity", "init.dirac", "init.fill"], ("write", 1)) | dict.fromkeys(
    ["init.sparse", "init.orthogonal", "init.fans", "init.gain", "random.Philox4x32"])
SPARSITY, SPARSE_STD = 0.9, 0.01
SMALL = 16_384


class Problem(NamedTuple):
    shape: tuple[int, ...]          # of init.fill: the number of parameters, and the shape of each

    @property
    def size(self):
        return math.prod(self.shape)


def uniform_around_0(square_of_limit):
    return "uniform", -math.sqrt(square_of_limit), math.sqrt(square_of_limit)


def by_xentfast(function, problem, threads):
    shape = problem.shape
    if function == "random.Philox4x32":
        draw = np.random.Generator(xf.random.Philox4x32(7)).random if shape else functools.partial(xf.random.Philox4x32, 7)
        return functools.partial(draw, shape, np.float32) if shape else draw
    initialiser = getattr(xf.init, function.removeprefix("init."))
    if function in ("init.fans", "init.gain"):
        return functools.partial(initialiser, shape if function == "init.fans" else "relu")
    options = {}
    if function not in FIXED and function not in ("init.identity", "init.dirac"):
        options = {"rng": 0} | ({"n_threads": threads} if problem.size > SMALL else {})
    if function == "init.fill":
        arrays = [np.zeros(shape[1:], np.float32) for _ in range(shape[0])]
        return functools.partial(initialiser, {f"layer{number}": (xf.init.uniform, array) for number, array in enumerate(arrays)},
                                 **options)
    options["out"] = np.zeros(shape, np.float32)
    own = {"init.constant": {"value": FIXED["init.constant"]}, "init.variance_scaling": {"scale": 2.0},
           "init.sparse": {"sparsity": SPARSITY, "std": SPARSE_STD}}
    return functools.partial(initialiser, shape, **options, **own.get(function, {}))


def by_numpy(function, problem, threads):
    shape, rng = problem.shape, np.random.default_rng(0)
    out = np.zeros(shape, np.float32)

    def orthogonal():
        q, r = np.linalg.qr(rng.standard_normal(shape, np.float32))
        q *= np.sign(np.diagonal(r))
        return q

    def identity():
        out.fill(0)
        np.fill_diagonal(out, 1)

    def dirac():
        out.fill(0)
        np.fill_diagonal(out[tuple(length // 2 for length in shape[:-2])], 1)

    def sparse():
        rng.standard_normal(dtype=np.float32, out=out)
        np.multiply(out, np.float32(SPARSE_STD), out=out)
        ranks = rng.random(shape, np.float32).argsort(0)
        np.put_along_axis(out, ranks[: math.ceil(SPARSITY * shape[0])], 0, 0)

    def fill():
        for array in out:
            rng.random(dtype=np.float32, out=array)

    def philox():
        if not shape:
            return np.random.Philox(7)
        return generator.random(shape, np.float32)

    generator = np.random.Generator(np.random.Philox(7))
    if function in DISTRIBUTIONS:
        distribution, shift, scale = DISTRIBUTIONS[function](*problem.shape)
        return {"uniform": lambda: numpy_uniform(rng, out, shift, scale), "normal": lambda: numpy_normal(rng, out, scale),
                "truncated": None}[distribution]
    if function in FIXED:
        return functools.partial(out.fill, FIXED[function])
    return {"init.orthogonal": orthogonal, "init.identity": identity, "init.dirac": dirac, "init.sparse": sparse,
            "init.fill": fill, "random.Philox4x32": philox}.get(function)


def numpy_uniform(rng, out, low, high):
    rng.random(dtype=np.float32, out=out)
    if (low, high) != (0, 1):
        np.multiply(out, np.float32(high - low), out=out)
        np.add(out, np.float32(low), out=out)


def numpy_normal(rng, out, std):
    rng.standard_normal(dtype=np.float32, out=out)
    if std != 1:
        np.multiply(out, np.float32(std), out=out)


def by_scipy(function, problem, threads):
    """The cut normal distribution, from uniform numbers by its inverse: quicker than scipy.stats.truncnorm."""
    from scipy import special

    if function not in DISTRIBUTIONS or DISTRIBUTIONS[function](*problem.shape)[0] != "truncated":
        return None
    std, rng = np.float32(DISTRIBUTIONS[function](*problem.shape)[2]), np.random.default_rng(0)
    out, low, high = np.zeros(problem.shape, np.float32), special.ndtr(-2), special.ndtr(2)

    def truncated():
        numpy_uniform(rng, out, low, high)
        special.ndtri(out, out=out)
        np.multiply(out, std, out=out)

    return truncated


def by_numba(function, problem, threads):
    set_threads(threads)
    if function not in DISTRIBUTIONS:
        return None
    distribution, *parameters = DISTRIBUTIONS[function](*problem.shape)
    if distribution == "truncated":
        return None
    return functools.partial(kernels(threads > 1)[distribution], np.zeros(problem.size, np.float32), *parameters)


# Public name → PyTorch's, with its arguments after the tensor.
PYTORCH = {
    "init.uniform": ("uniform_", {}), "init.normal": ("normal_", {}), "init.truncated_normal": ("trunc_normal_", {}),
    "init.xavier_uniform": ("xavier_uniform_", {}), "init.xavier_normal": ("xavier_normal_", {}),
    "init.he_uniform": ("kaiming_uniform_", {"nonlinearity": "relu"}),
    "init.he_normal": ("kaiming_normal_", {"nonlinearity": "relu"}),
    "init.lecun_uniform": ("kaiming_uniform_", {"nonlinearity": "linear"}),
    "init.lecun_normal": ("kaiming_normal_", {"nonlinearity": "linear"}),
    "init.orthogonal": ("orthogonal_", {}), "init.sparse": ("sparse_", {"sparsity": SPARSITY, "std": SPARSE_STD}),
    "init.identity": ("eye_", {}), "init.dirac": ("dirac_", {}), "init.zeros": ("zeros_", {}), "init.ones": ("ones_", {}),
    "init.constant": ("constant_", {"val": FIXED["init.constant"]}),
}


# They loop over columns or channels, and torch.compile unrolls that for minutes.
UNROLLED = ("init.sparse", "init.dirac")


def by_pytorch(function, problem, threads, compiled=False):
    import torch

    torch.set_num_threads(threads)
    shape, init = problem.shape, torch.nn.init
    if compiled and function in UNROLLED:
        return None
    if function == "init.gain":
        return None if compiled else functools.partial(init.calculate_gain, "relu")
    if function == "init.fans":
        weights = torch.empty(shape[::-1])
        return None if compiled else lambda: init._calculate_fan_in_and_fan_out(weights)
    if function == "random.Philox4x32":
        return functools.partial(torch.rand, shape) if shape and not compiled else None
    if function == "init.fill":
        def fill(weights):
            for parameter in weights:
                init.uniform_(parameter)
            return weights
        return None if compiled else by_torch(fill, [np.zeros(shape, np.float32)], threads)
    if function == "init.variance_scaling":
        std = DISTRIBUTIONS[function](*shape)[2]
        name, options = "trunc_normal_", {"std": std, "a": -2 * std, "b": 2 * std}
    else:
        name, options = PYTORCH[function]
    weights = np.zeros(shape[::-1], np.float32)
    return by_torch(lambda weights: getattr(init, name)(weights, **options), [weights], threads, compiled=compiled)


def by_xla(function, problem, threads):
    jax = speed.import_jax(threads)
    shape, made = problem.shape, jax.nn.initializers
    if function == "random.Philox4x32":
        return by_jax(lambda key: jax.random.uniform(key, shape), [jax.random.key(0)], threads) if shape else None
    if function == "init.fill":
        def fill(key):
            return [jax.random.uniform(one, shape[1:]) for one in jax.random.split(key, shape[0])]
        return by_jax(fill, [jax.random.key(0)], threads)
    every = {
        "init.uniform": lambda: made.uniform(1.0), "init.normal": lambda: made.normal(1.0),
        "init.truncated_normal": lambda: made.truncated_normal(1.0),
        "init.xavier_normal": lambda: made.variance_scaling(1.0, "fan_avg", "normal"),      # its glorot_normal is cut
        "init.he_normal": lambda: made.variance_scaling(2.0, "fan_in", "normal"),
        "init.lecun_normal": lambda: made.variance_scaling(1.0, "fan_in", "normal"),
        "init.variance_scaling": lambda: made.variance_scaling(2.0, "fan_in", "truncated_normal"),
        "init.xavier_uniform": made.glorot_uniform, "init.he_uniform": made.he_uniform, "init.lecun_uniform": made.lecun_uniform,
        "init.orthogonal": made.orthogonal, "init.identity": lambda: lambda key, shape: jax.numpy.eye(*shape),
    }
    every |= {function: functools.partial(made.constant, value) for function, value in FIXED.items()}
    if function not in every:
        return None
    initialiser = every[function]()
    return by_jax(lambda key: initialiser(key, shape), [jax.random.key(0)], threads)


LIBRARIES = {"xentfast": by_xentfast, "NumPy": by_numpy, "SciPy": by_scipy, "Numba": by_numba, "PyTorch": by_pytorch,
             "torch.compile": functools.partial(by_pytorch, compiled=True), "JAX": by_xla}
