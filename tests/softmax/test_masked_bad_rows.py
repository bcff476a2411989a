"""A class that `where` leaves out has gradient 0, whatever its row is: a row that is nan is nan in the others alone."""

import ml_dtypes
import numpy as np
import pytest
from routes import THREADS, layouts

import xentfast as xf

pytestmark = pytest.mark.every_build

INF, NAN = np.inf, np.nan
DTYPES = [np.float32, np.float64, np.float16, ml_dtypes.bfloat16]
BAD = {3: NAN, 11: INF, 20: -INF}               # what makes a row bad; row 20 is −inf alone, and nothing is left of row 30
OPTIONS = [{}, {"label_smoothing": 0.2}, {"weight": True}, {"z_loss": 0.1}, {"logit_scale": -0.5}, {"softcap": 3.0},
           {"softcap": 3.0, "label_smoothing": 0.2}]


def problem(shape, dtype, soft, seed=0):
    """(logits, targets, mask): in a bad row the target is left in or out."""
    rng = np.random.default_rng(seed)
    x, mask = rng.standard_normal(shape).astype(dtype), rng.random(shape) < 0.6
    targets = rng.integers(0, shape[1], shape[0])
    mask[:, 1] = True
    for row, value in BAD.items():
        x[row, 1] = dtype(value)
    x[20] = dtype(-INF)
    x[~mask] = dtype(NAN)
    mask[30] = False
    targets[11] = np.argmin(mask[11]) if not mask[11].all() else 1
    return x, rng.random(shape).astype(dtype) if soft else targets, mask


def check(gradient, mask):
    """Exactly 0 where nothing is left in; nan in the others of bad rows, and nowhere else."""
    gradient = np.asarray(gradient, np.float64)
    bad = np.isin(np.arange(len(mask)), list(BAD))
    assert np.all(gradient[~mask] == 0)
    assert np.array_equal(np.isnan(gradient), mask & bad[:, None])


def drawn(options, n_classes):
    return {"weight": np.linspace(0.5, 2, n_classes)} if "weight" in options else options


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("n_classes", [2, 70, 2600])
def test_gradients(level, n_classes, soft, dtype):
    x, t, mask = problem((40, n_classes), dtype, soft)
    for options in OPTIONS:
        given = drawn(options, n_classes) | {"where": mask, "reduction": "none"}
        loss, grad = xf.softmax_cross_entropy_value_and_grad(x, t, **given)
        check(grad, mask)
        assert np.isnan(loss[[*BAD, 30]]).all()
        assert xf.softmax_cross_entropy_grad(x, t, **given).tobytes() == grad.tobytes()
        place = x.copy()
        assert xf.softmax_cross_entropy_grad(place, t, out=place, **given).tobytes() == grad.tobytes()
        if soft:
            turned = xf.softmax_cross_entropy_grad(x.T.copy(), t.T, axis=0, **given | {"where": mask.T})
        else:
            turned = xf.softmax_cross_entropy_grad(x.T.copy(), t, axis=0, **given | {"where": mask.T})
        check(turned.T, mask)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("n_classes", [2, 70, 2600])
def test_hessian(level, n_classes, soft, dtype):
    x, t, mask = problem((40, n_classes), dtype, soft)
    for options in OPTIONS[:3]:
        loss_free = xf.softmax_cross_entropy_grad_hess(x, t, where=mask, **drawn(options, n_classes))
        for part in loss_free:
            check(part, mask)
        for part in xf.softmax_cross_entropy_grad_hess(x.T.copy(), t.T if soft else t, axis=0, where=mask.T):
            check(part.T, mask)


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_split_rows_and_layouts(soft, dtype):
    """A few long rows, each of which several threads share, and other memory."""
    x, t, mask = problem((40, 9000), dtype, soft)
    some = [3, 11, 20, 30]
    x, t, mask = x[some], t[some], mask[some]
    want = xf.softmax_cross_entropy_grad(x, t, where=mask, reduction="sum", n_threads=1)
    assert np.all(want[~mask] == 0) and np.isnan(want[mask]).all()
    for n_threads in THREADS:
        for layout in layouts(x):
            assert xf.softmax_cross_entropy_grad(layout, t, where=mask, reduction="sum",
                                                 n_threads=n_threads).tobytes() == want.tobytes()


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_partial_results(soft, dtype):
    """A class may be in another slice than what makes its row nan."""
    x, t, mask = problem((40, 5000), dtype, soft)
    cuts = [slice(0, 2048), slice(2048, 4096), slice(4096, 5000)]
    given = {"n_classes": 5000}
    parts = np.concatenate([
        xf.softmax_cross_entropy_partial(x[:, cut], t[:, cut] if soft else t, first_class=cut.start, where=mask[:, cut], **given)
        for cut in cuts], -2)
    grads = [xf.softmax_cross_entropy_combine_grad(parts, x[:, cut], t[:, cut] if soft else t, first_class=cut.start,
                                                   where=mask[:, cut], reduction="sum", **given) for cut in cuts]
    got = np.concatenate(grads, 1)
    check(got, mask)
    assert got.tobytes() == xf.softmax_cross_entropy_grad(x, t, where=mask, reduction="sum").tobytes()
