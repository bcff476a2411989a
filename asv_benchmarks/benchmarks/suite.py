"""From the table's rows to the classes that asv looks for."""

from itertools import product

import xentfast

from .calls import make_call
from .table import DEFAULTS, FUNCTIONS, VERSION


def benchmark_classes(measures, rows, rows_with_targets):
    """A class for each public function, by name: a method ``<measure>_<row>`` for each row and measure.

    A measure takes a function that makes a call from a parameter combination, and returns the method that asv runs.
    """
    classes = {}
    for function, about in FUNCTIONS.items():
        table = rows | (rows_with_targets if about.takes_targets else {})
        methods = {f"{prefix}_{row}": benchmark_method(measure, function, values)
                   for prefix, measure in measures.items() for row, values in table.items()}
        name = class_name(function)
        classes[name] = type(name, (), {"version": VERSION, "call": None, **methods})
    return classes


def benchmark_method(measure, function, row):
    parameters = {name: values for name, values in row.items() if isinstance(values, list)}
    if "out" in parameters:
        parameters["out"] = [out for out in parameters["out"] if out in FUNCTIONS[function].out]

    def prepare(*values):
        return make_call(function, **{**DEFAULTS, **row, **dict(zip(parameters, values, strict=True))})

    method = measure(prepare)
    method.param_names = list(parameters)
    method.params = list(parameters.values())
    if not hasattr(xentfast, function):     # in an older commit: n/a, not a failure
        method.skip_params = list(product(*method.params))
    return method


def class_name(function):
    return "".join(word.capitalize() for word in function.split("_"))
