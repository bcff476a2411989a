"""Arrays in the other byte order: the same bits as in the machine's, wherever an array is taken, of every dtype."""

import re

import numpy as np
import pytest

import xentfast as xf
import xentfast.boosting as boosting

pytestmark = pytest.mark.emulated

FLOATS, INTEGERS = ["f2", "f4", "f8"], ["i2", "u2", "i4", "u4", "i8", "u8"]
ONE_BYTE = ["i1", "u1", "?"]
RNG = np.random.default_rng(5)
X, P = RNG.standard_normal((5, 4)), RNG.random((5, 4))
T, HIDDEN, LAYER = RNG.integers(0, 4, 5), RNG.standard_normal((5, 3)), RNG.standard_normal((4, 3))
OF_CLASSES, OF_ROWS = RNG.integers(1, 5, 4), RNG.integers(0, 3, 5)
WHOLE = {"first_class": 0, "n_classes": 4}
PARTIALS = xf.softmax_cross_entropy_partial(X, T, **WHOLE)
OPEN = {"where": np.ones((5, 4), bool), "label_smoothing": 0.1}


def weighted(function, *arguments, **options):
    """Of (weights of the classes, of the rows)."""
    return lambda weight, sample_weight: function(*arguments, weight=weight, sample_weight=sample_weight, **options)


def boosted(of_softmax, *options):
    """All that an objective and a metric give."""
    classes = [boosting.SoftmaxObjective, boosting.SoftmaxMetric] if of_softmax else [
        lambda library, **more: boosting.SigmoidObjective(**more), boosting.SigmoidMetric]

    def call(y_true, y_pred, sample_weight, *values):
        made = [one("xgboost", **dict(zip(options, values, strict=True))) for one in classes]
        return *made[0](y_true, y_pred, sample_weight), made[1](y_true, y_pred, sample_weight)
    return call


# name: (function of arrays, the arrays, the dtypes that each may have)
CASES = {
    "logits": (xf.softmax_cross_entropy_value_and_grad, (X, T), (FLOATS + INTEGERS, INTEGERS)),
    "soft targets": (xf.softmax_cross_entropy_value_and_grad, (X, P), (FLOATS, FLOATS)),
    "weights": (weighted(xf.softmax_cross_entropy_value_and_grad, X, T), (OF_CLASSES, OF_ROWS), (FLOATS + INTEGERS,) * 2),
    "Hessian": (xf.softmax_cross_entropy_grad_hess, (X, T), (FLOATS, INTEGERS)),
    "perplexity": (xf.perplexity, (X, T), (FLOATS, INTEGERS)),
    "normalise": (lambda x: (xf.softmax(x), xf.log_softmax(x), xf.logsumexp(x)), (X,), (FLOATS + INTEGERS,)),
    "factors": (lambda x, b: xf.logsumexp(x, b=b), (X, OF_CLASSES), (FLOATS + INTEGERS,) * 2),
    "partial": (lambda x, t, w: xf.softmax_cross_entropy_partial(x, t, weight=w, **WHOLE), (X, T, OF_CLASSES),
                (FLOATS, INTEGERS, FLOATS + INTEGERS)),
    "combine": (lambda p, t: xf.softmax_cross_entropy_combine(p, t, n_classes=4), (PARTIALS, T), (["f8"], INTEGERS)),
    "combine_grad": (lambda p, x, t: xf.softmax_cross_entropy_combine_grad(p, x, t, **WHOLE), (PARTIALS, X, T),
                     (["f8"], ["f8"], INTEGERS)),
    "where_count": (lambda n: xf.softmax_cross_entropy_partial(X, T, where_count=n, **WHOLE, **OPEN), (np.full(5, 4),),
                    (INTEGERS,)),
    "linear": (lambda h, w, t, b: xf.linear_cross_entropy_value_and_grad(h, w, t, bias=b), (HIDDEN, LAYER, T, OF_CLASSES),
               (FLOATS + INTEGERS, FLOATS + INTEGERS, INTEGERS, FLOATS + INTEGERS)),
    "linear, weights": (weighted(xf.linear_cross_entropy_value_and_grad, HIDDEN, LAYER, T), (OF_CLASSES, OF_ROWS),
                        (FLOATS + INTEGERS,) * 2),
    "sigmoid": (lambda x, t, p, w: xf.sigmoid_cross_entropy_grad_hess(x, t, pos_weight=p, sample_weight=w[:, None],
                                                                      focal_gamma=2.0),
                (X, P > 0.5, OF_CLASSES, OF_ROWS), (FLOATS, *[FLOATS + INTEGERS] * 3)),
    "probabilities": (lambda p, q: (xf.cross_entropy(p, q), xf.cross_entropy_grad(p, q), xf.entropy(p), xf.kl_divergence(p, q)),
                      (P, P), (FLOATS,) * 2),
    "log_loss": (lambda y, q, w, labels: xf.log_loss(y, q, sample_weight=w, labels=labels),
                 (T, np.full((5, 4), 0.25), OF_ROWS, np.arange(4)), (FLOATS + INTEGERS, FLOATS, *[FLOATS + INTEGERS] * 2)),
    "softmax boosting": (boosted(True, "weight"), (T, X, OF_ROWS, OF_CLASSES), (FLOATS + INTEGERS, ["f4", "f8"],
                                                                                *[FLOATS + INTEGERS] * 2)),
    "soft boosting": (boosted(True), (P * 9, X, OF_ROWS), (FLOATS + INTEGERS, FLOATS, FLOATS + INTEGERS)),
    "soft_labels": (boosted(True, "soft_labels"), (T, X, OF_ROWS, P * 9), (FLOATS + INTEGERS, ["f4"], ["f4"], FLOATS + INTEGERS)),
    "sigmoid boosting": (boosted(False, "pos_weight"), (P > 0.5, X, OF_ROWS, OF_CLASSES), (FLOATS + INTEGERS, ["f4", "f8"],
                                                                                           *[FLOATS + INTEGERS] * 2)),
    "base_margin": (lambda y, w: boosting.base_margin(y, 4, sample_weight=w), (T, OF_ROWS), (FLOATS + INTEGERS,) * 2),
    "constant": (lambda value: xf.init.constant((5, 4), value), (X,), (FLOATS + INTEGERS,)),
    "shape and seed": (lambda shape, rng: xf.init.normal(shape, rng=rng, name="w"), (np.array([5, 4]), OF_ROWS), (INTEGERS,) * 2),
    "key and counter": (lambda key, counter: xf.random.Philox4x32(key=key, counter=counter).random_raw(3),
                        (np.array([1, 2]), np.array([3, 0, 5, 0])), (INTEGERS,) * 2),
}


def as_bytes(result):
    if isinstance(result, tuple):
        return [as_bytes(part) for part in result]
    return np.asarray(result).dtype, np.asarray(result).tobytes()


@pytest.mark.parametrize("case", CASES)
def test_the_other_byte_order(case):
    """Each argument alone, and misaligned as well, with all its dtypes; the others of the first of theirs."""
    function, arrays, dtypes = CASES[case]
    first = [array.astype(own[0]) for array, own in zip(arrays, dtypes, strict=True)]
    for place, own in enumerate(dtypes):
        for dtype in own:
            with np.errstate(invalid="ignore"):         # negative numbers as unsigned ones: ARM says that they are none
                given = [*first[:place], arrays[place].astype(dtype), *first[place + 1:]]
            want = as_bytes(function(*given))
            swapped = given[place].astype(given[place].dtype.newbyteorder("S"))
            misaligned = np.frombuffer(b"." + swapped.tobytes(), np.uint8)[1:].view(swapped.dtype).reshape(swapped.shape)
            for other in (swapped, misaligned):
                assert not other.dtype.isnative
                assert as_bytes(function(*given[:place], other, *given[place + 1:])) == want, (place, dtype)


@pytest.mark.parametrize("dtype", ONE_BYTE)
def test_one_byte_has_no_order(dtype):
    labels = (P[:, 0] > 0.5).astype(dtype)
    for one in (boosting.SigmoidObjective(), boosting.SigmoidMetric("xgboost")):
        assert as_bytes(one(labels, X[:, 0])) == as_bytes(one(labels.astype("f8"), X[:, 0]))


@pytest.mark.parametrize("dtype", FLOATS)
def test_outputs_are_in_the_machines(dtype):
    out = np.zeros((5, 4), np.dtype(dtype).newbyteorder("S"))
    x = X.astype(dtype)
    for call in (lambda: xf.softmax(x, out=out), lambda: xf.softmax_cross_entropy_grad(x, T, out=out),
                 lambda: xf.cross_entropy_grad(P.astype(dtype), P.astype(dtype), out=out),
                 lambda: xf.init.normal((5, 4), rng=1, dtype=dtype, out=out),
                 lambda: xf.init.constant((5, 4), 1, dtype=dtype, out=out)):
        with pytest.raises(TypeError, match=re.escape(f"out has dtype {out.dtype}; expected {x.dtype}")):
            call()
    assert not out.any()
    with pytest.raises(TypeError, match=re.escape(f"dtype is {out.dtype}; expected float16")):
        xf.init.normal((5, 4), rng=1, dtype=out.dtype)
