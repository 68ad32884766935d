"""Fixtures of publishing."""

from __future__ import annotations

import psycopg
import pytest

from tests.sql.publishing.making import Scene, make_scene
from tests.sql.publishing.racing import leased, race

__all__ = ["leased", "race", "scene"]


@pytest.fixture
def scene(db: psycopg.Connection) -> Scene:
    """A draft on one account of X."""
    return make_scene(db)
