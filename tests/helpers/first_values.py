"""The first values of streams, version 1, as hexadecimal numbers: no bit is lost on the way. To print them anew:

    python tests/helpers/first_values.py
"""

import itertools
import math

import xentfast as xf

FIRST = {"uniform": (xf.init.uniform, {}), "uniform -0.3 0.7": (xf.init.uniform, {"low": -0.3, "high": 0.7}),
         "normal": (xf.init.normal, {}), "normal 0.1 0.02": (xf.init.normal, {"mean": 0.1, "std": 0.02}),
         "truncated -2 2": (xf.init.truncated_normal, {}),
         "truncated 3 5": (xf.init.truncated_normal, {"lower": 3.0, "upper": 5.0}),
         "truncated 0 inf": (xf.init.truncated_normal, {"lower": 0.0, "upper": math.inf, "mean": 0.1, "std": 0.02})}
FIRST_VALUES = {
    ("uniform", "float32", None):
        "0x1.b88c1c0000000p-1 0x1.ff03b00000000p-4 0x1.f1c3b80000000p-3 0x1.8016400000000p-3",
    ("uniform", "float32", "w"):
        "0x1.e79d0e0000000p-1 0x1.2ada860000000p-1 0x1.ba40380000000p-3 0x1.aa8f620000000p-1",
    ("uniform", "float64", None):
        "0x1.b88c1d47fc0edp-1 0x1.f1c3bf3002c80p-3 0x1.83c22326ec8e8p-1 0x1.63f014eb6716cp-2",
    ("uniform", "float64", "w"):
        "0x1.e79d0f655b50cp-1 0x1.ba403bd547b14p-3 0x1.ef39def8ff9b2p-2 0x1.b8dcebc8f4d11p-1",
    ("uniform -0.3 0.7", "float32", None):
        "0x1.1ef2820000000p-1 -0x1.66e4900000000p-3 -0x1.d28ac00000000p-5 -0x1.cca0500000000p-4",
    ("uniform -0.3 0.7", "float32", "w"):
        "0x1.4e03740000000p-1 0x1.2281d80000000p-2 -0x1.584c600000000p-4 0x1.10f5c80000000p-1",
    ("uniform -0.3 0.7", "float64", None):
        "0x1.1ef283ae62754p-1 -0x1.d28a9cd98e798p-5 0x1.d451131aa5e9dp-2 0x1.85e70dc19f1c8p-5",
    ("uniform -0.3 0.7", "float64", "w"):
        "0x1.4e0375cbc1b72p-1 -0x1.584c55223d6a4p-4 0x1.780d578b98cfep-3 0x1.1f43522f5b378p-1",
    ("normal", "float32", None):
        "0x1.8d99380000000p-2 0x1.8c65f00000000p-2 0x1.4957260000000p-1 0x1.8dd9640000000p+0",
    ("normal", "float32", "w"):
        "-0x1.14af540000000p-2 -0x1.412ee00000000p-3 0x1.bf33d80000000p-1 -0x1.8476060000000p+0",
    ("normal", "float64", None):
        "0x1.883283097f707p-6 0x1.1873efb65987ep-1 -0x1.b75fd8110792fp-2 0x1.382f4e884efbcp-1",
    ("normal", "float64", "w"):
        "0x1.0fbe8cb271618p-4 0x1.389dbd34e9281p-2 0x1.8c8b9dbbd6036p-1 -0x1.d8e3c5452f4d8p-1",
    ("normal 0.1 0.02", "float32", None):
        "0x1.b9686c0000000p-4 0x1.b94fd60000000p-4 0x1.ce4b620000000p-4 0x1.0c74b40000000p-3",
    ("normal 0.1 0.02", "float32", "w"):
        "0x1.8377180000000p-4 0x1.8cc0b00000000p-4 0x1.e127040000000p-4 0x1.1d4ae00000000p-4",
    ("normal 0.1 0.02", "float64", None):
        "0x1.9b8f9cd0afff5p-4 0x1.c678f3276a7c3p-4 0x1.7673366509a26p-4 0x1.cb8cb067bab7bp-4",
    ("normal 0.1 0.02", "float64", "w"):
        "0x1.9f08ee557d25dp-4 0x1.b29bfaa812a71p-4 0x1.d90c193cc6151p-4 0x1.4df0096592082p-4",
    ("truncated -2 2", "float32", None):
        "0x1.02df1c0000000p+0 -0x1.12767e0000000p+0 -0x1.51bd220000000p-1 -0x1.abb3760000000p-1",
    ("truncated -2 2", "float32", "w"):
        "0x1.7d3e780000000p+0 0x1.9ce7040000000p-3 -0x1.7c33aa0000000p-1 0x1.d0b7420000000p-1",
    ("truncated -2 2", "float64", None):
        "0x1.02df1cc1cb4e4p+0 -0x1.51bd2359bca65p-1 0x1.525518445fef3p-1 -0x1.7e12e29807eb9p-2",
    ("truncated -2 2", "float64", "w"):
        "0x1.7d3e792590fe9p+0 -0x1.7c33a906c4f9dp-1 -0x1.41254b4a63b5cp-5 0x1.03807ff69aaf3p+0",
    ("truncated 3 5", "float32", None):
        "0x1.c71a800000000p+1 0x1.852a240000000p+1 0x1.8ab9f00000000p+1 0x1.8806340000000p+1",
    ("truncated 3 5", "float32", "w"):
        "0x1.e9ff240000000p+1 0x1.a0f36e0000000p+1 0x1.8962840000000p+1 0x1.c10f7e0000000p+1",
    ("truncated 3 5", "float64", None):
        "0x1.c71a81cccb01fp+1 0x1.8ab9f1c968f27p+1 0x1.b4298eb9adf08p+1 0x1.9059ca3ea2653p+1",
    ("truncated 3 5", "float64", "w"):
        "0x1.e9ff24d81115ap+1 0x1.8962872375d88p+1 0x1.99103a0ebf743p+1 0x1.c740957c13e5cp+1",
    ("truncated 0 inf", "float32", None):
        "0x1.0950f40000000p-3 0x1.a6763e0000000p-4 0x1.b2f4060000000p-4 0x1.ad093c0000000p-4",
    ("truncated 0 inf", "float32", "w"):
        "0x1.1ded7c0000000p-3 0x1.dc30640000000p-4 0x1.b00c8c0000000p-4 0x1.056b6e0000000p-3",
    ("truncated 0 inf", "float64", None):
        "0x1.0950f2d22773bp-3 0x1.b2f404f622b8ep-4 0x1.f94ffea6f8603p-4 0x1.be7faf0b167e0p-4",
    ("truncated 0 inf", "float64", "w"):
        "0x1.1ded7c13bf8a0p-3 0x1.b00c8bab44895p-4 0x1.cec2bd6f81f67p-4 0x1.09691f30a3461p-3",
}


def first_values(case, dtype, name):
    make, options = FIRST[case]
    return make((4,), **options, rng=7, name=name, dtype=dtype)


if __name__ == "__main__":
    print("FIRST_VALUES = {")
    for key in itertools.product(FIRST, ["float32", "float64"], [None, "w"]):
        print(f"    {key}:\n        {' '.join(float(value).hex() for value in first_values(*key))!r},".replace("'", '"'))
    print("}")
