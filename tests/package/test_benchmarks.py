"""Every public function has its benchmarks, and every benchmark runs."""

import importlib
import importlib.util
import json
import subprocess
import sys
from itertools import product
from operator import attrgetter
from pathlib import Path

import numpy as np
import pytest
from extras import is_installed, public_names

import xentfast as xf

pytestmark = pytest.mark.extras

FOLDER = Path(__file__).parents[2] / "asv_benchmarks"
COMPARISONS = FOLDER / "comparisons"
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


boosting, dask, init, jax, softmax, torch, suite = map(load, ("boosting", "dask", "init", "jax", "softmax", "torch", "suite"))


def there(functions):
    return {function: about for function, about in functions.items() if is_installed(function)}


FUNCTIONS = there({function: about for topic in suite.TOPICS for function, about in topic.FUNCTIONS.items()})
ALIASES = there(init.ALIASES | dask.ALIASES)
NO_MEMORY = there(init.NO_MEMORY | dask.NO_MEMORY | jax.NO_MEMORY)
EXEMPT = softmax.EXEMPT | ALIASES | there(boosting.EXEMPT | torch.EXEMPT)
ALL = [(module, suite.class_name(function), name) for module in MEASURES for function in FUNCTIONS
       for name in benchmarks(module, suite.class_name(function))]
HAS_BFLOAT16 = importlib.util.find_spec("ml_dtypes") is not None


@pytest.mark.parametrize("function", sorted(set(public_names()) - set(EXEMPT)))
def test_public_function_has_benchmarks(function):
    assert function in FUNCTIONS, f"{function} has no line in the tables of {FOLDER / 'benchmarks'}"
    for module, prefixes in MEASURES.items():
        names = benchmarks(module, suite.class_name(function))
        if module == "memory" and function in NO_MEMORY:
            prefixes = ()
        for prefix in prefixes:
            assert any(name.startswith(prefix) for name in names), f"{function} has no {prefix} benchmark"


def test_tables_name_public_functions_only():
    assert FUNCTIONS.keys() | EXEMPT.keys() == set(public_names())
    assert not FUNCTIONS.keys() & EXEMPT.keys()
    assert NO_MEMORY.keys() <= FUNCTIONS.keys()


@pytest.mark.parametrize(("alias", "function"), ALIASES.items())
def test_alias_is_the_same_function(alias, function):
    assert attrgetter(alias)(xf) is attrgetter(function)(xf)
    assert function in FUNCTIONS


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")         # torch.compile's own
@pytest.mark.parametrize(("module", "class_name", "name"), ALL, ids=["-".join(one) for one in ALL])
def test_benchmark_runs(module, class_name, name):
    """Every combination of its parameters, on arrays of the same dimensions with a few elements."""
    benchmark_class = vars(load(module))[class_name]
    method = vars(benchmark_class)[name]
    skipped = getattr(method, "skip_params", [])
    assert all("bfloat16" in values and not HAS_BFLOAT16 for values in skipped)
    combinations = [values for values in product(*method.params) if values not in skipped]
    assert combinations
    for values in combinations:
        combination = dict(zip(method.param_names, values, strict=True))
        if "shape" in combination:
            combination["shape"] = tuple(min(length, 3) for length in combination["shape"])
        result = getattr(benchmark_class(), name)(*combination.values())
        if name.startswith("track_"):
            assert 0 <= result < SMALL_CALL_BYTES


@pytest.mark.parametrize(("class_name", "name"), [("CTable", "time_ctypes"), ("CTableFromNumba", "time_thousand_calls")])
def test_c_table_benchmark_runs(class_name, name):
    module = load("c_table")
    if class_name == "CTableFromNumba":
        pytest.importorskip("numba")
    for shape in vars(module)[class_name].params[0]:
        benchmark = vars(module)[class_name]()
        benchmark.setup(shape)
        getattr(benchmark, name)(shape)


@pytest.mark.parametrize("name", [name for name in vars(load("imports").Import) if name.startswith("timeraw_")])
def test_import_benchmark_runs(name):
    """The code that asv would time in a process of its own."""
    code, setup = getattr(load("imports").Import(), name)()
    subprocess.run([sys.executable, "-P", "-c", f"{setup}\n{code}"], timeout=60, check=True)


def test_function_absent_from_a_commit_is_not_applicable(monkeypatch):
    monkeypatch.delattr(xf, "softmax")
    monkeypatch.delattr(xf.init, "normal")
    monkeypatch.delattr(xf.init, "gain")
    classes = suite.benchmark_classes({"time": load("speed").time}, "time")
    for method in (classes["Softmax"].time_wide, classes["InitNormal"].time_large, classes["InitGain"].time_small):
        assert method.skip_params == list(product(*method.params))
    assert not hasattr(classes["LogSoftmax"].time_wide, "skip_params")


def older_softmax_cross_entropy(logits, targets, *, weight=None, sample_weight=None, label_smoothing=0.0, n_threads=None):
    if logits.dtype not in (np.float32, np.float64):
        raise TypeError(f"logits has dtype {logits.dtype}")


def test_extra_absent_from_an_environment_is_not_applicable(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "xentfast.torch", raising=False)
    with pytest.raises(suite.SkipNotImplemented):
        load("speed").TorchInitHeNormal().time_small((2, 3))


def test_option_or_dtype_absent_from_a_commit_is_not_applicable(monkeypatch):
    """In every measure: asv takes this exception for n/a, where another would fail the benchmark."""
    monkeypatch.setattr(xf, "softmax_cross_entropy", older_softmax_cross_entropy)
    for module, prefixes in MEASURES.items():
        benchmark = vars(load(module))["SoftmaxCrossEntropy"]
        for prefix in prefixes:
            row = "option" if prefix == "time_" else "few_classes"
            getattr(benchmark(), f"{prefix}{row}")((2, 3), *["weight"] * (row == "option"))
            with pytest.raises(suite.SkipNotImplemented, match="where"):
                getattr(benchmark(), f"{prefix}logit_option")((2, 3), "where")
            with pytest.raises(suite.SkipNotImplemented, match="float16"):
                getattr(benchmark(), f"{prefix}sixteen_bit")((2, 3), "float16")


def test_dtype_absent_from_an_environment_is_not_applicable(monkeypatch):
    monkeypatch.setattr(suite, "ml_dtypes", None)
    method = suite.benchmark_classes({"time": load("speed").time}, "time")["InitNormal"].time_dtype
    assert method.skip_params == [values for values in product(*method.params) if "bfloat16" in values] != []


def quick_run(script):
    return subprocess.run([sys.executable, COMPARISONS / script, "--quick"], capture_output=True, text=True, timeout=60)


def test_objectives_for_boosting_agree_with_numpy():
    done = quick_run("compare_boosting.py")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("60 × 10") == done.stdout.count("sigmoid") == 2


def test_losses_on_dask_agree_with_one_machine():
    pytest.importorskip("dask")
    done = quick_run("compare_dask.py")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("Dask, whole rows") == done.stdout.count("Dask, classes cut") == 3


def test_comparison_with_jax_runs():
    pytest.importorskip("jax")
    pytest.importorskip("optax")
    done = quick_run("compare_jax.py")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("loss: optax") == done.stdout.count("step: optax") == 2


def test_small_calls_agree_with_the_peers():
    pytest.importorskip("torch")
    done = quick_run("compare_small.py")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("PyTorch") >= 15


def test_configuration():
    lines = (FOLDER / "asv.conf.json").read_text(encoding="utf-8").splitlines()
    configuration = json.loads("\n".join(line for line in lines if not line.lstrip().startswith("//")))
    assert configuration["project"] == "xentfast"
    assert (FOLDER / configuration["repo"] / "pyproject.toml").is_file()
    assert (FOLDER / configuration["benchmark_dir"] / "__init__.py").is_file()
    assert configuration["launch_method"] == "spawn", "in a forked child xentfast has one thread"


def test_benchmarks_of_the_history_run():
    """Those that are timed at chosen commits, whose results the site shows."""
    spec = importlib.util.spec_from_file_location("history_calls", FOLDER / "history/benchmarks/calls.py")
    calls = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(calls)
    ran = 0
    for benchmark in (calls.SoftmaxCrossEntropy, calls.Init):
        for name in filter(lambda name: name.startswith("time_"), vars(benchmark)):
            for values in product(*getattr(benchmark, "params", [])):
                if "32000" not in name:
                    getattr(benchmark(), name)(*values)
                    ran += 1
    assert ran == 18
    assert calls.Import().timeraw_xentfast() == ("import xentfast", "import numpy")


def test_every_commit_of_the_history_has_results():
    commits = [line.split()[0] for line in (FOLDER / "history/commits.txt").read_text().splitlines()]
    files = [path.name for path in FOLDER.glob("history/results/*/*.json") if path.name != "machine.json"]
    assert len(files) == len(commits) and all(any(file.startswith(commit) for file in files) for commit in commits)
