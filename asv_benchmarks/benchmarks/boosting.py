"""What is measured of the objectives and metrics for boosting libraries. A new public name gets a line in FUNCTIONS.

Rows are as in `softmax`; neither library is needed. Margins are those of `library`: float32 rows of XGBoost's, float64 columns of
LightGBM's.
"""

from functools import partial
from operator import attrgetter
from typing import NamedTuple

import numpy as np

from .arrays import PERIOD, repeated

# As in `softmax`.
VERSION = "1"
LIBRARIES = ["xgboost", "lightgbm"]
# `arrays` for the results: "kept" from the last call, as in training, or "new".
DEFAULTS = {"library": "xgboost", "n_threads": 1, "arrays": "kept", "option": "none"}


class Function(NamedTuple):
    time: dict
    memory: dict


def rows(few, middle, options):
    """A row of each kind; the last are what a round of training is like."""
    return Function(
        time={
            # What a call costs before any arithmetic.
            "small": {"shape": [few], "n_threads": None},
            "round": {"shape": middle, "library": LIBRARIES},
            "option": {"shape": middle[:1], "option": options},
        },
        memory={"round": {"shape": middle[:1], "library": LIBRARIES, "arrays": "new"}},
    )


SOFTMAX = rows((64, 10), [(100_000, 10), (20_000, 100)],
               ["weight", "label_smoothing", "soft_labels", "focal_gamma", "sample_weight"])
SIGMOID = rows((64,), [(1_000_000,)], ["pos_weight", "label_smoothing", "focal_gamma", "sample_weight"])
FUNCTIONS = {
    "boosting.SoftmaxObjective": SOFTMAX,
    "boosting.SoftmaxMetric": SOFTMAX,
    "boosting.SigmoidObjective": SIGMOID,
    "boosting.SigmoidMetric": SIGMOID,
}
EXEMPT = {"boosting.base_margin": "once before training, in NumPy"}


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
