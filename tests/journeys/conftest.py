"""The platforms that journeys connect to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from workers.sandbox import Sandbox


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """The platforms, on this machine."""
    with Sandbox.start() as running:
        yield running
