"""Arrays that someone else writes to, or reshapes, while a call reads them: wrong numbers at most, never an index out of bounds.

Between the look at targets and the kernels other threads may run, and so may Python code that a conversion calls. The first tests
change arrays exactly there, where the checks are done and the loops not begun; the last one lets threads do it.
"""
import contextlib
import threading
from functools import partial

import numpy as np
import pytest

import xentfast as xf
from xentfast._linear.checks import LinearCall
from xentfast._linear.functions import _run as run_linear
from xentfast._partials.checks import SliceCall
from xentfast._partials.functions import write_records
from xentfast._partials.loops import combine_records, combine_slices
from xentfast._probabilities.loops import compare, label_losses
from xentfast._sigmoid.checks import SigmoidCall
from xentfast._sigmoid.functions import compute as compute_elements
from xentfast._softmax.call import cross_entropy_call
from xentfast._softmax.functions import compute

pytestmark = [pytest.mark.every_build, pytest.mark.sanitized]

NO_CLASSES = [2**40, -2**40, 7, 2**63 - 1, -2**63]      # with 7 classes, or their index plus whatever the arrays hold
CHANGED = "another shape or dtype than when the call began"


def arrays(n_rows, n_classes, dtype=np.float32):
    rng = np.random.default_rng(n_rows + n_classes)
    return rng.normal(size=(n_rows, n_classes)).astype(dtype), rng.integers(0, n_classes, n_rows)


def options(kind, n_rows, n_classes):
    rng = np.random.default_rng(5)
    weight, where = rng.random(n_classes), rng.random((n_rows, n_classes)) < 0.9
    return {"plain": {}, "weight": {"weight": weight}, "where": {"where": where}, "cap": {"softcap": 5.0, "where": where},
            "smoothing": {"label_smoothing": 0.1, "weight": weight, "where": where},
            "sample_weight": {"sample_weight": rng.random(n_rows), "z_loss": 0.1}}[kind]


# Few classes (pairs of tiles), tiles, rows, rows of several chunks, rows whose chunks are cut over threads; 16 bits, float64.
SHAPES = [(70, 7, np.float32), (70, 40, np.float32), (40, 700, np.float32), (20, 5000, np.float64), (2, 40_000, np.float32),
          (40, 700, np.float16)]


@pytest.mark.parametrize("kind", ["plain", "weight", "where", "cap", "smoothing", "sample_weight"])
@pytest.mark.parametrize(("n_rows", "n_classes", "dtype"), SHAPES)
def test_what_is_no_class_any_more_is_skipped(n_rows, n_classes, dtype, kind):
    logits, targets = arrays(n_rows, n_classes, dtype)
    own = options(kind, n_rows, n_classes)
    outputs = 2 if kind in ("plain", "weight", "where") else 1
    for bad in [*NO_CLASSES, n_classes]:
        gone = np.arange(n_rows) % 3 == 1
        results = []
        for after in (bad, -1):                         # −1 is what an ignored row has there
            call = cross_entropy_call(logits, targets.copy(), n_threads=2, **own)
            call.classes[gone] = n_classes if bad == 7 and after != -1 else after
            out = [np.full_like(logits, 9) for _ in range(outputs)]
            values = np.empty(n_rows, call.value_dtype)
            compute(call, 1.0, values, *out, *[None] * (2 - outputs))
            results.append([values, *out])
        for changed, ignored in zip(*results, strict=True):
            assert changed.tobytes() == ignored.tobytes()
            assert not changed[gone].any()


@pytest.mark.parametrize("kind", ["plain", "weight", "smoothing"])
def test_partial_results(kind):
    n_rows, n_classes = 40, 5000
    slices = [slice(0, 2048), slice(2048, None)]
    logits, targets = arrays(n_rows, n_classes)
    own = options(kind, n_rows, n_classes)
    where = own.pop("where", None)
    counts = {} if where is None else {"where_count": where.sum(-1)}
    gone = np.arange(n_rows) % 3 == 1

    def slice_call(records, columns):
        some = {} if where is None else {"where": where[:, columns]}
        return SliceCall(logits[:, columns], records, targets.copy(), first_class=columns.start, n_classes=n_classes, **own,
                         **some, **counts)

    good = np.concatenate([records_of(slice_call(None, columns)) for columns in slices], axis=-2)
    for bad in [*NO_CLASSES, n_classes]:
        results = []
        for after in (n_classes if bad == 7 else bad, -1):
            results.append([])
            for columns in slices:
                for records in (None, good):
                    call = slice_call(records, columns)
                    call.classes[gone] = after
                    if records is None:
                        results[-1].append(records_of(call))
                        continue
                    results[-1].append(np.full_like(call.logits, 9))
                    combine_slices(call, records, n_classes, columns.start, call.first_record, call.open_classes, 1.0,
                                   results[-1][-1])
            call = SliceCall(None, good, targets.copy(), n_classes=n_classes, **own, **counts)
            call.classes[gone] = after
            results[-1].append(np.empty(n_rows, np.float32))
            combine_records(call, good, n_classes, call.open_classes, False, 1.0, results[-1][-1])
        for changed, ignored in zip(*results, strict=True):
            assert changed.tobytes() == ignored.tobytes()


def records_of(call):
    records = np.empty((*call.rows, call.n_chunks, 8))
    write_records(call, records, call.n_classes, call.first_class, call.open_classes)
    return records


def test_linear_layer():
    hidden, targets = arrays(50, 6)
    linear_weight, _ = arrays(300, 6)
    gone = np.arange(50) % 3 == 1
    for bad in [*NO_CLASSES, 300]:
        results = []
        for after in (300 if bad == 7 else bad, -1):
            call = LinearCall(hidden, linear_weight, targets.copy(), None, np.ones(300), None, -100, 0.1, 0.0, 0.0, 1.0, None,
                              None, "sum", 0.0, 2**20, 2)
            call.loss.classes[gone] = after
            gradients = call.outputs(None)
            results.append([run_linear(call, gradients), *gradients[:2]])
        for changed, ignored in zip(*results, strict=True):
            assert changed.tobytes() == ignored.tobytes()


class Rewriting:
    """A number, an index and an array, whose conversion changes an array of the caller's."""

    def __init__(self, change, value):
        self.change, self.value = change, value

    def __float__(self):
        self.change()
        return float(self.value)

    def __index__(self):
        self.change()
        return int(self.value)

    def __array__(self, dtype=None, copy=None):
        self.change()
        return np.array(self.value, dtype)


CONVERTED = {"empty": 0.0, "z_loss": 0.5, "logit_scale": 2.0, "label_smoothing": 0.1, "softcap": 5.0, "ignore_index": -100,
             "n_threads": 1, "axis": 1, "weight": np.ones(7), "sample_weight": np.ones(70), "where": np.ones(7, bool)}


@pytest.mark.parametrize("name", CONVERTED)
def test_conversions_come_before_the_look_at_targets(name):
    logits, targets = arrays(70, 7)
    change = partial(targets.fill, 2**40)
    with pytest.raises(IndexError, match=r"targets\[0\] is 1099511627776, but logits have 7 classes"):
        xf.softmax_cross_entropy(logits, targets, **{name: Rewriting(change, CONVERTED[name])})


@pytest.mark.parametrize(("function", "extra"), [
    (xf.softmax_cross_entropy_value_and_grad, {}), (xf.perplexity, {}),
    (xf.linear_cross_entropy, {}), (xf.linear_cross_entropy_value_and_grad, {}),
])
def test_conversion_of_empty(function, extra):
    logits, targets = arrays(70, 7)
    first = (logits, np.eye(7, dtype=np.float32)) if "linear" in function.__name__ else (logits,)
    with pytest.raises(IndexError, match=r"targets\[0\] is 1099511627776"):
        function(*first, targets, empty=Rewriting(partial(targets.fill, 2**40), 0.0), **extra)


def test_conversion_of_empty_of_elements():
    logits, targets = arrays(70, 7)[0], np.zeros((70, 7))
    for function in (xf.sigmoid_cross_entropy, xf.sigmoid_cross_entropy_value_and_grad):
        with pytest.raises(ValueError, match=r"targets\[0, 0\] is 2.0; expected a number from 0 to 1"):
            function(logits, targets, empty=Rewriting(partial(targets.fill, 2.0), 0.0))
        targets.fill(0.0)
        with pytest.raises(ValueError, match=r"targets\[0, 0\] is 2.0; expected a number from 0 to 1"):
            function(logits, targets, ignore_index=Rewriting(partial(targets.fill, 2.0), -1.0))
        targets.fill(0.0)


@pytest.mark.filterwarnings("ignore:Setting the:DeprecationWarning")
@pytest.mark.parametrize("name", ["logits", "classes", "sample_weight", "class_weight", "where", "soft", "out", "hess", "values"])
def test_shapes_that_change(name):
    logits, targets = arrays(70, 8)
    soft = name == "soft"
    call = cross_entropy_call(logits, np.full_like(logits, 0.5) if soft else targets, sample_weight=np.ones(70),
                              weight=np.ones(8), where=None if name != "where" else np.ones((70, 8), bool))
    results = {"values": np.empty(70, np.float32), "out": np.full_like(logits, 9), "hess": np.full_like(logits, 9)}
    array = results[name] if name in results else getattr(call, name)
    if name == "values":
        results[name] = array[1:]
    elif array.ndim == 1 or name == "where":            # of the mask the call has a view of its own
        setattr(call, name, array[1:])
    else:
        array.shape = (140, 4)
    with pytest.raises(ValueError, match=CHANGED):
        compute(call, 1.0, results["values"], results["out"], results["hess"])


def test_weights_whose_dtype_changes():
    """float32 and float64 are read as they are."""
    call = cross_entropy_call(*arrays(70, 5000), weight=np.ones(5000, np.float32))
    call.class_weight = call.class_weight.view(np.int32)
    with pytest.raises(ValueError, match=CHANGED):
        compute(call, 1.0, None, None, None)


@pytest.mark.filterwarnings("ignore:Setting the:DeprecationWarning")
@pytest.mark.parametrize("name", ["logits", "targets", "pos_weight", "sample_weight", "where", "losses", "gradient", "hessian"])
def test_shapes_of_elements_that_change(name):
    arguments = {name: np.full((70, 8), 0.5) for name in ("logits", "targets", "pos_weight", "sample_weight")}
    call = SigmoidCall(**arguments, where=np.ones((70, 8), bool), ignore_index=None, label_smoothing=0.0, focal_gamma=0.0,
                       reduction="none", n_threads=2)
    results = {name: np.empty((70, 8)) for name in ("losses", "gradient", "hessian")}
    if name == "where":                                 # of the mask the call has a view of its own
        call.where = call.where[1:]
    else:
        (results.get(name) if name in results else getattr(call, name)).shape = (140, 4)
    with pytest.raises(ValueError, match=CHANGED):
        compute_elements(call, 1.0, *results.values())


@pytest.mark.filterwarnings("ignore:Setting the:DeprecationWarning")
@pytest.mark.parametrize("name", ["p", "q", "values"])
def test_shapes_of_probabilities_that_change(name):
    arrays = {"p": np.full((70, 8), 0.125), "q": np.full((70, 8), 0.125), "values": np.empty(70)}
    if name == "values":
        arrays[name] = arrays[name][1:]
    else:
        arrays[name].shape = (140, 4)
    with pytest.raises(ValueError, match=CHANGED):
        compare(0, arrays["p"], arrays["q"], 1, 1e-10, 1.0, arrays["values"], 1)


@pytest.mark.parametrize("name", ["classes", "sample_weight", "row_values", "indicators"])
def test_shapes_of_labels_that_change(name):
    arrays = {"classes": np.zeros(70, np.int64), "sample_weight": np.ones(70), "row_values": np.empty(70), "indicators": None}
    arrays[name] = np.zeros((69, 8)) if name == "indicators" else arrays[name][:35].copy()
    with pytest.raises(ValueError, match=CHANGED):
        label_losses(np.full((70, 8), 0.125), arrays["classes"], arrays["indicators"], arrays["sample_weight"], 1e-10, 1.0, 1e-8,
                     1, arrays["row_values"])


def test_threads_that_write_to_targets():
    """Whatever comes of it, the process goes on, and quiet calls are as before."""
    logits, targets = arrays(2000, 10)
    weight, expected = np.ones(10), xf.softmax_cross_entropy(logits, targets)
    shared, done = targets.copy(), threading.Event()

    def write():
        while not done.is_set():
            for value in (0, 2**40, -2**40, 10):
                shared.fill(value)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(300):
            with contextlib.suppress(IndexError):
                xf.softmax_cross_entropy_value_and_grad(logits, shared, weight=weight)
    finally:
        done.set()
        writer.join()
    assert xf.softmax_cross_entropy(logits, targets) == expected
