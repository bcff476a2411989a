"""On Dask arrays, by every scheduler: threads, processes, and the workers of a cluster, one thread to a block."""

import numpy as np
import pytest

import xentfast as xf

pytestmark = pytest.mark.extras

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
xd = pytest.importorskip("xentfast.dask")
tasks = pytest.importorskip("xentfast.dask._cross_entropy_tasks")

N, C = 200, 4100


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    return rng.standard_normal((N, C)).astype(np.float32), rng.integers(0, C, N), rng.random(N)


@pytest.fixture(scope="module")
def cluster():
    """Two worker processes."""
    distributed = pytest.importorskip("distributed")
    with (distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
          distributed.Client(cluster) as client):
        client.wait_for_workers(2)
        yield client


def check(logits, targets, weights, **how):
    lazy, given = da.from_array(logits, chunks=(60, 2048)), {"sample_weight": weights, "label_smoothing": 0.1}
    whole = lazy.rechunk((60, C))
    results = [*xd.softmax_cross_entropy_value_and_grad(lazy, targets, **given),
               xd.softmax_cross_entropy(whole, targets, **given),
               xd.sigmoid_cross_entropy_grad(lazy, 1), xd.entropy(xd.softmax(lazy)),
               xd.log_loss(targets, xd.softmax(lazy), labels=range(C)),
               xd.init.he_normal((N, C), rng=7, name="w", chunks=(60, 999))]
    loss, grad = xf.softmax_cross_entropy_value_and_grad(logits, targets, **given)
    expected = [loss, grad, loss, xf.sigmoid_cross_entropy_grad(logits, 1), xf.entropy(xf.softmax(logits)),
                xf.log_loss(targets, xf.softmax(logits), labels=range(C)), xf.init.he_normal((N, C), rng=7, name="w")]
    for found, want in zip(dask.compute(*results, **how), expected, strict=True):
        assert np.asarray(found).tobytes() == np.asarray(want).tobytes()


@pytest.mark.parametrize("scheduler", ["sync", "threads", "processes"])
def test_local_schedulers(scheduler, data):
    check(*data, scheduler=scheduler, num_workers=2)


def test_cluster(cluster, data):
    check(*data)


def test_errors_come_back_from_a_cluster(cluster, data):
    targets = data[1].copy()
    targets[150] = C
    with pytest.raises(IndexError, match=r"targets\[150\] is 4100"):
        xd.softmax_cross_entropy(da.from_array(data[0], chunks=(60, C)), targets).compute()


def test_both_workers_work(cluster):
    """Logits that are made where they are used, and gradients that stay there."""
    distributed = pytest.importorskip("distributed")
    logits = da.random.default_rng(0).standard_normal((2000, 5000), chunks=(50, 5000), dtype=np.float32)
    loss, grad = dask.persist(*xd.softmax_cross_entropy_value_and_grad(logits, np.arange(2000)))
    distributed.wait([loss, grad])
    holders = cluster.who_has(grad)
    assert len({worker for workers in holders.values() for worker in workers}) == 2
    assert np.isfinite(loss.compute())


@pytest.mark.parametrize(("n_threads", "expected"), [(1, {1}), (3, {3})])
def test_threads_of_a_block(n_threads, expected, data, monkeypatch):
    """As many as were asked for, one by default: blocks run side by side."""
    seen = set()
    own = tasks.compute

    def watched(call, *more):
        seen.add(call.n_threads)
        return own(call, *more)

    monkeypatch.setattr(tasks, "compute", watched)
    lazy = da.from_array(data[0], chunks=(60, C))
    given = {} if n_threads == 1 else {"n_threads": n_threads}
    xd.softmax_cross_entropy(lazy, data[1], **given).compute(scheduler="threads")
    assert seen == expected
