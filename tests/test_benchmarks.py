"""Every public function has its benchmarks, and every benchmark runs."""

import importlib
import importlib.util
import json
import sys
from itertools import product
from pathlib import Path

import pytest

import xentfast as xf

FOLDER = Path(__file__).parents[1] / "asv_benchmarks"
PACKAGE = "xentfast_benchmarks"
MEASURES = {"speed": ("time_",), "memory": ("peakmem_", "track_beyond_outputs_")}
# What the checks of a call on a few elements may hold at once: views, shapes, and arrays of a handful of rows.
SMALL_CALL_BYTES = 8 * 2**10


def load(module):
    """A module of the benchmarks, which are no installed package."""
    if PACKAGE not in sys.modules:
        spec = importlib.util.spec_from_file_location(PACKAGE, FOLDER / "benchmarks" / "__init__.py")
        sys.modules[PACKAGE] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[PACKAGE])
    return importlib.import_module(f"{PACKAGE}.{module}")


def benchmarks(module, class_name):
    """Names of the methods of a class that asv would run."""
    methods = vars(vars(load(module)).get(class_name, object))
    return [name for name in methods if name.startswith(MEASURES[module])]


table, suite = load("table"), load("suite")
ALL = [(module, suite.class_name(function), name) for module in MEASURES for function in table.FUNCTIONS
       for name in benchmarks(module, suite.class_name(function))]


@pytest.mark.parametrize("function", sorted(set(xf.__all__) - set(table.EXEMPT)))
def test_public_function_has_benchmarks(function):
    assert function in table.FUNCTIONS, f"{function} has no line in {FOLDER / 'benchmarks' / 'table.py'}"
    for module, prefixes in MEASURES.items():
        names = benchmarks(module, suite.class_name(function))
        for prefix in prefixes:
            assert any(name.startswith(prefix) for name in names), f"{function} has no {prefix} benchmark"


def test_table_names_public_functions_only():
    assert set(table.FUNCTIONS) | set(table.EXEMPT) == set(xf.__all__)
    assert not set(table.FUNCTIONS) & set(table.EXEMPT)


@pytest.mark.parametrize(("module", "class_name", "name"), ALL, ids=["-".join(one) for one in ALL])
def test_benchmark_runs(module, class_name, name):
    """Every combination of its parameters, on arrays of the same dimensions with a few elements."""
    benchmark_class = vars(load(module))[class_name]
    method = vars(benchmark_class)[name]
    combinations = [dict(zip(method.param_names, values, strict=True)) for values in product(*method.params)]
    assert combinations and not hasattr(method, "skip_params")
    for combination in combinations:
        combination["shape"] = tuple(min(length, 3) for length in combination["shape"])
        result = getattr(benchmark_class(), name)(*combination.values())
        if name.startswith("track_"):
            assert 0 <= result < SMALL_CALL_BYTES


def test_function_absent_from_a_commit_is_not_applicable(monkeypatch):
    monkeypatch.delattr(xf, "softmax")
    classes = suite.benchmark_classes({"time": load("speed").time}, table.TIME, {})
    method = classes["Softmax"].time_wide
    assert method.skip_params == list(product(*method.params))
    assert not hasattr(classes["LogSoftmax"].time_wide, "skip_params")


def test_configuration():
    lines = (FOLDER / "asv.conf.json").read_text(encoding="utf-8").splitlines()
    configuration = json.loads("\n".join(line for line in lines if not line.lstrip().startswith("//")))
    assert configuration["project"] == "xentfast"
    assert (FOLDER / configuration["repo"] / "pyproject.toml").is_file()
    assert (FOLDER / configuration["benchmark_dir"] / "__init__.py").is_file()
    assert configuration["launch_method"] == "spawn", "in a forked child xentfast has one thread"
