"""One sandbox for the folder, forgotten between tests."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.sandbox.flow import REDIRECT, Client
from workers.sandbox import Sandbox, SandboxControl


@pytest.fixture(scope="session")
def running() -> Iterator[Sandbox]:
    with Sandbox.start(redirect_uris=[REDIRECT]) as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def http(running: Sandbox) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=running.url, timeout=60) as client:
        yield client


@pytest.fixture
def client(running: Sandbox, http: httpx.Client) -> Client:
    running.control.reset()
    return Client(running, http)


@pytest.fixture
def control(client: Client) -> SandboxControl:
    return client.sandbox.control
