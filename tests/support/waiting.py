"""Waiting for something to become true, without guessing how long it takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(condition: Callable[[], T], timeout: float = 60, *, every: float = 0.02) -> T:
    """Return the first truthy value of `condition`; fail after `timeout` seconds."""
    give_up = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > give_up:
            raise AssertionError(f"did not become true within {timeout} s; last value: {value!r}")
        time.sleep(every)


PATIENCE_SECONDS = 60.0
"""Without a step. Nothing that tests wait for takes so long for one step."""


def wait_until_over(
    standing: Callable[[], T],
    is_over: Callable[[T], bool],
    *,
    meanwhile: Callable[[], object] = lambda: None,
    every: float = 0.2,
) -> T:
    """Wait for the end of work that takes as long as the machine takes, and fail once it stands still.

    Args:
        standing: how far it is; any step changes it, and there are finitely many.
        is_over: whether that is the end.
        meanwhile: called before each pause.
        every: seconds of a pause.
    """
    seen, since = standing(), time.monotonic()
    while not is_over(seen):
        if time.monotonic() - since > PATIENCE_SECONDS:
            raise AssertionError(f"nothing has happened for {PATIENCE_SECONDS} s; it stands at {seen!r}")
        meanwhile()
        time.sleep(every)
        now = standing()
        if now != seen:
            seen, since = now, time.monotonic()
    return seen
