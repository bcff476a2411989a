"""Class weights are read as they are: the same bits for every dtype that holds them, for any strides, and however many there are,
also where smoothing's masses of some classes are held from row to row and those of others are made anew."""

import ml_dtypes
import numpy as np
import pytest

import xentfast as xf

pytestmark = pytest.mark.every_build

RNG = np.random.default_rng(0)
N = 40
# One chunk, a few, and more than a thread holds the masses of (by rows, and with a gradient in the scratch).
CLASSES = [7, 5000, 300_000]
OPTIONS = {"plain": {}, "smoothing": {"label_smoothing": 0.1}, "softcap": {"label_smoothing": 0.1, "softcap": 5.0}}


def results(logits, targets, weight, **options):
    loss, grad = xf.softmax_cross_entropy_value_and_grad(logits, targets, weight=weight, reduction="none", **options)
    total = xf.softmax_cross_entropy(logits, targets, weight=weight, **options)
    return loss.tobytes() + grad.tobytes() + total.tobytes()


def case(n_classes, dtype):
    """Weights that every dtype holds."""
    n_rows = N if n_classes < 10_000 else 3
    logits = RNG.standard_normal((n_rows, n_classes)).astype(dtype)
    return logits, RNG.integers(0, n_classes, n_rows), RNG.integers(1, 100, n_classes).astype(np.float64)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("n_classes", CLASSES)
@pytest.mark.parametrize("soft", [False, True])
def test_dtypes_and_strides(n_classes, soft, options):
    logits, targets, weight = case(n_classes, np.float32)
    targets = RNG.random(logits.shape, dtype=np.float32) if soft else targets
    want = results(logits, targets, weight, **options)
    for dtype in (np.float32, np.float16, ml_dtypes.bfloat16, np.int64, np.uint8, ">f4", ">f8"):
        assert results(logits, targets, weight.astype(dtype), **options) == want
    for dtype in (np.float32, np.float64):
        own = weight.astype(dtype)
        unaligned = np.frombuffer(b"x" + own.tobytes(), np.uint8)[1:].view(dtype)
        for same in (own.repeat(3)[::3], own[::-1].copy()[::-1], unaligned, list(own)):
            assert results(logits, targets, same, **options) == want


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("n_classes", CLASSES)
def test_a_row_alone_and_among_others(n_classes, dtype):
    """A row alone makes its masses anew, others share what is held of them."""
    logits, targets, weight = case(n_classes, dtype)
    weight = weight / 7
    options = {"weight": weight, "label_smoothing": 0.1, "reduction": "none"}
    for n_threads in (1, 2, 5):
        loss, grad = xf.softmax_cross_entropy_value_and_grad(logits, targets, n_threads=n_threads, **options)
        place = logits.copy()
        xf.softmax_cross_entropy_grad(place, targets, n_threads=n_threads, out=place, **options)
        assert place.tobytes() == grad.tobytes()
        for row in (0, len(logits) - 1):
            one = xf.softmax_cross_entropy_value_and_grad(logits[row:row + 1], targets[row:row + 1], **options)
            assert one[0].tobytes() == loss[row:row + 1].tobytes() and one[1].tobytes() == grad[row:row + 1].tobytes()


def test_slices_of_many_classes():
    """Each holds the masses of its own classes."""
    logits, targets, weight = case(300_000, np.float32)
    options = {"weight": weight.astype(np.float32), "label_smoothing": 0.1, "n_classes": 300_000}
    firsts = [0, 2048 * 20, 2048 * 140]
    slices = [logits[:, first:last] for first, last in zip(firsts, [*firsts[1:], 300_000], strict=True)]
    partials = np.concatenate([xf.softmax_cross_entropy_partial(own, targets, first_class=first, **options)
                               for own, first in zip(slices, firsts, strict=True)], axis=-2)
    grads = [xf.softmax_cross_entropy_combine_grad(partials, own, targets, first_class=first, **options)
             for own, first in zip(slices, firsts, strict=True)]
    want = xf.softmax_cross_entropy_value_and_grad(logits, targets, weight=weight, label_smoothing=0.1)
    assert xf.softmax_cross_entropy_combine(partials, targets, **options) == want[0]
    assert np.concatenate(grads, axis=1).tobytes() == want[1].tobytes()


def test_a_weight_that_is_not_finite_is_named_wherever_it_is():
    weight = np.ones(200_000, np.float32)
    weight[150_003] = np.inf
    with pytest.raises(ValueError, match=r"weight\[150003\] is inf; expected finite weights"):
        xf.softmax_cross_entropy(np.zeros((1, 200_000), np.float32), [0], weight=weight)


def test_an_output_that_lies_on_the_weights():
    """They are read while it is written."""
    for n_classes, dtype in ((4, np.float64), (5000, np.float64), (5000, np.float32)):
        weight = np.ones((2, n_classes), dtype)
        with pytest.raises(ValueError, match="out overlaps the targets, the weights or where"):
            xf.softmax_cross_entropy_grad(np.zeros((2, n_classes), dtype), [0, 1], weight=weight[0], out=weight)
