"""More than one interpreter in a process, and the end of one: what works, and which error says that something does not."""

import sys

import pytest
from fresh import printed, run

INTERPRETERS = """
    import {module} as interpreters
    one = interpreters.create()
    CODE = '''if True:
        try:
            import xentfast as xf
            print(xf.softmax_cross_entropy([[0.0, 0.0]], [1]) > 0.6)
        except ImportError as error:
            print(type(error).__name__)
    '''
    interpreters.run_string(one, CODE)
    interpreters.destroy(one)
"""
MODULE = "_interpreters" if sys.version_info >= (3, 13) else "_xxsubinterpreters"


def test_a_second_interpreter_is_refused():
    """By an ImportError; the first goes on."""
    code = """
    import xentfast as xf
    """ + INTERPRETERS.format(module=MODULE) + """
    print(xf.softmax_cross_entropy([[0.0, 0.0]], [1]) > 0.6)
    """
    assert printed(code).split() == ["ImportError", "True"]


def test_the_interpreter_that_comes_first_has_it():
    """Or none has: NumPy may refuse all but the first of the process."""
    assert printed(INTERPRETERS.format(module=MODULE)) in ("True", "ImportError")


LATE = {"atexit": """
    import atexit
    atexit.register(lambda: print(use()))
    """, "thread": """
    import threading
    def late():
        threading.main_thread().join()
        print(use())
    threading.Thread(target=late).start()
    """}


@pytest.mark.parametrize("when", LATE)
def test_first_use_at_the_end(when):
    """Of kernels and modules that no call has loaded before."""
    assert printed("""
    import numpy as np
    import xentfast as xf
    def use():
        return bool(xf.sigmoid_cross_entropy(np.zeros(3), np.ones(3)) > 0.6 and xf.entropy([0.5, 0.5]) > 0.6
                    and xf.softmax_cross_entropy(np.zeros((1, 2)), [1]) > 0.6 and xf.init.normal(3, rng=1).size == 3)
    """ + LATE[when]) == "True"


def test_use_in_a_destructor_at_the_end():
    """Modules may be gone by then: an error of Python's, which it prints, or a result; never a crash."""
    process = run("""
    import numpy as np
    import xentfast as xf
    class Late:
        def __del__(self, xf=xf, np=np):
            print(xf.softmax_cross_entropy(np.zeros((1, 2), np.float32), np.ones(1, int)) > 0.6)
            print(xf.softmax_cross_entropy(np.zeros((1, 2)), np.ones(1, int)) > 0.6)
    late = Late()
    import sys
    sys.modules["late"] = late
    """)
    print(process)
    assert process.returncode == 0
