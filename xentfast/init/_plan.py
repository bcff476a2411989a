"""An initialiser makes a plan, all checks done and nothing written; then plans are carried out.

So a single call and a whole model's `fill` go the same way, and bad input in one entry leaves every array as it was.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from xentfast._base.entry import entry
from xentfast._base.threads import requested
from xentfast.random import _fills, _keys

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, ParamSpec

    import numpy as np
    from numpy.typing import NDArray

    from xentfast.init._plain import PlainFill
    from xentfast.random._places import Destination

    P = ParamSpec("P")


@dataclass(slots=True)
class Plan:
    """One array: its request in the parallel region, unless that has no target yet; then `finish`, with n_threads."""

    out: np.ndarray
    request: _fills.Request | None = None
    finish: Callable[[int | None], None] | None = None
    n_threads: int | None = None


def random_plan(target: Destination, variates, rng, name, n_threads):
    """`target` filled with `variates`."""
    return Plan(target.out, random_request(target, variates, rng, name, n_threads), n_threads=n_threads)


def random_request(target: Destination | None, variates, rng, name, n_threads):
    """The key is drawn last, when all else is known to be good."""
    requested(n_threads)                      # checks it
    stream = _keys.stream_of(name)
    return _fills.Request(target, variates, _keys.key_of(rng), stream)


def carry_out(plans, n_threads):
    _fills.run([plan.request for plan in plans if plan.request is not None and plan.request.target is not None], n_threads)
    for plan in plans:
        if plan.finish is not None:
            plan.finish(n_threads)


def initialiser(plan_of: Callable[P, Any]) -> Callable[P, NDArray[Any]]:
    """A public function out of one that plans. `fill` reaches the plan by the attribute `plan_of`."""

    @functools.wraps(plan_of)
    def initialise(*args: P.args, **kwargs: P.kwargs) -> NDArray[Any]:
        plan = plan_of(*args, **kwargs)
        carry_out([plan], plan.n_threads)
        return plan.out

    initialise.plan_of = plan_of
    return initialise


def initialiser_with(plain: PlainFill) -> Callable[[Callable[P, Any]], Callable[P, NDArray[Any]]]:
    """The same with a plain case before it, which `fill` uses too."""

    def make(plan_of: Callable[P, Any]) -> Callable[P, NDArray[Any]]:
        return entry(plain)(initialiser(plan_of))

    return make
