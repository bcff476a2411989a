"""Softmax cross-entropy on Dask arrays: the bits of one machine for rows cut anywhere, classes cut at chunks; lazy, in pieces."""

import itertools

import ml_dtypes
import numpy as np
import pytest
from routes import OPTIONS, options, problem
from tolerances import TWIN
from unread import spoilt, unread_rows

import xentfast as xf

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
xd = pytest.importorskip("xentfast.dask")
from dask_cases import same  # noqa: E402

pytestmark = [pytest.mark.extras, pytest.mark.usefixtures("one_after_the_other")]

CHUNK = 2048                            # a multiple of float64's
DTYPES = [np.float32, np.float64, np.float16, ml_dtypes.bfloat16]
WEIGHTED = {"weight": True, "sample_weight": True, "label_smoothing": 0.2}


def check(logits, targets, chunks, exact=True, **given):
    """The three functions against those of arrays; `exact`: bit for bit."""
    lazy = da.from_array(logits, chunks=chunks)
    expected = xf.softmax_cross_entropy_value_and_grad(logits, targets, **given)
    both = xd.softmax_cross_entropy_value_and_grad(lazy, targets, **given)
    assert both[1].chunks == lazy.chunks
    if exact:
        same(both, expected)
    found = dask.compute(*both)
    alone = xd.softmax_cross_entropy(lazy, targets, **given), xd.softmax_cross_entropy_grad(
        lazy, targets, **{name: value for name, value in given.items() if name != "empty"})
    same(alone, found)
    return found, expected


@pytest.mark.parametrize(("name", "dtype"), [*itertools.product(("none", "all"), DTYPES),
                                             *((name, np.float32) for name in OPTIONS if name != "all")])
@pytest.mark.parametrize("soft", [False, True])
def test_bits_of_one_machine(soft, name, dtype):
    n_rows, n_classes = 9, 2 * CHUNK + 77
    logits, targets = problem(n_rows, n_classes, dtype, soft)
    whole, cut = (4, n_classes), ((1, 3, 5), (CHUNK, CHUNK + 77))
    for more, reduction, chunks in (({}, "none", whole), ({}, "none", cut), (WEIGHTED, "mean", whole), (WEIGHTED, "mean", cut)):
        given = options("where" if name == "none" else name, n_rows, n_classes, more)
        if name == "none":
            del given["where"]
        check(logits, targets, chunks, reduction=reduction, **given)


@pytest.mark.parametrize("dtype", DTYPES)
def test_focal_loss(dtype):
    n_classes = 2 * CHUNK + 77
    logits, targets = problem(9, n_classes, dtype)
    for more, chunks in itertools.product(({}, {"weight": True, "sample_weight": True}),
                                          ((4, n_classes), ((1, 3, 5), (CHUNK, CHUNK + 77)))):
        given = {name: value for name, value in options("where", 9, n_classes, more).items() if name != "where"}
        check(logits, targets, chunks, reduction="none", focal_gamma=2.0, **given)
        check(logits, targets, chunks, focal_gamma=0.5, z_loss=0.1, softcap=9.0, **given)
        same(xd.softmax_cross_entropy_grad_hess(da.from_array(logits, chunks=chunks), targets, focal_gamma=2.0, **given),
             xf.softmax_cross_entropy_grad_hess(logits, targets, focal_gamma=2.0, **given))


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("weighted", [(), ("sample_weight",), ("weight",), ("weight", "sample_weight")])
def test_sums_over_many_rows(weighted, soft):
    rng = np.random.default_rng(0)
    logits, targets = problem(200_001, 6, np.float32, soft)
    logits, targets = np.nan_to_num(logits, neginf=0, posinf=0), np.abs(targets) % 6
    given = {name: rng.random({"weight": 6, "sample_weight": len(logits)}[name]) for name in weighted}
    lazy = da.from_array(logits, chunks=(70_000, 6))
    same(xd.softmax_cross_entropy_value_and_grad(lazy, targets, **given),
         xf.softmax_cross_entropy_value_and_grad(logits, targets, **given))


@pytest.mark.parametrize(("shape", "axis", "chunks"), [
    ((4, 2 * CHUNK, 3), 1, (3, CHUNK, 2)), ((CHUNK + 5, 3, 4), 0, (CHUNK, 1, 3)), ((3, 4, CHUNK + 5), -1, (2, 3, CHUNK)),
    ((2, 5, 6), -2, (1, 5, 4)), ((CHUNK + 9,), 0, (CHUNK,)), ((CHUNK + 9,), 0, (CHUNK + 9,)), ((0, 7), 1, (1, 7)),
    ((0, 7), 1, (1, 3)), ((6, 7), 1, ((0, 4, 0, 2), 7)), ((6, 7), 1, ((0, 6), (7, 0)))])
def test_any_axis_and_any_grid(shape, axis, chunks):
    rng = np.random.default_rng(0)
    logits, axis = rng.standard_normal(shape).astype(np.float32), axis % len(shape)
    rows = shape[:axis] + shape[axis + 1:]
    mask = rng.random((shape[axis],) + (1,) * (len(shape) - 1 - axis)) < 0.7
    for reduction, more in itertools.product(("none", "sum", "mean"), ({}, {"where": mask, "label_smoothing": 0.1})):
        if chunks == ((0, 6), (7, 0)):
            targets = np.zeros(rows, np.int64)
            same([xd.softmax_cross_entropy(da.from_array(logits, chunks=chunks), targets, reduction=reduction, **more)],
                 [xf.softmax_cross_entropy(logits, targets, reduction=reduction, **more)])
        else:
            check(logits, rng.integers(0, shape[axis], rows), chunks, axis=axis, reduction=reduction, **more)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("widths", [(1, 1, 38), (7, 32, 1), (20, 20)])
def test_other_cuts_have_the_accuracy(widths, dtype):
    for soft in (False, True):
        logits, targets = problem(33, 40, dtype, soft)
        given = options("all", 33, 40, WEIGHTED)
        given["where"] = given["where"] | np.eye(33, 40, dtype=bool) | (soft or np.arange(40) == np.maximum(targets, 0)[:, None])
        found, expected = check(np.nan_to_num(logits, neginf=0, posinf=9), targets, (5, widths), exact=False, **given)
        tolerance = 20 * TWIN[np.dtype(dtype)]
        assert np.allclose(found[0], expected[0], rtol=tolerance, atol=0)
        assert np.allclose(found[1], expected[1], rtol=tolerance, atol=tolerance)


def test_other_arrays_may_be_lazy_and_cut_otherwise():
    n_classes = CHUNK + 30
    logits, targets = problem(20, n_classes, np.float32)
    given = options("all", 20, n_classes, WEIGHTED)
    expected = xf.softmax_cross_entropy_value_and_grad(logits, targets, **given)
    lazy = {name: da.from_array(value, chunks=7) if isinstance(value, np.ndarray) and name != "weight" else value
            for name, value in given.items()}
    lazy["weight"] = da.from_array(given["weight"], chunks=500)
    for chunks in ((6, n_classes), (6, CHUNK)):
        same(xd.softmax_cross_entropy_value_and_grad(
            da.from_array(logits, chunks=chunks), da.from_array(targets, chunks=9), **lazy), expected)
    soft = problem(20, n_classes, np.float32, True)[1]
    same([xd.softmax_cross_entropy(da.from_array(logits, chunks=(6, CHUNK)), da.from_array(soft, chunks=(9, 100)))],
         [xf.softmax_cross_entropy(logits, soft)])


def test_means_of_nothing():
    logits = np.zeros((4, 5), np.float32)
    for targets, more in (([-100] * 4, {}), ([1] * 4, {"sample_weight": [1, -1, 2, -2]}), ([7] * 4, {"ignore_index": 7})):
        for chunks in ((2, 5), (2, 3)):
            check(logits, targets, chunks, empty=3.0, **more)


def test_mask_of_many_classes_and_no_rows():
    """For whose blocks Dask has no size."""
    logits, targets = da.zeros((4096, 2, 0), chunks=1000), np.zeros((2, 0), int)
    given = {"axis": 0, "label_smoothing": 0.1, "reduction": "sum"}
    assert xd.softmax_cross_entropy(logits, targets, where=np.ones(logits.shape, bool), **given).compute() == 0


@pytest.mark.parametrize("chunks", [(4, 9), (4, (2, 7))])
def test_hessian_and_perplexity(chunks):
    logits, targets = problem(9, 9, np.float32)
    lazy, given = da.from_array(logits, chunks=chunks), options("where", 9, 9, WEIGHTED)
    for reduction in ("none", "sum", "mean"):
        same(xd.softmax_cross_entropy_grad_hess(lazy, targets, reduction=reduction, **given),
             xf.softmax_cross_entropy_grad_hess(logits, targets, reduction=reduction, **given))
    same(xd.softmax_cross_entropy_grad_hess(lazy, [-100] * 9, reduction="mean"), (np.zeros((9, 9), np.float32),) * 2)
    logits = np.nan_to_num(logits, neginf=0, posinf=2)
    if chunks == (4, 9):
        same([xd.perplexity(da.from_array(logits, chunks=chunks), targets, logit_scale=0.1)],
             [xf.perplexity(logits, targets, logit_scale=0.1)])


@pytest.mark.parametrize("dtype", [">f4", "i4", ">f8"])
def test_dtypes_that_are_converted(dtype):
    logits = np.arange(12).reshape(3, 4).astype(dtype)
    for chunks in ((2, 4), (2, 3)):
        check(logits, [0, 1, 2], chunks, exact=chunks == (2, 4))


# ---- laziness, reads, sizes


def counted(shape, chunks, reads):
    """Logits that note each time a block of them is made."""
    def block(block_info):
        place = block_info[None]["array-location"]
        reads.append(tuple(map(tuple, place)))
        return np.zeros([stop - start for start, stop in place], np.float32)
    chunks = da.core.normalize_chunks(chunks, shape)
    return da.map_blocks(block, chunks=chunks, dtype=np.float32, meta=np.empty((0, 0), np.float32))


@pytest.mark.parametrize("chunks", [(10, 300), (10, 128)])
def test_nothing_is_computed_at_once_and_blocks_are_made_once(chunks):
    reads = []
    logits = counted((40, 300), chunks, reads)
    targets = da.from_array(np.arange(40), chunks=13)
    loss, grad = xd.softmax_cross_entropy_value_and_grad(logits, targets, sample_weight=np.ones(40))
    others = [xd.softmax_cross_entropy(logits, targets), *xd.softmax_cross_entropy_grad_hess(logits, targets),
              xd.perplexity(logits, targets)]
    assert reads == [] and all(isinstance(one, da.Array) for one in others)
    dask.compute(loss, grad)
    assert len(reads) == len(set(reads)) == logits.npartitions


@pytest.mark.parametrize("chunks", [(50, 3000), (50, 1024), (100, 1000)])
def test_no_task_makes_more_than_a_block_of_logits(chunks):
    largest = []

    class Watch(dask.callbacks.Callback):
        def _posttask(self, key, result, dsk, state, worker_id):
            for one in result if isinstance(result, tuple) else (result,):
                largest.append((getattr(one, "nbytes", 0), key))

    logits, targets = counted((400, 3000), chunks, []), np.zeros(400, np.int64)
    with Watch():
        dask.persist(*xd.softmax_cross_entropy_value_and_grad(logits, targets, label_smoothing=0.1, where=np.ones(3000, bool)))
    assert max(largest)[0] <= 4 * np.prod([max(lengths) for lengths in logits.chunks])


def test_names_are_those_of_what_was_asked_for():
    """The same call has the same keys, so that Dask computes it once; another has others."""
    logits, targets = da.zeros((4, 5), chunks=2), np.arange(4)
    names = [[one.name for one in xd.softmax_cross_entropy_value_and_grad(logits, targets, **given)]
             for given in ({}, {}, {"softcap": 3.0}, {"sample_weight": np.ones(4)})]
    assert names[0] == names[1] and not set(names[0]) & set(names[2]) and not set(names[0]) & set(names[3])


def test_small_graphs():
    """A few tasks for each block, whatever the options."""
    logits, targets = da.zeros((1000, 4000), chunks=(10, 4000), dtype=np.float32), np.zeros(1000, np.int64)
    graph = dict(xd.softmax_cross_entropy(logits, targets).__dask_graph__())
    assert len(graph) < 8 * logits.npartitions


@pytest.mark.parametrize("n_classes", [6, CHUNK + 9])
@pytest.mark.parametrize("weighted", [(), ("weight", "label_smoothing")])
def test_what_is_not_read_is_not_looked_at(weighted, n_classes):
    given, more = unread_rows(30, n_classes), {"weight": np.arange(n_classes) % 3, "label_smoothing": 0.1}
    logits, targets, weights = spoilt(*given)
    more = {name: more[name] for name in weighted}
    want = xf.softmax_cross_entropy_value_and_grad(given[0], given[1], sample_weight=given[2], **more)
    lazy = da.from_array(logits, chunks=(7, CHUNK))
    weights = da.from_array(weights, chunks=9)
    same(xd.softmax_cross_entropy_value_and_grad(lazy, da.from_array(targets), sample_weight=weights, **more), want)
