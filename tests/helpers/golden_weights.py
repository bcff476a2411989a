"""The initialisers as the tests call them, and the digests of their values, which

    python tests/helpers/golden_weights.py

prints anew, of 2²⁰ values each. They change only with an entry under Numerics in CHANGELOG.md.
"""

import hashlib
import itertools
import platform
import sys
from functools import partial

import ml_dtypes
import numpy as np
from routes import little_endian

import xentfast as xf
from xentfast._base.level import chosen

DTYPES = {"float16": np.float16, "bfloat16": ml_dtypes.bfloat16, "float32": np.float32, "float64": np.float64}
FILLS = {"uniform": partial(xf.init.uniform, low=-0.3, high=0.7), "normal": partial(xf.init.normal, mean=0.1, std=0.02),
         "truncated_normal": xf.init.truncated_normal,
         "wide truncated_normal": partial(xf.init.truncated_normal, lower=-3, upper=1.5)}
INITIALISERS = FILLS | {
    "xavier_uniform": xf.init.xavier_uniform, "xavier_normal": xf.init.xavier_normal,
    "he_uniform": xf.init.he_uniform, "he_normal": xf.init.he_normal,
    "lecun_uniform": xf.init.lecun_uniform, "lecun_normal": xf.init.lecun_normal,
    "variance_scaling": xf.init.variance_scaling,
    "variance_scaling uniform": partial(xf.init.variance_scaling, scale=2, mode="fan_avg", distribution="uniform"),
    "variance_scaling normal": partial(xf.init.variance_scaling, scale=2, mode="fan_out", distribution="normal"),
    "sparse": partial(xf.init.sparse, sparsity=0.3),
}
DIGESTS = {
    ("uniform", "float16"): "58dff04b8a79bffa",
    ("uniform", "bfloat16"): "a815be5ec3d949d7",
    ("uniform", "float32"): "07f38c8f5ca06af2",
    ("uniform", "float64"): "3ced53e7fac5654e",
    ("normal", "float16"): "29016b78e2bed846",
    ("normal", "bfloat16"): "691f31733ed6c5e0",
    ("normal", "float32"): "0508a1c3494988dc",
    ("normal", "float64"): "a9388318ada22aef",
    ("truncated_normal", "float16"): "148be540545a12ab",
    ("truncated_normal", "bfloat16"): "ee114fb6c5143ea0",
    ("truncated_normal", "float32"): "8d0168c5c24701f9",
    ("truncated_normal", "float64"): "ed93d101017bcc21",
    ("wide truncated_normal", "float16"): "3bc36a6add7e0beb",
    ("wide truncated_normal", "bfloat16"): "0326c8614cd0da62",
    ("wide truncated_normal", "float32"): "325561bc78d145e2",
    ("wide truncated_normal", "float64"): "39c7eb71c7a3bdd8",
    ("xavier_uniform", "float16"): "6fd405b9dd827ad4",
    ("xavier_uniform", "bfloat16"): "b27499568b06b61a",
    ("xavier_uniform", "float32"): "6909fd804a2ab51b",
    ("xavier_uniform", "float64"): "afbe1c6f61341db4",
    ("xavier_normal", "float16"): "c6f49e776f61f946",
    ("xavier_normal", "bfloat16"): "db007ed87fe0715e",
    ("xavier_normal", "float32"): "de7510479d35cc20",
    ("xavier_normal", "float64"): "04faf67757db7e99",
    ("he_uniform", "float16"): "9a0315ef1afe3450",
    ("he_uniform", "bfloat16"): "394e3795c5c68d9c",
    ("he_uniform", "float32"): "b7054d064240f5c6",
    ("he_uniform", "float64"): "a43ec4af778014fb",
    ("he_normal", "float16"): "b837c40ff667feca",
    ("he_normal", "bfloat16"): "8606045f2ef62a6c",
    ("he_normal", "float32"): "172b62434f22a7e2",
    ("he_normal", "float64"): "81055f9dca2d9e7e",
    ("lecun_uniform", "float16"): "6fd405b9dd827ad4",
    ("lecun_uniform", "bfloat16"): "b27499568b06b61a",
    ("lecun_uniform", "float32"): "6909fd804a2ab51b",
    ("lecun_uniform", "float64"): "afbe1c6f61341db4",
    ("lecun_normal", "float16"): "c6f49e776f61f946",
    ("lecun_normal", "bfloat16"): "db007ed87fe0715e",
    ("lecun_normal", "float32"): "de7510479d35cc20",
    ("lecun_normal", "float64"): "04faf67757db7e99",
    ("variance_scaling", "float16"): "1f334f5e0f91443a",
    ("variance_scaling", "bfloat16"): "05c3def8aa7f8780",
    ("variance_scaling", "float32"): "0b8be95cca4fe579",
    ("variance_scaling", "float64"): "afaa8f4d6861ddcd",
    ("variance_scaling uniform", "float16"): "9a0315ef1afe3450",
    ("variance_scaling uniform", "bfloat16"): "394e3795c5c68d9c",
    ("variance_scaling uniform", "float32"): "b7054d064240f5c6",
    ("variance_scaling uniform", "float64"): "1b8beca1520e7571",
    ("variance_scaling normal", "float16"): "b837c40ff667feca",
    ("variance_scaling normal", "bfloat16"): "8606045f2ef62a6c",
    ("variance_scaling normal", "float32"): "172b62434f22a7e2",
    ("variance_scaling normal", "float64"): "81055f9dca2d9e7e",
    ("sparse", "float16"): "b6b7a70ec48c3c87",
    ("sparse", "bfloat16"): "1732ce30dba6b86a",
    ("sparse", "float32"): "78bbcdecc91c58e0",
    ("sparse", "float64"): "b985478b11c7e22b",
}


def digest(name, dtype):
    values = INITIALISERS[name]((1024, 1024), rng=7, name="golden", dtype=DTYPES[dtype])
    return hashlib.sha256(little_endian(values)).hexdigest()[:16]


if __name__ == "__main__":
    for name, dtype in itertools.product(INITIALISERS, DTYPES):
        print(f'    ("{name}", "{dtype}"): "{digest(name, dtype)}",')
    print(platform.machine(), chosen.kernels.level, file=sys.stderr)
