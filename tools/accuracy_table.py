"""Prints the worst errors of this package and of its peers as a Markdown table:  python tools/accuracy_table.py

In ulp of the dtype that the function returns, over results that are normal numbers. The exact values are of long double, or of
40 digits where that is too short. A peer that is not installed, or has no such function, leaves its column empty.
"""

import importlib
import importlib.metadata
import importlib.util
import sys
from pathlib import Path

import ml_dtypes
import mpmath
import numpy as np

import xentfast as xf

sys.path.append(str(Path(__file__).parents[1] / "tests" / "helpers"))
from exact import exact_grad, exact_loss, exact_shifted

BFLOAT16 = ml_dtypes.bfloat16
PEERS = [{"PyTorch": "torch"}, {"JAX": "jax", "optax": "optax"}, {"SciPy": "scipy"}]          # a column each
mpmath.mp.dps = 40


def installed(name):
    return importlib.import_module(name) if importlib.util.find_spec(name) else None


torch, jax, optax, special = map(installed, ("torch", "jax", "optax", "scipy.special"))
if jax:
    jax.config.update("jax_enable_x64", True)


# ---- cases


def logits_of(spread, offset=0.0, n_rows=64, n_classes=1000):
    return np.random.default_rng(11).standard_normal((n_rows, n_classes)) * spread + offset


def random_targets(x):
    return np.random.default_rng(12).integers(0, x.shape[1], len(x))


def largest_targets(x):
    return x.astype(np.float64).argmax(1)


WIDE = np.float32, np.float64
LOGITS = [                                                      # (name, dtypes, logits, targets)
    ("N(0, 3), random target", WIDE, lambda: logits_of(3), random_targets),
    ("N(0, 3), largest target", WIDE, lambda: logits_of(3), largest_targets),
    ("N(0, 50), largest target", WIDE, lambda: logits_of(50), largest_targets),
    ("N(0, 3) + 10⁴, largest target", WIDE, lambda: logits_of(3, 1e4), largest_targets),
    ("N(0, 3), 50 257 classes", [BFLOAT16], lambda: logits_of(3, 0, 8, 50_257), random_targets),
    ("131 072 equal logits", [np.float16], lambda: np.zeros((2, 131_072)), random_targets),
]


def probabilities(dtype):
    return np.random.default_rng(13).dirichlet(np.ones(1000), 8).astype(dtype)


def near_equal(dtype):
    p = probabilities(np.float64)
    q = p * (1 + 1e-4 * np.random.default_rng(14).standard_normal(p.shape))
    return p.astype(dtype), (q / q.sum(1, keepdims=True)).astype(dtype)


# ---- exact values


def in_digits(function, *arrays):
    """Σ function(p, …) over the last axis."""
    rows = zip(*(array.astype(np.float64) for array in arrays), strict=True)
    sums = [mpmath.fsum(function(*map(mpmath.mpf, map(float, terms))) for terms in zip(*row, strict=True)) for row in rows]
    return np.array([np.longdouble(mpmath.nstr(total, 25)) for total in sums])


def exact_sigmoid(x, targets):
    """(loss, gradient) where the target is x > 0, so that nothing cancels."""
    e = np.exp(-np.abs(x.astype(np.longdouble)))
    return np.log1p(e), np.where(targets > 0, -1, 1) * e / (1 + e)


# ---- the packages


def to_torch(x, needs_grad=False):
    x = np.ascontiguousarray(x)
    tensor = torch.from_numpy(x.view(np.int16)).view(torch.bfloat16) if x.dtype == BFLOAT16 else torch.from_numpy(x)
    return tensor.clone().requires_grad_(needs_grad)


def from_torch(tensor):
    tensor = tensor.detach()
    return tensor.view(torch.int16).numpy().view(BFLOAT16) if tensor.dtype == torch.bfloat16 else tensor.numpy()


def by_torch(function, *arrays):
    return from_torch(function(*map(to_torch, arrays))) if torch else None


def grad_by_torch(function, x):
    if not torch:
        return None
    x = to_torch(x, True)
    function(x).sum().backward()
    return from_torch(x.grad)


def by_jax(function, *arrays):
    return np.asarray(function(*map(jax.numpy.asarray, arrays))) if jax and optax else None


def grad_by_jax(function, x):
    return by_jax(jax.grad(lambda y: function(y).sum()), x) if jax and optax else None


def by_scipy(function, *arrays):
    return function(*arrays) if special and arrays[0].dtype in WIDE else None


def softmax_rows(x, t):
    """Losses and their gradients: (function, exact, results in the order of the columns)."""
    def torch_loss(y):
        return torch.nn.functional.cross_entropy(y, torch.from_numpy(t), reduction="none")

    def jax_loss(y):
        return optax.softmax_cross_entropy_with_integer_labels(y, t)

    yield "softmax_cross_entropy", exact_loss(x, t), [
        xf.softmax_cross_entropy(x, t, reduction="none"), by_torch(torch_loss, x), by_jax(jax_loss, x), None]
    yield "softmax_cross_entropy_grad", exact_grad(x, t), [
        xf.softmax_cross_entropy_grad(x, t, reduction="none"), grad_by_torch(torch_loss, x), grad_by_jax(jax_loss, x), None]
    if hasattr(xf, "softmax_cross_entropy_grad_hess"):
        shifted, log_sum = exact_shifted(x)
        p = np.exp(shifted - log_sum)
        rest, target = 1 - p, (np.arange(len(x)), t)
        rest[target] = np.abs(exact_grad(x, t)[target])             # of a target 1 − p is known without a difference
        yield "softmax_cross_entropy_grad_hess", p * rest, [
            xf.softmax_cross_entropy_grad_hess(x, t, reduction="none")[1], None, None, None]


def family_rows(x):
    shifted, log_sum = exact_shifted(x)
    for name, exact in (("softmax", np.exp(shifted - log_sum)), ("log_softmax", shifted - log_sum),
                        ("logsumexp", x.max(1).astype(np.longdouble) + log_sum[:, 0])):
        in_jax = getattr(jax.nn, name) if jax else None
        yield name, exact, [
            getattr(xf, name)(x), by_torch(lambda y, name=name: getattr(torch, name)(y, -1), x),
            by_jax(lambda y, in_jax=in_jax: in_jax(y, axis=-1), x),
            by_scipy(lambda y, name=name: getattr(special, name)(y, axis=-1), x)]


def sigmoid_rows(x, t):
    def torch_loss(y):
        return torch.nn.functional.binary_cross_entropy_with_logits(y, to_torch(t), reduction="none")

    def jax_loss(y):
        return optax.sigmoid_binary_cross_entropy(y, t)

    loss, grad = xf.sigmoid_cross_entropy_value_and_grad(x, t, reduction="none")
    exact_l, exact_g = exact_sigmoid(x, t)
    yield "sigmoid_cross_entropy", exact_l, [loss, by_torch(torch_loss, x), by_jax(jax_loss, x), None]
    yield "sigmoid_cross_entropy_grad", exact_g, [grad, grad_by_torch(torch_loss, x), grad_by_jax(jax_loss, x), None]


def information_rows(dtype):
    """(case, function, exact, results)"""
    p, (near, nearer) = probabilities(dtype), near_equal(dtype)
    if hasattr(xf, "entropy"):
        yield "1000 probabilities", "entropy", in_digits(lambda a: -a * mpmath.log(a), p), [
            xf.entropy(p), by_torch(lambda a: torch.special.entr(a).sum(-1), p),
            by_jax(lambda a: jax.scipy.special.entr(a).sum(-1), p), by_scipy(lambda a: special.entr(a).sum(-1), p)]
    if hasattr(xf, "cross_entropy"):
        yield "1000 probabilities", "cross_entropy", in_digits(lambda a, b: -a * mpmath.log(b), near, nearer), [
            xf.cross_entropy(near, nearer), by_torch(lambda a, b: -(a * b.log()).sum(-1), near, nearer),
            by_jax(lambda a, b: -(a * jax.numpy.log(b)).sum(-1), near, nearer),
            by_scipy(lambda a, b: -special.xlogy(a, b).sum(-1), near, nearer)]
    if hasattr(xf, "kl_divergence"):
        yield "nearly equal", "kl_divergence", in_digits(lambda a, b: a * mpmath.log(a / b), near, nearer), [
            xf.kl_divergence(near, nearer),
            by_torch(lambda a, b: torch.nn.functional.kl_div(b.log(), a, reduction="none").sum(-1), near, nearer),
            by_jax(lambda a, b: jax.scipy.special.rel_entr(a, b).sum(-1), near, nearer),
            by_scipy(lambda a, b: special.rel_entr(a, b).sum(-1), near, nearer)]
    if hasattr(xf, "log_loss"):
        truth, surest = np.arange(8) % 1000, probabilities(dtype)
        exact = -np.log(surest[np.arange(8), truth].astype(np.longdouble)).mean()
        yield "1000 probabilities", "log_loss", exact, [xf.log_loss(truth, surest, labels=np.arange(1000)), None, None, None]


def all_rows():
    """(function, case, dtype, exact, results)"""
    for case, dtypes, make, targets in LOGITS:
        for dtype in dtypes:
            x = make().astype(dtype)
            for function, exact, results in softmax_rows(x, targets(x)):
                yield function, case, dtype, exact, results
            if targets is largest_targets or dtype not in WIDE:
                for function, exact, results in family_rows(x):
                    yield function, case.removesuffix(", largest target"), dtype, exact, results
    for dtype in WIDE:
        if hasattr(xf, "sigmoid_cross_entropy_value_and_grad"):
            x = logits_of(30).astype(dtype)
            for function, exact, results in sigmoid_rows(x, (x > 0).astype(dtype)):
                yield function, "confident: N(0, 30), t = [x > 0]", dtype, exact, results
        for case, function, exact, results in information_rows(dtype):
            yield function, case, dtype, exact, results


# ---- the table


def worst(got, exact):
    """The largest error in ulp of `got`, as text."""
    if got is None:
        return ""
    got, exact = np.asarray(got), np.asarray(exact)
    info = ml_dtypes.finfo(got.dtype)
    normal = np.abs(exact) >= np.longdouble(info.smallest_normal)
    got, exact = got.astype(np.longdouble)[normal], exact[normal]
    if exact.size == 0:
        return "–"
    if not np.isfinite(got).all():
        return "nan" if np.isnan(got).any() else "inf"
    ulp = np.ldexp(np.longdouble(1), np.frexp(exact)[1] - 1 - info.nmant)
    error = float((np.abs(got - exact) / ulp).max())
    return f"{error:.2f}" if error < 100 else f"{error:.0f}" if error < 1e5 else f"{error:.0e}"


def main():
    titles = [", ".join(f"{title} {importlib.metadata.version(name)}" if importlib.util.find_spec(name) else title
                        for title, name in column.items()) for column in PEERS]
    print("| function | case | dtype | xentfast |", " | ".join(titles), "|")
    print("|---|---|---|---:|" + "---:|" * len(PEERS))
    rows = list(all_rows())
    for function in dict.fromkeys(row[0] for row in rows):
        for name, case, dtype, exact, results in rows:
            if name == function:
                print(f"| `{name}` | {case} | {np.dtype(dtype).name} |", " | ".join(worst(got, exact) for got in results), "|")


if __name__ == "__main__":
    main()
