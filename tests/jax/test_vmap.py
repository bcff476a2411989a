"""vmap makes a problem of each of its entries, with the bits that each has alone."""

import numpy as np
import pytest

import xentfast as xf

jax = pytest.importorskip("jax")
pytest.importorskip("ml_dtypes")
from jax_cases import REDUCTIONS, check_bits, example  # noqa: E402

import xentfast.jax  # noqa: E402

pytestmark = pytest.mark.extras

loss_of, both_of = xentfast.jax.softmax_cross_entropy, xentfast.jax.softmax_cross_entropy_value_and_grad


def one_by_one(arrays, **options):
    """Results of NumPy's function for each entry of the arrays' first axes, stacked."""
    names = ("logits", "targets", "weight", "sample_weight")
    results = [xf.softmax_cross_entropy_value_and_grad(**dict(zip(names, entry, strict=False)), **options)
               for entry in zip(*arrays, strict=True)]
    return tuple(np.stack(parts) for parts in zip(*results, strict=True))


def weighted(reduction):
    def function(logits, targets, weight, sample_weight):
        return both_of(logits, targets, weight=weight, sample_weight=sample_weight, reduction=reduction)
    return function


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_every_array_has_the_axis(reduction):
    logits, targets, options = example((6, 5), batch=(3,), weight=True, sample_weight=True)
    arrays = (logits, targets, *options.values())
    for transform in (jax.vmap, lambda function: jax.jit(jax.vmap(function))):
        check_bits(transform(weighted(reduction))(*arrays), one_by_one(arrays, reduction=reduction))


@pytest.mark.parametrize("which", range(4), ids=["logits", "targets", "weight", "sample_weight"])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_one_array_has_the_axis(which, reduction):
    logits, targets, options = example((6, 5), batch=(3,), weight=True, sample_weight=True)
    arrays = [array if i == which else np.broadcast_to(array[0], array.shape)
              for i, array in enumerate((logits, targets, *options.values()))]
    given = [array if i == which else array[0] for i, array in enumerate(arrays)]
    in_axes = [0 if i == which else None for i in range(4)]
    check_bits(jax.vmap(weighted(reduction), in_axes=in_axes)(*given), one_by_one(arrays, reduction=reduction))


def test_other_axes_in_and_out():
    logits, targets, _ = example((6, 5), batch=(3,))
    want = one_by_one((logits, targets))
    got = jax.vmap(both_of, in_axes=(2, 1), out_axes=(0, 1))(logits.transpose(1, 2, 0), targets.T)
    check_bits(got, (want[0], want[1].swapaxes(0, 1)))


def test_rows_one_by_one():
    """Of each row's own mean; a scalar target."""
    logits, targets, _ = example((6, 5))
    check_bits(jax.vmap(loss_of)(logits, targets), xf.softmax_cross_entropy(logits, targets, reduction="none"))


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_nested(reduction):
    logits, targets, options = example((6, 5), batch=(2, 3), weight=True, sample_weight=True)
    arrays = (logits, targets, *options.values())
    got = jax.vmap(jax.vmap(weighted(reduction)))(*arrays)
    want = one_by_one([array.reshape(6, *array.shape[2:]) for array in arrays], reduction=reduction)
    check_bits([one.reshape(6, *one.shape[2:]) for one in got], want)


def test_classes_on_another_axis_and_16_bits():
    logits, targets, _ = example((5, 6), np.float16, axis=0, batch=(3,))
    check_bits(jax.vmap(lambda logits, targets: both_of(logits, targets, axis=0))(logits, targets),
               one_by_one((logits, targets), axis=0))


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_of_the_gradient(reduction):
    """The gradient for each example, and of the sum over examples."""
    logits, targets, _ = example((6, 5), batch=(3,))
    want = one_by_one((logits, targets), reduction=reduction)[1]
    total = lambda logits, targets: loss_of(logits, targets, reduction=reduction).sum()         # noqa: E731
    check_bits(jax.vmap(jax.grad(total))(logits, targets), want)
    check_bits(jax.grad(lambda logits: jax.vmap(total)(logits, targets).sum())(logits), want)
    check_bits(jax.vmap(jax.grad(total), in_axes=(0, None))(logits, targets[0]),
               one_by_one((logits, np.broadcast_to(targets[0], targets.shape)), reduction=reduction)[1])


def test_no_entries():
    logits, targets, options = example((6, 5), batch=(3,), weight=True)
    for reduction in REDUCTIONS:
        got = jax.vmap(lambda *given, r=reduction: both_of(*given[:2], weight=given[2], reduction=r))(
            logits[:0], targets[:0], options["weight"][:0])
        assert got[0].size == got[1].size == 0


def test_scan_and_map():
    logits, targets, _ = example((6, 5), batch=(3,))
    want = one_by_one((logits, targets))
    check_bits(jax.lax.map(lambda given: both_of(*given), (logits, targets)), want)
    check_bits(jax.lax.scan(lambda count, given: (count + 1, both_of(*given)), 0, (logits, targets))[1], want)


def test_an_error_names_the_entry():
    logits, targets, _ = example((6, 5), batch=(3,))
    targets[1, 4] = 5
    with pytest.raises(Exception, match=r"targets\[1, 4\] is 5, but logits have 5 classes"):
        jax.block_until_ready(jax.vmap(loss_of)(logits, targets))
