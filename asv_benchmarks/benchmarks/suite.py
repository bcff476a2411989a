"""From the rows of the tables to the classes that asv looks for."""

import importlib
from functools import partial
from importlib.util import find_spec
from itertools import product
from operator import attrgetter

import xentfast

from . import boosting, dask, init, jax, linear, partials, probabilities, sigmoid, softmax, torch

try:
    import ml_dtypes  # NumPy's "bfloat16"
except ImportError:
    ml_dtypes = None
try:
    from asv_runner.benchmarks.mark import SkipNotImplemented
except ImportError:                 # the tests run the benchmarks without asv
    SkipNotImplemented = NotImplementedError

# Each with a table, and a function that makes a call from a case of it.
TOPICS = [softmax, sigmoid, probabilities, partials, linear, init, boosting, torch, dask, jax]

# Modules that `import xentfast` does not bring. They are imported where a call is made, and no earlier: the benchmarks of others
# would hold all that these need.
IMPORTED_BY_NAME = ("boosting", "dask", "jax", "torch")


def benchmark_classes(measures, kind):
    """A class for each public function, by name: a method ``<measure>_<row>`` for each measure and row of that kind.

    A measure takes a function that makes a call from a parameter combination, and returns the method that asv runs.
    """
    classes = {}
    for topic in TOPICS:
        for function, about in topic.FUNCTIONS.items():
            make = partial(topic.make_call, function, **topic.DEFAULTS)
            methods = {f"{prefix}_{row}": benchmark_method(measure, function, make, values)
                       for prefix, measure in measures.items() for row, values in getattr(about, kind).items()}
            name = class_name(function)
            classes[name] = type(name, (), {"version": topic.VERSION, "call": None, **methods})
    return classes


def benchmark_method(measure, function, make, row):
    parameters = {name: values for name, values in row.items() if isinstance(values, list)}

    def prepare(*values):
        try:
            there = has(function)
            call = make(**row | dict(zip(parameters, values, strict=True))) if there else None
        except ImportError as error:    # an extra that is not installed
            raise SkipNotImplemented(str(error)) from error
        if not there:
            raise SkipNotImplemented(f"there is no {function}")
        try:
            call()
        except TypeError as error:  # an option or a dtype that an older commit has not: n/a as well
            raise SkipNotImplemented(str(error)) from error
        return call

    method = measure(prepare)
    method.param_names = list(parameters)
    method.params = list(parameters.values())
    absent = [values for values in product(*method.params) if not is_there(function, values)]
    if absent:
        method.skip_params = absent
    return method


def is_there(function, values):
    """What an older commit has not, and what an environment without ml_dtypes has not, is n/a and no failure."""
    module = function.partition(".")[0]
    there = find_spec(f"xentfast.{module}") is not None if module in IMPORTED_BY_NAME else has(function)
    return there and (ml_dtypes is not None or "bfloat16" not in values)


def has(function):
    """Whether there is such a function; ImportError where an extra is missing."""
    module = function.partition(".")[0]
    if module in IMPORTED_BY_NAME:
        importlib.import_module(f"xentfast.{module}")
    try:
        attrgetter(function)(xentfast)
    except AttributeError:
        return False
    return True


def class_name(function):
    """init.he_normal → InitHeNormal"""
    return "".join(word.capitalize() for word in function.replace(".", "_").split("_"))
