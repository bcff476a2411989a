"""What is measured of the objectives and metrics for boosting libraries. A new public name gets a line in FUNCTIONS.

Rows are as in `losses`; neither library is needed. Margins are those of `library`: float32 rows of XGBoost's, float64 columns of
LightGBM's.
"""

from typing import NamedTuple

# As in `losses`.
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


SOFTMAX = rows((64, 10), [(100_000, 10), (20_000, 100)], ["weight", "label_smoothing", "soft_labels", "sample_weight"])
SIGMOID = rows((64,), [(1_000_000,)], ["pos_weight", "label_smoothing", "focal_gamma", "sample_weight"])
FUNCTIONS = {
    "boosting.SoftmaxObjective": SOFTMAX,
    "boosting.SoftmaxMetric": SOFTMAX,
    "boosting.SigmoidObjective": SIGMOID,
    "boosting.SigmoidMetric": SIGMOID,
}
