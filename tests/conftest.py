"""Fixtures: every kernel level of this machine, in one process; a caller that flushes subnormals."""

import ctypes
import mmap
import platform
import re

import pytest

from xentfast._base import dispatch
from xentfast._base.level import chosen, policy

# Helpers that assert: a failure shows the values, as in the tests themselves.
pytest.register_assert_rewrite("dask_cases", "exact", "jax_cases", "routes", "torch_cases")


def pytest_ignore_collect(collection_path, config):
    """Files that do not name the marker that `-m` asks for are not read: an emulated processor needs minutes for all of them."""
    asked = re.fullmatch(r"(\w+)( and not \w+)*", config.option.markexpr)
    if asked and collection_path.name.startswith("test_") and f"mark.{asked[1]}" not in collection_path.read_text():
        return True
    return None


@pytest.fixture(autouse=True)
def no_grain(monkeypatch):
    """Small arrays are cut over threads too, and into many pieces, else few tests would run more than one; and all threads are
    asked, however late they came before."""
    monkeypatch.setattr(policy, "grain", 1)
    monkeypatch.setattr(policy, "piece", 100)
    monkeypatch.setattr(policy, "wary", False)


@pytest.fixture
def use_level(monkeypatch):
    """A function that makes calls run on the named level until the test ends."""
    return lambda name: monkeypatch.setattr(chosen, "kernels", dispatch.load(name))


@pytest.fixture(params=dispatch.supported_levels())
def level(request, use_level):
    """Run the test once on each level that this machine has."""
    use_level(request.param)
    return request.param


@pytest.fixture
def on_every_level(use_level):
    """A function: a call without arguments → its arrays, which have the same bits on each level; for tests in which what they are
    compared with takes long."""
    def results(call):
        found = None
        for name in dispatch.supported_levels():
            use_level(name)
            got = call()
            found = got if found is None else found
            for ours, theirs in zip(found, got, strict=True):
                assert ours.dtype == theirs.dtype and ours.tobytes() == theirs.tobytes(), name
        return found
    return results


@pytest.fixture
def one_blas_thread():
    """Threads of BLAS that wait for each other make hundreds of small products slow where the machine is busy."""
    with pytest.importorskip("threadpoolctl").threadpool_limits(limits=1, user_api="blas"):
        yield


@pytest.fixture
def flush_to_zero():
    """The caller's thread with subnormals off (FTZ and DAZ), as a library built with -ffast-math leaves it."""
    if platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip("the mode is set by an x86 instruction")
    code = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(b"\x0f\xae\x17\xc3")                                 # ldmxcsr [rdi]; ret
    anchor = ctypes.c_char.from_buffer(code)
    load = ctypes.CFUNCTYPE(None, ctypes.POINTER(ctypes.c_uint32))(ctypes.addressof(anchor))
    yield lambda on: load(ctypes.byref(ctypes.c_uint32(0x9fc0 if on else 0x1f80)))
    load(ctypes.byref(ctypes.c_uint32(0x1f80)))
