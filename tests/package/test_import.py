"""Import loads what every call needs and no more; the rest comes when it is asked for. Modules are counted, not time."""

import re
import subprocess
import sys

import pytest
from extras import EXTRAS

import xentfast as xf

pytestmark = pytest.mark.extras

# They take longer than all the rest, and only weights need them; topics that softmax cross-entropy does without.
TOPICS = {"xentfast._linear", "xentfast._partials", "xentfast._probabilities", "xentfast._sigmoid"}
LATE = {"xentfast.capi", "xentfast._capi", "xentfast.init", "xentfast.random", "xentfast._base.typing",
        "numpy.random", "decimal", "dataclasses", "hashlib", "pathlib", "secrets", *TOPICS}


def names_of(code):
    """The words that a new process prints."""
    run = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return set(re.findall(r"[\w.]+", run.stdout))


def test_import_brings_only_numpy():
    names = names_of("import sys, numpy; before = set(sys.modules); import xentfast, xentfast.init; "
                     "print(*{m.partition('.')[0] for m in set(sys.modules) - before} - set(sys.stdlib_module_names))")
    # Cython registers modules of its own; numpy.random is loaded when it is first asked for
    assert {name for name in names if "cython" not in name} - {"numpy"} == {"xentfast"}


def test_import_loads_nothing_for_weights_or_other_topics():
    # Older NumPy loads some of them itself.
    assert names_of(f"import sys, numpy; before = set(sys.modules); import xentfast; xentfast.softmax_cross_entropy; "
                    f"print(*(set(sys.modules) - before) & {LATE})") == set()


@pytest.mark.parametrize("code", ["import xentfast; xentfast.{0}", "from xentfast import {0}", "import xentfast.{0}",
                                  "from xentfast import *; {0}.__all__", "import xentfast; getattr(xentfast, '{0}')"])
@pytest.mark.parametrize("name", ["capi", "init", "random"])
def test_a_late_module_comes_when_it_is_asked_for(code, name):
    code = code.format(name)
    check = f"import sys, xentfast as xf; assert xf.{name} is sys.modules['xentfast.{name}']; print(*sys.modules)"
    assert f"xentfast.{name}" in names_of(f"{code}\n{check}")


@pytest.mark.parametrize("name", sorted(set(xf.__all__) - {"capi", "init", "random"}))
def test_a_name_is_the_same_however_it_is_asked_for(name):
    assert names_of(f"import xentfast; from xentfast import {name}; print({name} is xentfast.{name} is vars(xentfast)['{name}'])"
                    ) == {"True"}


@pytest.mark.parametrize("name", EXTRAS)
def test_a_module_that_is_imported_by_its_name_alone(name):
    module = f"xentfast.{name}"
    assert module not in names_of("import sys, xentfast; from xentfast import *; import xentfast.init; print(*sys.modules)")
    assert not hasattr(xf, name) or module in sys.modules
    assert name not in xf.__all__


@pytest.mark.parametrize(("name", "package"), [(name, one) for name, packages in EXTRAS.items() for one in packages])
def test_a_missing_package_is_named(name, package):
    """As where it is not installed."""
    run = subprocess.run([sys.executable, "-P", "-c", f"import sys; sys.modules[{package!r}] = None; import xentfast.{name}"],
                         capture_output=True, text=True, timeout=60)
    assert f'pip install "xentfast[{name}]"' in run.stderr.splitlines()[-1]
    assert run.stderr.splitlines()[-1].startswith("ImportError")


def test_dir_names_everything_and_loads_nothing():
    names = names_of("import sys, xentfast; print(*dir(xentfast)); assert 'xentfast.init' not in sys.modules")
    assert set(xf.__all__) <= names


def test_a_name_that_is_not_there():
    with pytest.raises(AttributeError, match="module 'xentfast' has no attribute 'softmin'"):
        xf.softmin  # noqa: B018
    assert not hasattr(xf, "__wrapped__")
