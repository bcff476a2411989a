"""The C functions, and modules for other libraries where these are installed: beside the functions of NumPy arrays, or twins."""

import importlib
from operator import attrgetter

import c_table
import numpy as np
import reference
from cases import FAMILIES, Case, arguments, family
from comparing import Finding, check_bits
from drawing import FLOATS, Draw
from extras import is_installed
from init_cases import NAMED, common, weights_shape
from tolerances import TWIN

import xentfast as xf

WIDE = FLOATS[:2]


@family("capi.table")
def c_case(draw, name):
    """Rows of any distance in memory; what has a status is an error here."""
    n_rows, n_classes = draw.choice([1, 2, 5, 33, 64, 0]), draw.choice([1, 2, 3, 10, 33, 100, 2100])
    dtype = draw.choice(WIDE)
    logits, targets = draw.floats((n_rows, n_classes), dtype), draw.rng.integers(0, n_classes, n_rows)
    options = {"reduction": draw.choice(["mean", "sum", "none"])}
    if draw.chance(0.3):
        options["label_smoothing"] = draw.choice([0.1, 1.0])
    if draw.chance(0.2):
        options["z_loss"] = draw.choice([0.01, -0.1])
    if draw.chance(0.2):
        options["logit_scale"] = draw.choice([0.5, -1.0])
    if draw.chance(0.2):
        options["softcap"] = draw.choice([5.0, 30.0])
    if draw.chance(0.3):
        options["ignore_index"] = ignored = draw.choice([-1, 0, n_classes])
        targets = np.where(draw.rng.random(n_rows) < 0.4, ignored, targets)
    arrays = {key: draw.weights((length,)).astype(np.float64)
              for key, length in (("weight", n_classes), ("sample_weight", n_rows)) if draw.chance(0.3)}
    gap = draw.choice([0, 0, 3])
    rows = draw.held(np.full((n_rows, n_classes + gap), np.nan, dtype))[:, :n_classes]
    rows[...] = logits
    draw.buffers.clear()
    draw.held(rows)
    given = {"logits": rows, "targets": draw.held(targets), **{key: draw.held(array) for key, array in arrays.items()}, **options,
             "n_threads": draw.choice([0, 1, 2])}
    plain = {"logits": logits, "targets": targets, **arrays, **options, "n_threads": 1}

    def function(logits, targets, n_threads, **options):
        results = []
        for one in ("softmax_cross_entropy", "softmax_cross_entropy_grad", "softmax_cross_entropy_value_and_grad"):
            status, loss, grad = c_table.cross_entropy(one, logits, targets, c_table.options_of(**options), n_threads=n_threads)
            if status:
                if not all(part is None or np.all(part == c_table.SENTINEL) for part in (loss, grad)):
                    raise Finding(f"{one} has status {status}, and has written")
                raise ValueError(c_table.TABLE.status_message(status).decode())
            results += [part for part in (loss, grad) if part is not None]
        return tuple(results)

    def judge(results):
        loss, grad = xf.softmax_cross_entropy_value_and_grad(logits, targets, **arrays, **options)
        for got, want in zip(results, [loss, grad, loss, grad], strict=True):
            check_bits("a result", got.reshape(np.shape(want)), np.asarray(want))
    return Case(name, function, given, plain, judge,
                {"label_smoothing": [-1.0, 2.0, np.nan], "z_loss": [np.inf], "logit_scale": [np.nan], "softcap": [-1.0],
                 "reduction": [7, -1], "weight": [np.full(n_classes, np.inf)]}, nameable=None)


# ---- PyTorch


def torch_loss_case(draw, name):
    import torch

    n_rows, n_classes, dtype = draw.choice([1, 2, 5, 33]), draw.choice([1, 2, 3, 10, 100]), draw.choice(WIDE)
    inner = draw.choice([(), (), (3,), (2, 5)])
    logits = draw.floats((n_rows, n_classes, *inner), dtype, wild=False)
    soft = draw.chance(0.3)
    targets = draw.rng.random(logits.shape).astype(dtype) if soft else draw.rng.integers(0, n_classes, (n_rows, *inner))
    options = {"reduction": draw.choice(["mean", "sum", "none"])}
    if draw.chance(0.3):
        options["label_smoothing"] = 0.1
    weight = draw.rng.random(n_classes).astype(dtype) if draw.chance(0.3) else None
    view = draw.view(logits.shape, logits.dtype)
    view[...] = logits
    view = view if min(view.strides, default=1) >= 0 else logits.copy()
    given = {"input": torch.from_numpy(view), "target": torch.from_numpy(targets), **options}
    plain = {"input": torch.from_numpy(logits.copy()), "target": torch.from_numpy(targets.copy()), **options}
    if weight is not None:
        given["weight"] = plain["weight"] = torch.from_numpy(weight)

    def function(input, target, **options):
        own = input.detach().requires_grad_() if isinstance(input, torch.Tensor) and input.is_floating_point() else input
        if name.endswith("Loss"):
            loss = xf.torch.CrossEntropyLoss(**options)(own, target)
        else:
            loss = xf.torch.cross_entropy(own, target, **options)
        loss.backward(torch.ones_like(loss))
        return loss.detach().numpy(), own.grad.numpy()

    def judge(results):
        more = {} if weight is None else {"weight": weight}
        loss, grad = xf.softmax_cross_entropy_value_and_grad(logits, targets, axis=1, **options, **more)
        if soft and options["reduction"] == "mean":                 # PyTorch divides by the rows
            loss, grad = (part / (n_rows * int(np.prod(inner))) for part in xf.softmax_cross_entropy_value_and_grad(
                logits, targets, axis=1, **(options | {"reduction": "sum"}), **more))
        for got, want in zip(results, (loss, grad), strict=True):
            largest = 1 + np.max(np.abs(want), initial=0)
            if not np.allclose(got, want, rtol=TWIN[dtype], atol=TWIN[dtype] * largest, equal_nan=True):
                raise Finding(f"a result is {got!r:.200}; NumPy's {want!r:.200}")
    return Case(name, function, given, plain, judge,
                {"reduction": ["max", None, 1], "label_smoothing": [-1.0, 2.0, "a"], "target": [None, "a", torch.zeros(7, 7, 7)],
                 "input": [None, "a", torch.zeros(2, 3, dtype=torch.int64)]}, nameable=("reduction", "label_smoothing", "weight"))


def torch_init_case(draw, name):
    import torch

    kind = name.rpartition(".")[2].rstrip("_")
    shape = tuple(n or 1 for n in weights_shape(draw, least=2))
    options, dtype, _, _ = common(draw, shape, indexed=False)
    dtype = dtype if dtype.name in ("float32", "float64", "float16") else np.dtype(np.float32)
    del options["dtype"]
    view = draw.view(shape, dtype)
    view = view if min(view.strides) >= 0 else np.zeros(shape, dtype)
    draw.filled(view)

    def function(**options):
        tensor = torch.from_numpy(view if options.pop("here", False) else np.zeros(shape, dtype))
        if getattr(xf.torch.init, f"{kind}_")(tensor, **options) is not tensor:
            raise Finding("the tensor is not what is returned")
        return tensor.numpy()

    def judge(results):
        axes = {} if kind in ("uniform", "normal", "truncated_normal") else {"in_axis": 1, "out_axis": 0}
        check_bits("the tensor", results[0].copy(), getattr(xf.init, kind)(shape, dtype=dtype, **axes, **options))
    return Case(name, function, {**options, "here": True}, dict(options), judge,
                {"rng": ["a", 1.5, -1], "n_threads": [0, -1, "a"], "name": [1, b"a"]}, nameable=("rng", "name", "n_threads"))


if is_installed("torch"):
    importlib.import_module("xentfast.torch")
    FAMILIES |= dict.fromkeys(["torch.cross_entropy", "torch.CrossEntropyLoss"], torch_loss_case)
    FAMILIES |= dict.fromkeys([f"torch.{name}_" for name in (*NAMED, "init.uniform", "init.normal", "init.truncated_normal")],
                              torch_init_case)


# ---- Dask


def dask_case(draw, name):
    """That of NumPy arrays, in chunks of any size."""
    import dask
    import dask.array as da

    case = FAMILIES[name.removeprefix("dask.")](draw, name.removeprefix("dask."))
    case.given.pop("out", None)
    chunking = draw.between(0, 2**32)
    lazy = attrgetter(name)(xf)

    def chunked(array):
        array = np.asarray(array)
        own = Draw(chunking, array.size)
        return da.from_array(array, chunks=tuple(max(1, own.between(1, max(1, n))) if n else 1 for n in array.shape) or -1)

    def function(**given):
        converted = dict(given)
        for key in ("logits", "x", "p", "q"):
            if key in given:
                converted[key] = chunked(given[key] if type(given[key]) is np.ndarray else case.plain[key])
        for key in ("targets", "sample_weight"):
            if type(given.get(key)) is np.ndarray:
                converted[key] = chunked(given[key])
        return dask.compute(lazy(**converted), scheduler="sync")[0]
    case.name, case.function, case.same_bits = name, function, False
    case.defects = {key: case.defects[key] for key in ("label_smoothing", "reduction", "z_loss", "softcap", "n_threads", "eps")
                    if key in case.defects}
    case.nameable = tuple(case.defects) or ("n_threads",)
    return case


if is_installed("dask"):
    importlib.import_module("xentfast.dask")
    FAMILIES |= dict.fromkeys([f"dask.{name}" for name in (
        "softmax_cross_entropy", "softmax_cross_entropy_grad", "softmax_cross_entropy_value_and_grad", "perplexity",
        "softmax_cross_entropy_grad_hess", "softmax", "log_softmax", "logsumexp", "cross_entropy", "cross_entropy_grad",
        "entropy", "kl_divergence", "sigmoid_cross_entropy", "sigmoid_cross_entropy_grad", "sigmoid_cross_entropy_value_and_grad",
        "sigmoid_cross_entropy_grad_hess")], dask_case)


# ---- JAX


def jax_case(draw, name):
    """That of NumPy arrays, without the options that JAX's has not, and with class indices."""
    import jax

    own = name.removeprefix("jax.")
    case = FAMILIES[own](draw, own)
    plain, traced = case.plain, attrgetter(name)(xf)
    for key in ("where", "focal_gamma"):
        plain.pop(key, None)
    logits, targets = np.asarray(plain["logits"]), np.asarray(plain["targets"])
    if logits.dtype.kind in "iub":
        return jax_case(draw, name)                 # no logits here
    if targets.dtype.kind not in "iu":
        plain["targets"] = targets.argmax(plain.get("axis", -1))

    def function(**given):
        before = jax.config.jax_enable_x64
        jax.config.update("jax_enable_x64", True)
        try:
            results = traced(**given)
            return tuple(map(np.asarray, results)) if isinstance(results, tuple) else np.asarray(results)
        finally:
            jax.config.update("jax_enable_x64", before)
    given = {**plain, "n_threads": draw.choice([None, 1, 2, 3])}
    defects = {key: case.defects[key] for key in case.defects if key not in ("where", "focal_gamma", "out")}
    return Case(name, function, given, plain, case.judge, defects, nameable=tuple(defects))


if is_installed("jax"):
    importlib.import_module("xentfast.jax")
    FAMILIES |= dict.fromkeys(["jax.softmax_cross_entropy", "jax.softmax_cross_entropy_value_and_grad"], jax_case)


# ---- boosting


def boosting_case(draw, name):
    """Objectives and metrics beside the losses."""
    kind = name.rpartition(".")[2]
    of_softmax = kind.startswith("Softmax")
    n_rows, n_classes, dtype = draw.choice([1, 2, 7, 33, 100]), draw.choice([2, 3, 10]), draw.choice(WIDE)
    shape = (n_rows, n_classes) if of_softmax or draw.chance(0.3) else (n_rows,)
    margins = (draw.rng.standard_normal(shape) * 3).astype(dtype)
    labels = draw.rng.integers(0, n_classes if of_softmax else 2, n_rows if of_softmax else shape)
    options = {"label_smoothing": 0.1} if draw.chance(0.3) else {"focal_gamma": 2.0} if draw.chance(0.3) else {}
    arrays = {"y_true": labels.astype(draw.choice([np.float32, np.float64, np.int32])), "y_pred": margins}
    if draw.chance(0.4):
        arrays["sample_weight"] = draw.weights((n_rows,), signed=False)
    given, plain = arguments(draw, arrays, {})
    for one in (given, plain):
        one.pop("n_threads", None)
    made = getattr(xf.boosting, kind)
    if kind.endswith("Metric"):
        call = made("xgboost", **options)
    else:
        call = made("diagonal", **options) if of_softmax else made(**options)

    def judge(results):
        y, x, w = (np.asarray(plain[key]) if key in plain else None for key in ("y_true", "y_pred", "sample_weight"))
        w = np.ones(n_rows) if w is None else w.astype(np.float64)
        if of_softmax:
            loss, grad = reference.cross_entropy(x, y.astype(int), sample_weight=w, reduction="sum", **options)
        else:
            w = w.reshape([-1] + [1] * (x.ndim - 1))
            loss, grad, _ = reference.sigmoid_cross_entropy(x, y, sample_weight=w, reduction="sum", **options)
        if kind.endswith("Metric"):
            total = np.broadcast_to(w, y.shape).sum()
            got, want = [float(results[-1])], [loss / total if total else np.nan]
        else:
            got, want = results[0].reshape(grad.shape), grad
        if not np.allclose(got, want, rtol=5 * TWIN[dtype], atol=5 * TWIN[dtype] * (1 + np.max(np.abs(w))), equal_nan=True):
            raise Finding(f"a result is {got!r:.200}; expected {want!r:.200}")
    defects = {"y_pred": ["a", None, np.full(shape, np.inf)], "y_true": ["a", np.full(n_rows, -1.0), np.full(n_rows, np.nan)],
               "sample_weight": ["a", np.ones(n_rows + 1), np.ones((n_rows, 3, 3))]}
    return Case(name, call, given, plain, judge, defects if np.all(arrays.get("sample_weight", 1)) else {})


if is_installed("boosting"):
    importlib.import_module("xentfast.boosting")
    FAMILIES |= dict.fromkeys([f"boosting.{kind}{what}" for kind in ("Softmax", "Sigmoid") for what in ("Objective", "Metric")],
                              boosting_case)
