"""Trio's scheduler, made repeatable: the same seed runs ready tasks in the same order."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import trio
from trio._core import _run

T = TypeVar("T")


def run(main: Callable[..., Awaitable[T]], *args: Any, seed: int, **options: Any) -> T:
    """`trio.run` under a seed. The two private hooks are Trio's own for this; a test holds that they matter."""
    was, state = _run._ALLOW_DETERMINISTIC_SCHEDULING, _run._r.getstate()
    _run._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[misc]
    _run._r.seed(seed)
    try:
        return trio.run(main, *args, **options)
    finally:
        _run._ALLOW_DETERMINISTIC_SCHEDULING = was  # type: ignore[misc]
        _run._r.setstate(state)
