"""Every tolerance of the suite, with its reason. Bits have none: they are compared as bytes."""

import ml_dtypes
import numpy as np
import pytest
from scipy.special import ndtri

# What an oracle in long double asks of the machine.
needs_long_double = pytest.mark.skipif(np.finfo(np.longdouble).nmant < 63, reason="the oracle is an 80-bit long double")


def ulp(value, dtype):
    """The spacing of `dtype` at |value| (long double values allowed), of a normal number at least."""
    value = np.maximum(np.abs(np.asarray(value, np.longdouble)), np.longdouble(np.finfo(dtype).tiny))
    return np.ldexp(np.longdouble(1), np.frexp(value)[1] - 1 - np.finfo(dtype).nmant)


# Guarantee 2 (docs/trust/guarantees.md), as bounds in ulp, whatever the size of the result. They hold on the data of the
# tests; docs/how/numerics.md counts what is possible.
#
# A term is an exponential of 0.98 ulp. A loss carries that of the largest of the others, their sum's roundings, damped by the
# logarithm where the loss is large, and its own: 1.7 and 3.2 seen (float64 has no spare digits for the sums).
LOSS = {np.float32: 2.0, np.float64: 4.0}
# A gradient element carries its own exponential, the sum's, the factor's rounding and the product's: 3.5 and 6.5 seen.
GRADIENT = {np.float32: 4.0, np.float64: 8.0}
# Soft targets, smoothing, log_softmax and logsumexp, in ulp of the largest term, since terms cancel: masses, differences and
# products are rounded in the logits' type before they are added. 1.8 and 3.7 seen.
LARGEST_TERM = {np.float32: 2.0, np.float64: 4.0}

# logsumexp with b, beside that: terms and sums are in double whatever the dtype, each some 2⁻⁵² of itself off; times how much
# larger the sum of the terms' sizes is than their sum, less 1. 1.4·2⁻⁵¹ seen.
CANCELLED = 2.0**-50

# A capped float64 logit carries tanh's 2.5 ulp and the product's rounding, and so does the largest: that many ulp of each
# probability for each unit of the cap. 4.1 seen, of e^{−60}. Those of float32 are computed in double, and add nothing.
SOFTCAP_FLOAT64 = 4.5
# A gradient is multiplied by the cap's slope, which rounds, and in float64 is no more exact than e^{−2|u|}, u = logit/cap.
SLOPE, SLOPE_FLOAT64 = 1.0, 4.0

# A Hessian element p·(1 − p) carries the error of the smaller factor, which is that of a gradient element; the larger, at
# least a half, and the products round once or twice more. 3.7 and 7.2 seen.
HESSIAN = 1.0

# A perplexity, in ulp, of the mean loss that the package has: exp's 0.95 and a rounding. That mean is in double for float32
# too, so that its perplexity is as near to the exact one: 1.2 seen.
PERPLEXITY = 2.0

# The twins in float64 against float32 results: the twin's own error is far below one ulp of float32.
TWIN = {np.dtype(np.float32): 4e-6, np.dtype(np.float64): 4e-14}

# One rounding to 16 bits, relative, or of the smallest subnormal number.
SIXTEEN_BIT = {"float16": (2.0**-11, 2.0**-25), "bfloat16": (2.0**-8, 2.0**-134)}

# Central differences of a float64 loss with steps of 1e-5: a third derivative of some hundreds at most, and the loss's own
# rounding over the step.
STEP, DIFFERENCES = 1e-5, 1e-7

# Functions of the lanes against long double, in ulp (the bounds that stand above them in _kernels).
EXP_FLOAT, EXP_DOUBLE, LOG1P_DOUBLE, LOG1P_FLOAT = 0.977, 0.95, 0.80, 1.25
TANH_FLOAT, TANH_DOUBLE = 6e-11, 3.2            # the first is absolute: a cap of 50 makes 3e-9 of it, a twentieth of an ulp of eᵗ

# Results in 16 bits that are the neighbour of the exact value rounded: those of float32, 2 ulp off, that lie on the other side
# of a boundary between two; of bfloat16, with 16 bits fewer, 2 in 65 536, of float16, with 13, 2 in 8192.
NEIGHBOURS = 1e-3

# The focal loss in float64 against fifty digits, relative: γ times the rounding of a logarithm of up to 40, and terms that
# cancel where the Hessian changes its sign.
FOCAL = 1e-12

# The focal loss of softmax, in ulp: (1 − p_t)^γ is γ times as sensitive to the exponentials that 1 − p_t is made of as the loss
# and its gradient are; half of it seen. The Hessian, in ulp of the sum of its terms' sizes.
def focal_bound(bound, gamma):
    return bound * (1 + gamma)


# Margins of boosted trees, relative to the largest, after some rounds by our objective and by the built-in one. XGBoost computes
# gradients in float32: 5e-7 seen. LightGBM computes in double and rounds to float32, as it does with ours: 0 seen,
# and half an ulp of a gradient may be one of a leaf.
BOOSTED = {"xgboost": 1e-5, "lightgbm": 1e-6}
# Probabilities after some rounds from a start that we computed and from the library's own, XGBoost's in float32; and that start
# itself: 7e-7 and 6e-6 seen. Without it they differ by UNSTARTED and more.
STARTED, UNSTARTED = 2e-5, 0.1
# The sum over forty rows of a gradient that is 0 in exact arithmetic, of numbers up to a fortieth: 2e-16 seen.
ZERO_SUM = 1e-15
# The trained log-loss, absolute, where equal gains may have been broken otherwise by such a rounding.
TRAINED = 1e-3

LOG_FLOAT, LOG_DOUBLE = 0.91, 0.90          # from numerics/lanes.pxi and probabilities/terms.pxi
LOG_RATIO = {np.float32: 0.29, np.float64: 1.60}            # the first in 2⁻²³ of the logarithm

# Entropy and cross-entropy, whose terms have one sign: in float64 within 4 ulp (1.5 seen: logarithm, product, and what is left
# of a tree's roundings); in float32 the logarithm's 0.7·2⁻²³, up to 1.4 ulp, and one rounding (1.8 seen, of one class).
ENTROPY = {np.dtype(np.float32): 2.0, np.dtype(np.float64): 4.0}
# The divergence has terms of either sign: the same, in ulp of the sum of their sizes (float32: 1.0 seen).
DIVERGENCE = ENTROPY
# In float32 also, where p and q are close, in ulp of the result or of Σ (p − q)²/2q, the larger: a quotient, its square and a
# polynomial round; 2.5 seen, of two classes a tenth apart.
NEARLY_EQUAL = 4.0
# H(p, q) − H(p) − KL(p‖q), in ulp of H(p, q) + H(p): three such values and two additions.
IDENTITY = 4.0 + 4.0 + 4.0 + 2.0
# A mean of log losses in float64 against scikit-learn's, which computes in the dtype of the probabilities: relative.
LOG_LOSS = {np.dtype(np.float16): 4e-3, np.dtype(np.float32): 4e-6, np.dtype(np.float64): 1e-13}


def loss_bound(loss, dtype):
    """Guarantee 2 for exact losses, in ulp."""
    return np.full(np.shape(loss), LOSS[np.dtype(dtype).type])


def gradient_bound(q, dtype):
    """Guarantee 2 for exact gradient elements, in ulp."""
    return np.full(np.shape(q), GRADIENT[np.dtype(dtype).type])


def slope_bound(slope, dtype):
    """What a cap's slope adds to gradient_bound, in ulp."""
    if dtype == np.float32:
        return SLOPE
    return SLOPE_FLOAT64 + 1.1 * np.abs(np.log(np.maximum(np.asarray(slope, np.float64), np.finfo(np.float64).tiny)))


def hessian_bound(p, rest, dtype):
    """For p·(1 − p) with an exact 1 − p, in ulp."""
    return gradient_bound(np.minimum(p, rest), dtype) + HESSIAN


def perplexity_bound(mean, dtype):
    """Beside the exact perplexity, in ulp: a float64 mean's own error, to which exponentials are that sensitive, is added."""
    own = loss_bound(mean, dtype) * ulp(mean, dtype) / np.finfo(dtype).eps if dtype == np.float64 else 0.0
    return PERPLEXITY + own


def twin_bound(want, dtype):
    """How far a result may be from the twin's, in a dtype of 16 bits too."""
    base = np.dtype(dtype if np.dtype(dtype).name.startswith("float") and np.dtype(dtype).itemsize > 2 else np.float32)
    relative, absolute = SIXTEEN_BIT.get(np.dtype(dtype).name, (0.0, 0.0))
    return TWIN[base] * np.maximum(np.abs(want), 1.0) + relative * np.abs(want) + absolute


# The loss of a linear layer, and its gradients, against the twin, relative to the largest of them: logits of some units, of up to
# 30, and sums over rows are rounded in the arithmetic's type, or the gradient's, and BLAS adds in an order of its own.
LINEAR = {np.dtype(np.float32): 2e-5, np.dtype(np.float64): 4e-14}


def linear_bound(want, dtype, arithmetic):
    """How far a result of `dtype`, computed in `arithmetic`, may be from the twin's."""
    dtype = np.dtype(dtype)
    relative, absolute = SIXTEEN_BIT.get(dtype.name, (0.0, 0.0))
    base = np.dtype(np.float32 if np.float32 in (dtype, np.dtype(arithmetic)) else np.float64)
    return LINEAR[base] * np.max(np.abs(want), initial=0.0) + relative * np.abs(want) + absolute


# A variate's distance from its formula, in ulp of the exact value, over the words of tests/init/test_variates.py and 10⁷ others
# (python tools/lanes.py normal_float …). Radius, angle and their product each round a few times; what is left of a
# truncated normal is its two polynomials and a division.
VARIATES = {
    ("normal", np.float32): 4.5,
    ("normal", np.float64): 4.5,
    ("truncated", np.float32): 5.5,
    ("truncated", np.float64): 5.5,
}

# Statistics of random values. Seeds are fixed, so that a test passes on each run or on none; SELDOM is how often right values
# would fail under another seed, by one statistic or by all those of one check. There are about 600 checks, so that right
# values pass them all under 19 seeds in 20; and 2²⁴ values a thousandth too large in scale fail (6 standard errors).
SELDOM = 1e-4


def z_limit(n=1):
    """What the largest of n independent standard normal numbers exceeds in size as seldom as that."""
    return -ndtri(SELDOM / (2 * n))


def usual(probability):
    """Whether a statistic's distribution function there is neither too small nor too large: even values are not random."""
    return SELDOM / 2 <= probability <= 1 - SELDOM / 2


# First values of a stream against thirty digits, in ulp of the value or of its mean, whichever is larger: those of the
# variate, and a product and a sum, rounded to half an ulp each. A uniform value rounds there alone.
FIRST_VALUES = {(distribution, dtype): 1.0 + VARIATES.get((distribution, dtype), 0.0)
                for distribution in ("uniform", "normal", "truncated") for dtype in (np.float32, np.float64)}

# How far beyond its bound a cut normal value may be, relative: the scale and its product with the bound are rounded.
CUT_ROUNDING = {np.dtype(np.float32): 2.0**-23, np.dtype(np.float64): 2.0**-52}

# Mean square of an orthogonal matrix times its longer side, over gain², less 1. Each element is rounded once, and the
# thousands of roundings cancel nearly: 2e-9 and 0 seen.
UNIT_COLUMNS = {np.dtype(np.float32): 1e-8, np.dtype(np.float64): 1e-14}

# Products of two columns of such a matrix, less 0 or 1: in 16 and 32 bits the rounding of its elements; in float64 what BLAS
# leaves in the matrix and in the product that checks it. OpenBLAS adds in blocks: 1.3e-15 for 257 columns of 1000. The
# reference BLAS (of tools/emulated.py) adds one after the other: 3.8e-15.
ORTHONORMAL_COLUMNS = {np.dtype(ml_dtypes.bfloat16): 2.0**-7, np.dtype(np.float16): 2.0**-10, np.dtype(np.float32): 2.0**-23,
                       np.dtype(np.float64): 2.0**-47}

# The same in float32, less 0 or gain²: of 300 rows and a gain of 1.5, 2e-6 seen for PyTorch's matrices, JAX's and these, most
# of it by the product that checks them.
ORTHONORMAL = 1e-5

# Losses of twenty steps of a small network, relative: PyTorch's rounding and ours, of the dtype of the loss, carried along by
# a network that learns. In 16 bits PyTorch rounds at every step of the way.
TRAINED_LOSSES = {"float32": 2e-5, "float64": 1e-13, "bfloat16": 2e-2}
