"""Fixtures: every kernel level of this machine, in one process."""

import pytest

from xentfast import _dispatch, _threads


@pytest.fixture(autouse=True)
def no_grain(monkeypatch):
    """Small arrays are cut over threads too, else few tests would run more than one."""
    monkeypatch.setattr(_threads, "GRAIN", 1)


@pytest.fixture
def use_level(monkeypatch):
    """A function that makes calls run on the named level until the test ends."""
    return lambda level: monkeypatch.setattr(_dispatch, "kernels", _dispatch.load(level))


@pytest.fixture(params=_dispatch.supported_levels())
def level(request, use_level):
    """Run the test once on each level that this machine has."""
    use_level(request.param)
    return request.param
