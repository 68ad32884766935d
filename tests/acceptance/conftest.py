"""What journeys need: a sandbox of the module's own, and a database whose retries do not wait for minutes."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.support.api import Api
from workers.sandbox import Sandbox


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """The platforms."""
    with Sandbox.start() as running:
        yield running


@pytest.fixture(scope="module")
def quick_api(api: Api) -> Api:
    """The API with an operator's setting for shorter pauses between two attempts."""
    with psycopg.connect(api.db_url, autocommit=True) as connection:
        connection.execute("update private.settings set value = '1' where key = 'backoff_base_seconds'")
    return api
