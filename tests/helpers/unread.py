"""Softmax problems with rows that are not read: ignored ones, and ones of weight 0. `spoilt` has anything there."""

import numpy as np

WEIGHTLESS, IGNORED = np.s_[::3], np.s_[1::3]               # every third row is read
ANY_CLASS = [-1, -5, 10**6, 2**62, -2**63, 2**63 - 1]


def unread_rows(n_rows, n_classes, dtype=np.float32):
    """(logits, targets, sample_weight)"""
    rng = np.random.default_rng(2)
    logits = rng.standard_normal((n_rows, n_classes)).astype(dtype)
    targets, weights = rng.integers(0, n_classes, n_rows), rng.random(n_rows) + 0.5
    weights[WEIGHTLESS] = 0.0
    targets[IGNORED] = -100
    return logits, targets, weights


def spoilt(logits, targets, weights):
    logits, targets, weights = logits.copy(), targets.copy(), weights.copy()
    logits[WEIGHTLESS] = logits[IGNORED] = np.nan
    targets[WEIGHTLESS] = np.resize(ANY_CLASS, len(targets[WEIGHTLESS]))
    weights[IGNORED] = np.resize([np.nan, np.inf, -np.inf], len(weights[IGNORED]))
    return logits, targets, weights
