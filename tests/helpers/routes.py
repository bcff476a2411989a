"""What tests of bits share: problems with every kind of row, options, the same values in other memory, each way to a result."""

import numpy as np

import xentfast as xf
from xentfast._base import dispatch

LEVELS = dispatch.supported_levels()
THREADS = [1, 2, 3, 5]
OPTIONS = {
    "z_loss": {"z_loss": 0.01}, "scale": {"logit_scale": 0.7}, "negative scale": {"logit_scale": -1.3},
    "softcap": {"softcap": 6.0}, "where": {"where": True}, "scale and softcap": {"logit_scale": 1.5, "softcap": 30.0},
    "where and softcap": {"where": True, "softcap": 6.0}, "where and z_loss": {"where": True, "z_loss": 0.1},
    "all": {"z_loss": 0.01, "logit_scale": 1.5, "softcap": 10.0, "where": True},
}


def problem(n_rows, n_classes, dtype, soft=False, seed=0):
    """Logits with every kind of row, and targets."""
    rng = np.random.default_rng(seed)
    logits = (rng.standard_normal((n_rows, n_classes)) * 4).astype(dtype)
    targets = rng.integers(0, n_classes, n_rows)
    if n_rows > 8:
        logits[1, n_classes // 2] = np.nan
        logits[2, 0] = -np.inf
        logits[3] = -np.inf
        logits[4, -1] = np.inf
        logits[5] *= 30
        logits[6] += 1e4
        targets[7] = -100
    return logits, rng.random((n_rows, n_classes)).astype(dtype) if soft else targets


def options(name, n_rows, n_classes, more=()):
    """Options by name; masks with rows that are open, closed, and anything between."""
    rng = np.random.default_rng(7)
    mask = rng.random((n_rows, n_classes)) < 0.8
    mask[n_rows // 2:n_rows // 2 + 2] = [[True], [False]]
    given = {"weight": rng.random(n_classes), "sample_weight": rng.integers(0, 4, n_rows) / 2, "where": mask}
    return {key: given.get(key, value) for key, value in (OPTIONS[name] | dict(more)).items()}


def layouts(array):
    """The same values in other memory."""
    yield array
    yield np.asfortranarray(array)
    yield np.repeat(array, 2, axis=-1)[..., ::2]
    yield array[::-1].copy()[::-1]
    yield array[..., ::-1].copy()[..., ::-1]
    padded = np.zeros((*array.shape[:-1], array.shape[-1] + 3), array.dtype)
    padded[..., 1:-2] = array
    yield padded[..., 1:-2]


def by_every_route(logits, targets, **given):
    """Loss and gradient as bytes; the routes agree among themselves."""
    loss = xf.softmax_cross_entropy(logits, targets, **given)
    grad = xf.softmax_cross_entropy_grad(logits, targets, **given)
    both = xf.softmax_cross_entropy_value_and_grad(logits, targets, **given)
    place = logits.copy(order="K")
    in_place = xf.softmax_cross_entropy_value_and_grad(place, targets, out=place, **given)
    strided = np.empty((*logits.shape[:-1], 2 * logits.shape[-1]), logits.dtype)[..., ::2]
    xf.softmax_cross_entropy_grad(logits, targets, out=strided, **given)
    assert in_place[1] is place
    assert loss.tobytes() == both[0].tobytes() == in_place[0].tobytes()
    assert grad.tobytes() == both[1].tobytes() == place.tobytes() == strided.tobytes()
    return loss.tobytes(), grad.tobytes()


def little_endian(values):
    """Their bytes, as most machines have them: digests are of these, on every machine."""
    values = np.ascontiguousarray(values)
    return values.view(f"u{values.itemsize}").astype(f"<u{values.itemsize}").tobytes()


def everything(x, n_threads):
    return tuple(little_endian(function(x, n_threads=n_threads)) for function in (xf.softmax, xf.log_softmax, xf.logsumexp))
