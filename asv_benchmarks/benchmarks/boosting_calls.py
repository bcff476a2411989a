"""A case of the table `boosting` made real: margins, labels and weights in memory, and a call on them."""

from functools import partial
from operator import attrgetter

import numpy as np

from .loss_calls import PERIOD, repeated


def make_call(function, *, shape, library, n_threads, arrays, option):
    """An objective or a metric, called as scikit-learn's classes of that library call it."""
    import xentfast.boosting

    rng = np.random.default_rng(0)
    margins = repeated(rng.standard_normal(PERIOD), shape, "float32" if library == "xgboost" else "float64")
    margins = np.asarray(margins, order="C" if library == "xgboost" else "F")
    labels = rng.integers(0, shape[1] if len(shape) > 1 else 2, shape[0]).astype(np.float32)
    weights = rng.uniform(0.5, 1.5, shape[0]).astype(np.float32) if option == "sample_weight" else None
    make = partial(attrgetter(function)(xentfast), *() if function.endswith("SigmoidObjective") else (library,),
                   **options(option, rng, shape), **{} if n_threads is None else {"n_threads": n_threads})
    arguments = labels, margins, weights
    return partial(make(), *arguments) if arrays == "kept" else partial(first_call, make, *arguments)


def first_call(make, *arguments):
    return make()(*arguments)


def options(name, rng, shape):
    classes = shape[-1]
    every = {
        "weight": rng.uniform(0.5, 1.5, classes) if len(shape) > 1 else None,
        "soft_labels": np.float32(rng.dirichlet(np.ones(classes), classes)) if len(shape) > 1 else None,
        "label_smoothing": 0.1,
        "pos_weight": 4.0,
        "focal_gamma": 2.0,
    }
    return {name: every[name]} if name in every else {}
