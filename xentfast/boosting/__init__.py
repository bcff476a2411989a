"""Objectives and metrics for XGBoost (2.1 and later) and LightGBM (4 and later): softmax, sigmoid and focal cross-entropy.

Neither library is imported: these are callables, for the arrays and data sets that the libraries pass, and `base_margin`, which
says where training may start. The extra `boosting` brings both.
"""

from xentfast.boosting._base_margin import base_margin
from xentfast.boosting._objectives import SigmoidMetric, SigmoidObjective, SoftmaxMetric, SoftmaxObjective

__all__ = ["SigmoidMetric", "SigmoidObjective", "SoftmaxMetric", "SoftmaxObjective", "base_margin"]

# Pickles name the place that users know.
for _one in (SigmoidMetric, SigmoidObjective, SoftmaxMetric, SoftmaxObjective):
    _one.__module__ = __name__
