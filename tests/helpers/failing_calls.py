"""Every call with its k-th allocation failing, for each k: run by tests/faults/test_allocations.py, with failing_allocations.c
preloaded and Python's own allocator off. Prints what was not as it should be, a line each, and `done`.

    python failing_calls.py first|all|python NAME...

first: the k-th alone, and no memory may be left; all: from the k-th on; python: the k-th alone, those of Python's evaluation of
code counted as well, where Python 3.11 itself loses references.
"""

import ctypes
import faulthandler
import gc
import re
import sys
from pathlib import Path

import every_call
import numpy as np

import xentfast
from xentfast._base.level import policy

FOREVER = 2**62
MANY = 20
PYTHON, NUMPY, OWN = range(3)
SET_HANDLER = 304           # PyDataMem_SetHandler's place in NumPy's table
library = ctypes.PyDLL(None)
library.fail_in.argtypes = [ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int]
library.fail_arm.argtypes = [ctypes.c_long] * 2
library.fail_disarm.restype = library.live_blocks.restype = ctypes.c_long


def setting(name, value):
    ctypes.c_int.in_dll(library, name).value = value


def watch():
    """The code whose allocations fail: this package's, NumPy's, and Python's own."""
    folders = {str(Path(module.__file__).parent) + "/": whose for module, whose in ((np, NUMPY), (xentfast, OWN))}
    for line in Path("/proc/self/maps").read_text().splitlines():
        place, mode, _, _, _, *path = line.split(maxsplit=5)
        if "x" in mode and path:
            found = [whose for folder, whose in folders.items() if path[0].startswith(folder)]
            if not found and re.match(r"(lib)?python3|_\w+\.cpython", Path(path[0]).name):
                found = [PYTHON]
            if found:
                library.fail_in(*(int(end, 16) for end in place.split("-")), found[0])


def handle_arrays():
    """NumPy gets the values of arrays from the library."""
    capsule = ctypes.pythonapi.PyCapsule_New
    capsule.restype, capsule.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    table = ctypes.cast(pointer(np._core._multiarray_umath._ARRAY_API, None), ctypes.POINTER(ctypes.c_void_p))
    handler = capsule(ctypes.addressof(ctypes.c_char.in_dll(library, "array_handler")), b"mem_handler", None)
    ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.py_object)(table[SET_HANDLER])(handler)


def attempt(call, arguments, first, last):
    """(what came of it, allocations, the error's text)"""
    library.fail_arm(first, last)
    try:
        result = call(arguments)
    except BaseException as error:
        seen = library.fail_disarm()
        return type(error), seen, str(error)
    seen = library.fail_disarm()
    return every_call.bytes_of(result), seen, ""


def unequal(got, want, name):
    """Bits are not promised where BLAS and LAPACK work."""
    return got != want and not name.startswith(("linear", "init.orthogonal"))


def grows(attempts):
    """The least that four rounds of attempts leave in blocks of memory, each of the last three beyond the one before."""
    blocks = np.zeros(4, np.int64)                                      # of which no number is an object
    for some in range(4):
        attempts()
        gc.collect()
        blocks[some] = library.live_blocks()
    return np.diff(blocks).min()


def leaks(call, arguments, total):
    """The allocations whose failure leaves a block of memory each time; caches keep some, but not ever more of them. Where there
    is no memory for values of arrays, NumPy itself leaves blocks."""
    setting("with_arrays", False)
    # A leak is there every time; what caches take, sooner or later not.
    if all(grows(lambda: [attempt(call, arguments, k, k) and None for k in range(1, total + 1)]) > 0 for _ in range(5)):
        for k in range(1, total + 1):
            if grows(lambda k=k: [attempt(call, arguments, k, k) and None for _ in range(MANY)]) >= MANY:
                yield k
    setting("with_arrays", True)


def check(mode, name, index, call, arguments):
    """Lines about what is wrong."""
    last_of = (lambda k: FOREVER) if mode == "all" else (lambda k: k)
    want = every_call.bytes_of(call(arguments))
    arrays = [value for value in vars(arguments).values() if isinstance(value, np.ndarray)]
    held = [array.tobytes() for array in arrays]
    gc.collect()
    references = [sys.getrefcount(array) for array in arrays]
    total = attempt(call, arguments, FOREVER, FOREVER)[1]
    for k in range(1, total + 1):
        print(f"{name} {index} {k}", file=sys.stderr)                   # the last that is heard if the process dies
        where = f"{name} {index}: allocation {k} of {total}"
        got, _, text = attempt(call, arguments, k, last_of(k))
        if isinstance(got, type) and not issubclass(got, MemoryError):
            yield f"{where}: {got.__name__} {text}"
        elif isinstance(got, bytes) and unequal(got, want, name):
            yield f"{where}: other bits"
        if unequal(every_call.bytes_of(call(arguments)), want, name):
            yield f"{where}: other bits in the next call"
    for k in leaks(call, arguments, total) if mode == "first" else ():
        yield f"{name} {index}: allocation {k} of {total}: blocks of memory are left"
    if [array.tobytes() for array in arrays] != held:
        yield f"{name} {index}: arguments have changed"
    if mode != "python" and [sys.getrefcount(array) for array in arrays] != references:
        yield f"{name} {index}: references to arguments are left"


def check_output(name, call, arguments):
    """An output that is given holds what it held, or the whole result."""
    out = np.full_like(arguments.x, 7)
    before = out.tobytes()
    total = attempt(lambda d: call(d, out), arguments, FOREVER, FOREVER)[1]
    whole = out.tobytes()
    for k in range(1, total + 1):
        out[...] = 7
        attempt(lambda d: call(d, out), arguments, k, FOREVER)
        if out.tobytes() not in (before, whole):
            yield f"{name}: allocation {k} of {total}: the output has some of it"


def main():
    faulthandler.enable()
    gc.disable()
    policy.grain, policy.piece, policy.wary = 1, 100, False
    mode, *names = sys.argv[1:]
    setting("with_python", mode == "python")
    arguments = every_call.arguments(3, n_rows=40, n_classes=10, dtype="float32", n_threads=2)
    for name in names:                                                  # all that is loaded late is loaded
        for call in every_call.CALLS[name]:
            call(arguments)
    watch()
    handle_arrays()
    gc.freeze()                                                         # what is here already, collections need not look at
    for name in names:
        for index, call in enumerate(every_call.CALLS[name]):
            for line in check(mode, name, index, call, arguments):
                print(line)
        for line in check_output(name, every_call.INTO[name], arguments) if name in every_call.INTO else ():
            print(line)
    print("done")


main()
