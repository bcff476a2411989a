"""Nonsense, in each argument of each public function: a result, or an error of the documented kinds that names the argument."""

import re
import sys

import numpy as np
import pytest
from good_calls import good_calls
from nonsense import NONSENSE

import xentfast as xf

pytestmark = [pytest.mark.extras, pytest.mark.filterwarnings("ignore")]

CALLS = good_calls()

# What errors call an argument otherwise.
NAMES = {"y_true": "labels", "y_pred": "margins", "sample_weight": "weights"}
# Those of PyTorch's functions have PyTorch's kinds as well, and what values decide is an error of JAX's.
KINDS = dict.fromkeys(["torch", "jax"], (TypeError, ValueError, IndexError, RuntimeError))
# What is called gets an argument of its own; its errors are its own, too.
CALLED = {("torch.init_module", "rules")}


@pytest.fixture
def no_grain():
    """In place of the one for all tests: a few numbers stay on one thread, which is sooner."""


@pytest.mark.parametrize("name", CALLS)
def test_nonsense(name):
    function, good = CALLS[name]
    function(**good)
    wrong = []
    for argument in good:
        for label, value in NONSENSE.items():
            if (name, argument) in CALLED and callable(value):
                continue
            try:
                function(**(good | {argument: value}))
            except MemoryError:
                pass
            except KINDS.get(name.partition(".")[0], (TypeError, ValueError, IndexError)) as error:
                said = " ".join([str(error), *getattr(error, "__notes__", [])])
                known = f"{argument}|{NAMES[argument]}" if argument in NAMES and name.endswith("()") else argument
                if not re.search(rf"\b({known})\b", said):
                    wrong.append((argument, label, said))
            except Exception as error:
                wrong.append((argument, label, repr(error)))
    assert wrong == []


def test_nonsense_is_long_enough():
    """Python writes no number of so many digits out, unless it is told to."""
    assert 0 < sys.get_int_max_str_digits() < 5000
    with pytest.raises(ValueError, match="ignore_index is a number of 16610 bits; expected an integer of at most 2000"):
        xf.softmax_cross_entropy([[0.0, 1.0]], [1], ignore_index=10**5000)


# ---- numbers that a check itself may fail over


X, T = np.zeros((3, 4)), np.array([0, 1, 2])
PARTIALS = xf.softmax_cross_entropy_partial(X, T, first_class=0, n_classes=4)


@pytest.mark.parametrize("target", [np.array(2, np.uint64), np.uint64(2), np.array(2, ">u8"), 2])
def test_targets_of_no_axes(target):
    assert xf.softmax_cross_entropy(X[0], target) == np.log(4)
    with pytest.raises(IndexError, match="targets is 5, but logits have 4 classes"):
        xf.softmax_cross_entropy(X[0], np.asarray(target) + np.asarray(3, np.asarray(target).dtype))
    with pytest.raises(IndexError, match="targets is 18446744073709551615, but logits have 4 classes"):
        xf.softmax_cross_entropy(X[0], np.uint64(2**64 - 1))


def test_weights_whose_sum_is_not_finite():
    """They are finite: of the positive class any are fine; a mean over a sum that is none is nan, as of softmax."""
    n = 5000
    large = np.repeat([1e308, -1e308], n)
    x, t = np.zeros(2 * n), np.ones(2 * n)
    want = np.log(2) * large
    for pos_weight in (large, large[:n].repeat(2), -large):
        assert np.isfinite(xf.sigmoid_cross_entropy(x, t, pos_weight=pos_weight, reduction="none")).all()
    assert np.allclose(xf.sigmoid_cross_entropy(x, t, pos_weight=large, reduction="none"), want, rtol=1e-15)
    assert np.isnan(xf.sigmoid_cross_entropy(x, t, sample_weight=large))
    with pytest.raises(ValueError, match=r"pos_weight\[3\] is inf; expected finite weights"):
        xf.sigmoid_cross_entropy(x, t, pos_weight=np.where(np.arange(2 * n) == 3, np.inf, large))


def test_margins_and_labels_whose_sum_is_not_finite():
    from xentfast.boosting import SigmoidObjective, SoftmaxObjective

    margins = np.repeat([1.7e308, -1.7e308], 5000).reshape(-1, 2)
    grad, _ = SigmoidObjective()(np.ones(10_000), margins.reshape(-1))
    assert (grad[5000:] == -1).all() and (grad[:5000] == 0).all()
    grad, _ = SoftmaxObjective("diagonal")(np.zeros(5000), margins)
    assert np.isfinite(grad).all()
    soft, _ = SoftmaxObjective("diagonal")(np.full((5000, 2), 3e304), np.zeros((5000, 2)))
    assert np.isfinite(soft).all()


@pytest.mark.parametrize(("field", "value"), [(6, np.inf), (6, -np.inf), (6, np.nan), (6, 0.0), (6, 1.5), (6, 1e300), (7, np.inf),
                                              (7, np.nan), (7, 1e300), (7, 25.0)])
def test_partial_results_that_hold_nonsense(field, value):
    bad = PARTIALS.copy()
    bad[..., field] = value
    with pytest.raises(ValueError, match="partials of the first row are of .* classes and .* digits; expected the float64"):
        xf.softmax_cross_entropy_combine(bad, T, n_classes=4)
    with pytest.raises(ValueError, match="partials of the first row are of .* classes and .* digits"):
        xf.softmax_cross_entropy_combine_grad(bad, X, T, first_class=0, n_classes=4)


@pytest.mark.parametrize("labels", [np.array([0, 1], np.uint64), np.array([1, 2**64 - 1], np.uint64), np.array([0, 1], np.uint8)])
def test_negative_labels_where_none_may_be(labels):
    with pytest.raises(ValueError, match=r"y_true\[1\] is -1, which is not among labels"):
        xf.log_loss(np.array([1, -1]), np.full((2, 2), 0.5), labels=labels)


@pytest.mark.parametrize("n_classes", [0, -1, 2**63, 2**70])
def test_numbers_of_classes(n_classes):
    with pytest.raises(ValueError, match=r"n_classes is -?\d+; expected an integer from 1 to 2\*\*63 - 1"):
        xf.softmax_cross_entropy_combine(PARTIALS, T, n_classes=n_classes)
    with pytest.raises(ValueError, match="n_classes"):
        xf.softmax_cross_entropy_partial(X, T, first_class=0, n_classes=n_classes)


@pytest.mark.parametrize("shape", [(2**62,), (2**62, 0), (0, 2**70), (2**61, 4), (2**61,), (2**40, 2**21, 0)])
def test_shapes_of_no_memory(shape):
    with pytest.raises((ValueError, MemoryError), match="shape|allocate"):
        xf.init.normal(shape, rng=1, dtype=np.float64)
