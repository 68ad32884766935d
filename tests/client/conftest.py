"""Two people who know nothing of each other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.client.people import Person, new_person
from tests.support.api import Api


@pytest.fixture
def ada(api: Api) -> Iterator[Person]:
    """A person, signed in."""
    with new_person(api) as person:
        yield person


@pytest.fixture
def bob(api: Api) -> Iterator[Person]:
    """Another person, signed in."""
    with new_person(api) as person:
        yield person
