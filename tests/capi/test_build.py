"""Code outside of the package compiles against what is installed: the header as C and C++, and the examples."""

import ctypes
import importlib
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest

import xentfast as xf
from xentfast import _capi, capi

pytestmark = pytest.mark.extras

ROOT = Path(__file__).parents[2]
HEADER = Path(xf.get_include(), "xentfast.h")
CC = shlex.split(os.environ.get("CC", "cc"))
CXX = [CC[0].replace("gcc", "g++").replace("clang", "clang++")] if CC[0] != "cc" else ["c++"]
STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]

needs_cc = pytest.mark.skipif(os.name != "posix" or not shutil.which(CC[0]), reason="needs a compiler with POSIX's options")


def compiled(*command, source, name, folder, flags=()):
    path = Path(folder, name)
    path.write_text(source)
    subprocess.run([*command, *STRICT, "-I", xf.get_include(), str(path), *flags], check=True, timeout=120)


def structures():
    return {"xentfast_options": capi.Options, "xentfast_truncation": capi.Truncation, "xentfast_api": capi.Api}


@needs_cc
def test_ctypes_structures_are_those_of_the_header(tmp_path):
    lines = [f'printf("{name}.{field} %zu %zu\\n", offsetof({name}, {field}), sizeof((({name} *)0)->{field}));'
             for name, structure in structures().items() for field, *_ in structure._fields_]
    lines += [f'printf("{name} %zu\\n", sizeof({name}));' for name in structures()]
    lines += ['printf("constants %d %d %d %d\\n", XENTFAST_VERSION, XENTFAST_MEAN, XENTFAST_SUM, XENTFAST_NONE);']
    source = "#include <stdio.h>\n#include <xentfast.h>\nint main(void)\n{\n" + "\n".join(lines) + "\nreturn 0;\n}\n"
    compiled(*CC, "-std=c11", source=source, name="layout.c", folder=tmp_path, flags=["-o", str(tmp_path / "layout")])
    found = subprocess.run([str(tmp_path / "layout")], capture_output=True, text=True, check=True, timeout=60).stdout
    expected = [f"{name}.{field} {getattr(structure, field).offset} {getattr(structure, field).size}"
                for name, structure in structures().items() for field, *_ in structure._fields_]
    expected += [f"{name} {ctypes.sizeof(structure)}" for name, structure in structures().items()]
    assert found.splitlines() == [*expected, f"constants {capi.VERSION} {capi.MEAN} {capi.SUM} {capi.NONE}"]


def test_ctypes_structures_have_every_field():
    text = re.sub(r"/\*.*?\*/", "", HEADER.read_text(), flags=re.S)
    for name, structure in structures().items():
        body = re.search(rf"typedef struct {name} {{(.*?)}} {name};", text, re.S)[1]
        declared = [re.search(r"\(\*(\w+)\)\(|(\w+)(?:\[\d+\])?$", line.strip()) for line in body.split(";") if line.strip()]
        assert [field[1] or field[2] for field in declared] == [field for field, *_ in structure._fields_]


@needs_cc
@pytest.mark.parametrize("python", ["", "#include <Python.h>\n"], ids=["alone", "with Python.h"])
@pytest.mark.parametrize("language", ["c11", "c17", "c++11", "c++17"])
def test_header_compiles(tmp_path, language, python):
    command = CXX if "+" in language else CC
    if not shutil.which(command[0]):
        pytest.skip(f"there is no {command[0]}")
    source = f"""{python}#include <xentfast.h>
        int loss(const xentfast_api *api, const float *x, const int64_t *t, float *out);
        int loss(const xentfast_api *api, const float *x, const int64_t *t, float *out)
        {{
            xentfast_options options = xentfast_default_options();
            options.reduction = XENTFAST_SUM;
            return api->softmax_cross_entropy_float32(x, 2, 3, 3, t, &options, 1, out);
        }}
        """
    name = "use.cpp" if "+" in language else "use.c"
    compiled(*command, f"-std={language}", "-Wno-unused-function", "-isystem", sysconfig.get_path("include"), "-fsyntax-only",
             source=source, name=name, folder=tmp_path)


MODULE = """
#include <Python.h>
#include <xentfast.h>
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "NAME", NULL, -1, NULL, NULL, NULL, NULL, NULL};
PyMODINIT_FUNC PyInit_NAME(void) { return xentfast_import() == NULL ? NULL : PyModule_Create(&definition); }
"""


@needs_cc
@pytest.mark.parametrize(("name", "old", "new", "message"), [
    ("xf_same", "", "", None),
    ("xf_version", "#define XENTFAST_VERSION 1", "#define XENTFAST_VERSION 99",
     r"has version 1 of its C table, but this module was compiled for version 99; compile it against the installed"),
    ("xf_appended", "} xentfast_api;", "void (*later)(void); } xentfast_api;",
     rf"older than the xentfast\.h that this module was compiled with: its C table has {ctypes.sizeof(capi.Api)} bytes"),
    ("xf_options", "} xentfast_options;", "int64_t later; } xentfast_options;",
     rf"and its options {ctypes.sizeof(capi.Options)}, expected at least")],
    ids=["same", "version", "function", "option"])
def test_a_header_that_does_not_match(tmp_path, monkeypatch, name, old, new, message):
    """A module compiled with another xentfast.h says so when it is imported."""
    (tmp_path / "xentfast.h").write_text(HEADER.read_text().replace(old, new) if old else HEADER.read_text())
    path = tmp_path / f"{name}{sysconfig.get_config_var('EXT_SUFFIX')}"
    compiled(*CC, "-std=c11", "-I", str(tmp_path), "-isystem",
             sysconfig.get_path("include"), "-shared", "-fPIC", *(["-undefined", "dynamic_lookup"] * (sys.platform == "darwin")),
             source=MODULE.replace("NAME", name), name=f"{name}.c", folder=tmp_path, flags=["-o", str(path)])
    monkeypatch.syspath_prepend(tmp_path)
    if message is None:
        assert importlib.import_module(name).__name__ == name
    else:
        with pytest.raises(ImportError, match=message):
            importlib.import_module(name)


# ---- examples


@pytest.fixture(scope="module")
def bigram(tmp_path_factory):
    """examples/cython_pipeline, copied, built against the installed package, and imported."""
    folder = tmp_path_factory.mktemp("cython_pipeline")
    shutil.copytree(ROOT / "examples" / "cython_pipeline", folder / "source")
    # Cython looks for cimports along the path, where an editable install is not.
    environment = {**os.environ, "CFLAGS": "-O1", "PYTHONPATH": str(Path(xf.__file__).parents[1])}
    run = subprocess.run([sys.executable, "-P", "setup.py", "build_ext", "--inplace"], cwd=folder / "source", timeout=300,
                         text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment)
    assert run.returncode == 0, run.stdout
    sys.path.insert(0, str(folder / "source"))
    try:
        yield importlib.import_module("bigram")
    finally:
        sys.path.remove(str(folder / "source"))
        for name in [name for name in sys.modules if name.partition(".")[0] == "bigram"]:
            del sys.modules[name]


@pytest.fixture(autouse=True)
def policy(no_grain):
    _capi.take_policy()


TOKENS = np.random.default_rng(0).integers(0, 50, 2001)


def test_cython_example_weights(bigram):
    expected = xf.init.normal((50, 50), std=0.1, rng=7, name="bigram")
    assert bigram.new_weights(50, 7, "bigram", std=0.1).tobytes() == expected.tobytes()


@pytest.mark.parametrize("n_threads", [1, 2])
def test_cython_example_trains(bigram, n_threads):
    weights = bigram.new_weights(50, 7, "bigram")
    twin = weights.copy()
    losses = bigram.train(weights, TOKENS, 100, 30.0, label_smoothing=0.1, n_threads=n_threads)
    for step, loss in enumerate(losses):
        context, target = TOKENS[step * 100:][:100], TOKENS[step * 100 + 1:][:100]
        expected, grad = xf.softmax_cross_entropy_value_and_grad(twin[context], target, label_smoothing=0.1)
        np.subtract.at(twin, context, np.float32(30.0) * grad)
        assert loss.tobytes() == expected.tobytes()
    assert len(losses) == 20 and weights.tobytes() == twin.tobytes()


@pytest.mark.parametrize("n_threads", [1, 3])
def test_cython_example_in_threads_of_its_own(bigram, n_threads):
    weights = xf.init.normal((50, 50), rng=1)
    starts = np.array([0, 0, 1, 700, 702, 2001])
    losses = bigram.text_losses(weights, TOKENS, starts, n_threads=n_threads)
    for text, loss in enumerate(losses):
        tokens = TOKENS[starts[text]:starts[text + 1]]
        assert loss == sum(map(float, xf.softmax_cross_entropy(weights[tokens[:-1]], tokens[1:], reduction="none"))
                           if len(tokens) > 1 else [0.0])


def test_cython_example_refuses(bigram):
    weights = bigram.new_weights(50, 7, "bigram")
    with pytest.raises(ValueError, match="tokens go from 0 to 50; expected 0 to 49"):
        bigram.train(weights, np.array([0, 50]), 1, 0.1)
    with pytest.raises(ValueError, match=r"an option, or a parameter of a distribution, is outside of what xentfast\.h allows"):
        bigram.train(weights, TOKENS, 10, 0.1, label_smoothing=2.0)


def test_numba_example():
    pytest.importorskip("numba")
    calibrate = runpy.run_path(str(ROOT / "examples" / "numba_pipeline.py"))["calibrate"]
    rng = np.random.default_rng(0)
    logits, targets = 3.0 * rng.standard_normal((40, 5)), rng.integers(0, 5, 40)
    scale = 1.0
    for _ in range(30):
        loss, grad = xf.softmax_cross_entropy_value_and_grad(logits, targets, logit_scale=scale)
        slope = 0.0
        for product in map(float, (logits * grad).ravel()):
            slope += product
        scale -= 0.1 * slope / scale
    assert calibrate(logits, targets, n_steps=30) == (scale, loss)
    targets[3] = 5
    with pytest.raises(ValueError, match=r"a target is neither a class nor ignore_index; \*bad_place has its row \(3\)"):
        calibrate(logits, targets)
