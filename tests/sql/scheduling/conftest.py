"""Fixtures of scheduling."""

from __future__ import annotations

import psycopg
import pytest

from tests.sql.publishing.making import Scene, make_scene


@pytest.fixture
def scene(db: psycopg.Connection) -> Scene:
    """A draft on one account of X."""
    return make_scene(db)
