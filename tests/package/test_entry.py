"""Plain calls go past Python (_base/entry.pyx): nobody can tell, by results, by errors or by looking at a function."""

import copy
import inspect
import pickle
import pydoc

import numpy as np
import pytest

import xentfast as xf

pytestmark = pytest.mark.every_build

RNG = np.random.default_rng(3)
LOSSES = [xf.softmax_cross_entropy, xf.softmax_cross_entropy_grad, xf.softmax_cross_entropy_value_and_grad]
SIGMOIDS = [xf.sigmoid_cross_entropy, xf.sigmoid_cross_entropy_grad, xf.sigmoid_cross_entropy_value_and_grad,
            xf.sigmoid_cross_entropy_grad_hess]
NORMALISERS = [xf.softmax, xf.log_softmax, xf.logsumexp]
COMPARISONS = [xf.cross_entropy, xf.kl_divergence, xf.entropy]
WITH_AXIS = NORMALISERS + COMPARISONS
FUNCTIONS = [*LOSSES, *SIGMOIDS, *WITH_AXIS, xf.cross_entropy_grad]
NAMES = [function.__name__ for function in FUNCTIONS]


def outcome(function, *args, **kwargs):
    """What a call gives or raises, as something that can be compared."""
    try:
        result = function(*args, **kwargs)
    except Exception as error:
        return type(error), str(error)
    return [(type(one), one.dtype, np.shape(one), np.asarray(one).tobytes()) for one in
            (result if isinstance(result, tuple) else (result,))]


def arrays(function, shape, dtype):
    """Its arguments by position: logits, and targets where it has them; or probabilities."""
    x = RNG.normal(size=shape).astype(dtype)
    if function in COMPARISONS or function is xf.cross_entropy_grad:
        return tuple(RNG.random(shape).astype(dtype) for _ in range(1 if function is xf.entropy else 2))
    if function in LOSSES:
        return x, RNG.integers(-1, shape[-1], shape[:-1]) * 1 if shape[:-1] else np.array(1)
    return (x, RNG.random(shape).astype(dtype)) if function in SIGMOIDS else (x,)


@pytest.mark.parametrize("function", FUNCTIONS, ids=NAMES)
def test_it_looks_like_a_function(function):
    written = function.__wrapped__
    assert inspect.isfunction(written)
    assert inspect.isroutine(function)
    assert str(inspect.signature(function)) == str(inspect.signature(written))
    assert function.__doc__ == written.__doc__
    assert written.__doc__.splitlines()[0] in pydoc.render_doc(function, renderer=pydoc.plaintext)
    assert (function.__name__, function.__module__, repr(function)) == (written.__name__, written.__module__, repr(written))
    assert pickle.loads(pickle.dumps(function)) is function
    assert copy.deepcopy(function) is function

    class Holder:
        method = function
        free = staticmethod(function)

    assert Holder().method.__self__.__class__ is Holder
    assert Holder().free is function


ENTRIES = [one for module in (xf, xf.init) for one in vars(module).values() if type(one) is type(xf.softmax)]


@pytest.mark.parametrize("function", ENTRIES, ids=lambda function: function.__name__)
def test_a_plain_case_knows_no_name_that_its_function_has_not(function):
    assert set(FUNCTIONS) <= set(ENTRIES)
    assert {name for name in function.plain.names if name is not None} <= inspect.signature(function).parameters.keys()


@pytest.mark.parametrize("function", FUNCTIONS, ids=NAMES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(4,), (1, 3), (64, 10), (5, 300), (3, 4, 7), (0, 3), (2, 0)])
def test_results_are_the_functions_own(function, dtype, shape):
    args = arrays(function, shape, dtype)
    options = [{}, {"n_threads": 1}, {"n_threads": None}]
    if function in WITH_AXIS:
        options += [{"axis": axis} for axis in (-1, 0, len(shape) - 1, None, len(shape))] + [{"keepdims": True}, {"eps": 0.01}]
    elif function in LOSSES + SIGMOIDS:
        options += [{"reduction": reduction} for reduction in ("mean", "sum", "none", "max", None)]
    for given in options:
        assert outcome(function, *args, **given) == outcome(function.__wrapped__, *args, **given)


@pytest.mark.parametrize("function", [*LOSSES[1:], *SIGMOIDS[1:3], *NORMALISERS[:2], xf.cross_entropy_grad],
                         ids=lambda function: function.__name__)
def test_outputs_are_the_functions_own(function):
    logits, *others = arrays(function, (6, 5), np.float32)
    args = logits, *map(abs, others)                    # the outputs of bad ones are what they were
    outs = {"plain": np.empty((6, 5), np.float32), "itself": None, "strided": np.empty((6, 10), np.float32)[:, ::2],
            "dtype": np.empty((6, 5)), "shape": np.empty((5, 6), np.float32), "list": [0.0], "None": None}
    for name, out in outs.items():
        results = []
        for each in (function, function.__wrapped__):
            own = logits.copy()
            into = own if name == "itself" else out
            results.append(outcome(each, own, *args[1:], out=into))
            assert name not in ("plain", "itself") or results[-1][-1][3] == into.tobytes()
        assert results[0] == results[1], name
    shared = np.zeros(45, np.float32)
    assert (outcome(function, shared[:30].reshape(6, 5), *args[1:], out=shared[5:35].reshape(6, 5))
            == outcome(function.__wrapped__, shared[:30].reshape(6, 5), *args[1:], out=shared[5:35].reshape(6, 5)))


BAD = {"few": (), "many": (1, 2, 3, 4), "text": ("x", "y"), "nothing": (None, None),
       "shape": (np.zeros((3, 2)), np.zeros(4, int)), "class": (np.zeros((2, 2)), np.array([0, 2])),
       "target": (np.zeros((2, 2)), np.array([[0.0, 2.0], [0.0, 1.0]])),
       "complex": (np.zeros((2, 2), complex), np.zeros(2, int)), "swapped": (np.zeros((2, 2), ">f4"), np.zeros(2, int)),
       "alike": (np.array([[1.0, 0.0]]), np.array([[0.5, 1.5]])), "dtypes": (np.ones(3), np.ones(3, np.float32)),
       "broadcast": (np.ones((2, 3)), np.ones(3)), "negative": (np.array([0.5, -0.5]), np.array([0.5, 0.5])),
       "none": (np.zeros((2, 2)), np.zeros(2, int)),
       "object": (np.zeros((2, 2), object), np.zeros(2, int)), "ignored": (np.zeros((2, 2)), np.full(2, -100))}


@pytest.mark.parametrize("function", FUNCTIONS, ids=NAMES)
@pytest.mark.parametrize("bad", BAD)
def test_errors_are_the_functions_own(function, bad):
    for options in ({}, {"n_threads": 0}, {"n_threads": True}, {"n_threads": 2**70}, {"nothing_of_the_kind": 1}, {"out": 3}):
        assert outcome(function, *BAD[bad], **options) == outcome(function.__wrapped__, *BAD[bad], **options)


@pytest.mark.parametrize("function", FUNCTIONS, ids=NAMES)
def test_arrays_of_any_layout(function):
    args = arrays(function, (6, 4, 8), np.float32)
    views = [lambda a: a[..., ::2] if a.ndim == 3 else a, lambda a: a[::-1], lambda a: np.asfortranarray(a),
             lambda a: a.swapaxes(0, 1), lambda a: a[::3, :1]]
    for one in views:
        for other in views[:3]:
            given = one(args[0]), *map(one if function in LOSSES else other, args[1:])
            assert outcome(function, *given) == outcome(function.__wrapped__, *given)


def test_subclasses_and_keywords_go_to_the_function():
    logits, targets = arrays(LOSSES[0], (4, 3), np.float32)
    for function in LOSSES:
        expected = outcome(function.__wrapped__, logits, targets)
        assert outcome(function, logits=logits, targets=targets) == expected
        assert outcome(function, logits, targets=targets) == expected
        assert outcome(function, np.ma.array(logits), targets) == outcome(function.__wrapped__, np.ma.array(logits), targets)
