"""Errors of xentfast.jax: what shapes, dtypes and options decide when the call is traced, what values decide when it runs."""

import re
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import xentfast as xf

jax = pytest.importorskip("jax")
pytest.importorskip("ml_dtypes")
from jax_cases import check_bits, example  # noqa: E402

import xentfast.jax  # noqa: E402
from xentfast.jax import _derivatives, _handlers  # noqa: E402
from xentfast.jax._arrays import check_devices  # noqa: E402

pytestmark = pytest.mark.extras

loss_of, both_of = xentfast.jax.softmax_cross_entropy, xentfast.jax.softmax_cross_entropy_value_and_grad
nan, inf = float("nan"), float("inf")
AT_RUN_TIME = (jax.errors.JaxRuntimeError, ValueError)          # the second where JAX does not go on while the call runs
LOGITS, TARGETS, WEIGHTS = example((3, 4, 5), weight=True, sample_weight=True)


# (arguments instead of good ones, error, its text)
AT_TRACING = {
    "integer logits": ({"logits": np.zeros((3, 5), int)}, TypeError, "logits have dtype int64; expected float16, bfloat16, "),
    "complex logits": ({"logits": np.zeros((3, 5), np.complex64)}, TypeError, "logits have dtype complex64; expected"),
    "no axis": ({"logits": np.float32(1)}, ValueError, "logits is zero-dimensional; expected at least one axis"),
    "no classes": ({"logits": np.zeros((3, 0), np.float32)}, ValueError, "logits has no classes: its shape is (3, 0) and axis"),
    "axis": ({"axis": 3}, np.exceptions.AxisError, "axis 3 is out of bounds for array of dimension 3"),
    "axis by name": ({"axis": "batch"}, TypeError, "axis is 'batch'; expected an integer"),
    "soft targets": ({"targets": LOGITS}, TypeError, "targets have dtype float32; expected integers, which are class indices; "
                     "jax.numpy.argmax over the classes makes indices of one-hot targets, and xentfast.softmax_cross_entropy"),
    "booleans": ({"targets": np.zeros((3, 4), bool)}, TypeError, "targets have dtype bool; expected integers"),
    "shape of targets": ({"targets": TARGETS[0]}, ValueError, "targets have shape (4,); expected (3, 4), the shape of logits "
                         "(3, 4, 5) without axis 2"),
    "shape of weight": ({"weight": np.ones(4, "f")}, ValueError, "weight has shape (4,); expected (5,), a weight for each class"),
    "dtype of weight": ({"weight": np.zeros(5, np.complex64)}, TypeError, "weight has dtype complex64; expected real numbers"),
    "shape of sample_weight": ({"sample_weight": np.ones(3, "f")}, ValueError, "sample_weight has shape (3,); expected (3, 4), "),
    "masked": ({"logits": np.ma.masked_array(LOGITS, LOGITS > 0)}, TypeError, "logits is a masked array, whose mask would be"),
    "smoothing": ({"label_smoothing": 2}, ValueError, "label_smoothing is 2.0; expected a number from 0 to 1"),
    "traced option": ({"z_loss": np.ones(2)}, TypeError, "expected a number"),
    "z_loss": ({"z_loss": inf}, ValueError, "z_loss is inf; expected a finite number"),
    "logit_scale": ({"logit_scale": nan}, ValueError, "logit_scale is nan; expected a finite number"),
    "softcap": ({"softcap": 0.0}, ValueError, "softcap is 0.0; expected a number above 0, or None"),
    "reduction": ({"reduction": "max"}, ValueError, "reduction is 'max'; expected"),
    "ignore_index": ({"ignore_index": 1.5}, TypeError, "ignore_index is 1.5; expected an integer"),
    "empty": ({"empty": "no"}, TypeError, "empty is 'no'; expected a number"),
    "n_threads": ({"n_threads": 0}, ValueError, "n_threads is 0; expected None or an integer of at least 1"),
    "float64 logits": ({"logits": LOGITS.astype(float)}, TypeError, "logits have dtype float64, of which JAX would make float32; "
                       'jax.config.update("jax_enable_x64", True) keeps it, logits.astype("float32") does the same'),
    "large targets": ({"targets": np.full((3, 4), 2**40 + 7)}, TypeError, "targets[0, 0] is 1099511627783 of dtype int64, of "
                      "which JAX would make 7 of dtype int32; "),
    "large unsigned targets": ({"targets": np.full((3, 4), 2**63, np.uint64)}, TypeError, "targets[0, 0] is 9223372036854775808"),
    "float64 weight": ({"weight": np.full(5, 0.1)}, TypeError, "weight[0] is 0.1 of dtype float64, of which JAX would make "
                       "0.10000000149011612 of dtype float32; "),
}


@pytest.mark.parametrize("name", AT_TRACING)
def test_before_any_work(name):
    arguments, kind, text = AT_TRACING[name]
    for function in (loss_of, both_of):
        with pytest.raises(kind, match=re.escape(text)):
            function(**{"logits": LOGITS, "targets": TARGETS, **arguments})


def test_traced_options():
    with pytest.raises(TypeError, match="z_loss is .*Trace.*; expected a number"):
        jax.jit(lambda value: loss_of(LOGITS, TARGETS, z_loss=value))(0.1)
    with pytest.raises(TypeError, match="axis is .*Trace.*; expected an integer"):
        jax.jit(lambda value: loss_of(LOGITS, TARGETS, axis=value))(1)


def test_64_bits_that_32_can_hold(x64_for):
    """Are the same numbers, and pass; with jax_enable_x64 all do."""
    weight = np.array([1.0, 0.5, 2.0, 0.25, 4.0])
    want = xf.softmax_cross_entropy(LOGITS, TARGETS, weight=weight)
    check_bits(loss_of(LOGITS, TARGETS.astype(np.int64), weight=weight), want)
    x64_for(np.float64)
    check_bits(loss_of(LOGITS.astype(float), TARGETS, weight=weight / 3),
               xf.softmax_cross_entropy(LOGITS.astype(float), TARGETS, weight=weight / 3))


def test_other_devices():
    check_devices(jax.devices("cpu"), "logits")
    with pytest.raises(ValueError, match=r"logits is on the device .*gpu.*; expected an array on a CPU: jax.device_put"):
        check_devices([SimpleNamespace(platform="gpu")], "logits")


# (values that go wrong, text)
WHEN_IT_RUNS = {
    "target": ({"targets": {(1, 2): 5}}, "targets[1, 2] is 5, but logits have 5 classes (0 to 4) and ignore_index is -100"),
    "negative target": ({"targets": {(2, 3): -1}}, "targets[2, 3] is -1, but logits have 5 classes (0 to 4) and ignore_index"),
    "weight": ({"weight": {3: nan}}, "weight[3] is nan; expected finite weights"),
    "sample weight": ({"sample_weight": {(0, 1): -inf}}, "sample_weight[0, 1] is -inf; expected finite weights"),
    "infinite weight": ({"weight": {0: inf}, "targets": {(0, 0): 9}}, "weight[0] is inf; expected finite weights"),
}


@pytest.mark.parametrize("name", WHEN_IT_RUNS)
def test_of_values(name):
    """The words are those of the functions on NumPy's arrays."""
    changes, text = WHEN_IT_RUNS[name]
    given = {"logits": LOGITS, "targets": TARGETS, **WEIGHTS}
    for key, places in changes.items():
        given[key] = given[key].copy()
        for place, value in places.items():
            given[key][place] = value
    with pytest.raises((ValueError, IndexError), match=re.escape(text)):
        xf.softmax_cross_entropy(**given)
    logits = given.pop("logits")
    for function in (loss_of, jax.jit(both_of), jax.grad(loss_of)):
        with pytest.raises(AT_RUN_TIME, match=re.escape(f"INVALID_ARGUMENT: {text}")):
            jax.block_until_ready(function(logits, **given))


def test_a_scalar_target():
    with pytest.raises(AT_RUN_TIME, match="targets is 7, but logits have 5 classes"):
        loss_of(LOGITS[0, 0], 7).block_until_ready()


def test_rows_that_are_not_read_may_hold_anything():
    targets, weights = TARGETS.copy(), WEIGHTS["sample_weight"].copy()
    targets[0, 0], weights[0, 0], targets[1, 1], weights[1, 1] = 99, 0.0, -100, nan
    check_bits(loss_of(LOGITS, targets, sample_weight=weights), xf.softmax_cross_entropy(LOGITS, targets, sample_weight=weights))


# Calls of the target by its name, with what no call of xentfast.jax has.
OPTIONS = np.array(_derivatives.packed(
    reduction="mean", ignore_index=-100, n_threads=0, has_weight=False, has_sample_weight=False, label_smoothing=0.0, z_loss=0.0,
    logit_scale=1.0, softcap=0.0, empty=nan), np.int64)
ROWS, CLASSES = np.zeros((2, 3), np.float32), np.zeros(2, np.int32)
SCALAR = jax.ShapeDtypeStruct((), np.float32)


def but(name, value):
    options = OPTIONS.copy()
    options[_handlers.OPTIONS.index(name)] = value
    return options


MISFITS = {
    "too few targets": ((ROWS, CLASSES[:1]), {"options": OPTIONS}, [SCALAR]),
    "float targets": ((ROWS, ROWS[:, 0]), {"options": OPTIONS}, [SCALAR]),
    "one argument": ((ROWS,), {"options": OPTIONS}, [SCALAR]),
    "a weight too many": ((ROWS, CLASSES, ROWS[0]), {"options": OPTIONS}, [SCALAR]),
    "no weight": ((ROWS, CLASSES), {"options": but("has_weight", 1)}, [SCALAR]),
    "a short weight": ((ROWS, CLASSES, ROWS[0, :2]), {"options": but("has_weight", 1)}, [SCALAR]),
    "a complex weight": ((ROWS, CLASSES, np.zeros(3, np.complex64)), {"options": but("has_weight", 1)}, [SCALAR]),
    "a short sample weight": ((ROWS, CLASSES, ROWS[0, :1]), {"options": but("has_sample_weight", 1)}, [SCALAR]),
    "no classes": ((ROWS[:, :0], CLASSES), {"options": OPTIONS}, [SCALAR]),
    "scalar logits": ((np.float32(1), CLASSES), {"options": OPTIONS}, [SCALAR]),
    "float16": ((ROWS.astype(np.float16), CLASSES), {"options": OPTIONS}, [SCALAR]),
    "a loss of another dtype": ((ROWS, CLASSES), {"options": OPTIONS}, [jax.ShapeDtypeStruct((), np.int32)]),
    "losses for none": ((ROWS, CLASSES), {"options": but("reduction", 2)}, [SCALAR]),
    "three problems of two rows": ((ROWS, CLASSES), {"options": OPTIONS}, [jax.ShapeDtypeStruct((3,), np.float32)]),
    "a small gradient": ((ROWS, CLASSES), {"options": OPTIONS}, [SCALAR, SCALAR]),
    "three results": ((ROWS, CLASSES), {"options": OPTIONS}, [SCALAR, jax.ShapeDtypeStruct((2, 3), np.float32), SCALAR]),
    "no options": ((ROWS, CLASSES), {}, [SCALAR]),
    "short options": ((ROWS, CLASSES), {"options": OPTIONS[:-1]}, [SCALAR]),
    "float options": ((ROWS, CLASSES), {"options": OPTIONS.astype(np.float32)}, [SCALAR]),
    "a number for options": ((ROWS, CLASSES), {"options": np.int64(1)}, [SCALAR]),
    "more attributes": ((ROWS, CLASSES), {"options": OPTIONS, "others": OPTIONS}, [SCALAR]),
}


@pytest.mark.parametrize("name", MISFITS)
def test_calls_by_the_name_of_the_target(name):
    operands, attributes, results = MISFITS[name]
    call = jax.ffi.ffi_call(_derivatives.TARGET, results)
    with pytest.raises(AT_RUN_TIME, match="INVALID_ARGUMENT: this is no call that xentfast.jax makes"):
        jax.block_until_ready(call(*operands, **attributes))


@pytest.mark.parametrize("name,value", [("reduction", 7), ("n_threads", -1), ("label_smoothing", -1), ("z_loss", 0x7ff0 << 48)])
def test_options_by_the_name_of_the_target(name, value):
    """Are those of the C functions, and so are the errors."""
    call = jax.ffi.ffi_call(_derivatives.TARGET, [SCALAR])
    with pytest.raises(AT_RUN_TIME, match="INVALID_ARGUMENT: (an option|n_threads is negative)"):
        jax.block_until_ready(call(ROWS, CLASSES, options=but(name, value)))


def test_without_jax():
    code = """if True:
        import sys
        sys.modules["jax"] = None
        try:
            import xentfast.jax
        except ImportError as error:
            assert str(error) == 'xentfast.jax needs JAX: pip install "xentfast[jax]"', error
        else:
            raise AssertionError
    """
    subprocess.run([sys.executable, "-P", "-c", code], check=True)
