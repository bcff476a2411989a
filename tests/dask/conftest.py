"""Dask's tasks one after the other, in this thread."""

import pytest


@pytest.fixture
def one_after_the_other():
    with pytest.importorskip("dask").config.set(scheduler="sync"):
        yield
