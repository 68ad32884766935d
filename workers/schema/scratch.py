"""Databases to build in and throw away, on an embedded stack of their own."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from workers.embedded import Stack
from workers.schema import sources, tools

_BARE = "schema_bare"


class Scratch:
    """Makes databases on `stack` in the state of a fresh hosted project. Names may repeat: the older one
    goes.
    """

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self._built: dict[
            tuple[sources.Context, ...], str
        ] = {}  # a template per source tree that was applied
        stack.drop_database(_BARE)
        stack.create_database(_BARE)
        stack.provision(_BARE)

    def bare(self, name: str) -> str:
        """A provisioned database without anything of ours; returns its URL (role `postgres`)."""
        self.stack.drop_database(name)
        self.stack.create_database(name, template=_BARE)
        return self.stack.url(name)

    def from_sources(self, root: Path, name: str = "schema_sources") -> str:
        """A database built from `sql/` and `policies/`; returns its URL. A tree is applied once and then
        copied.
        """
        contexts = sources.load(root)
        if contexts not in self._built:
            template = f"schema_built_{len(self._built)}"
            with psycopg.connect(self.bare(template)) as connection:
                sources.apply(root, connection)
            self._built[contexts] = template
        self.stack.drop_database(name)
        self.stack.create_database(name, template=self._built[contexts])
        return self.stack.url(name)

    def from_migrations(self, root: Path, name: str = "schema_migrations") -> str:
        """A database built from `supabase/migrations` by the official runner; returns its URL."""
        url = self.bare(name)
        tools.push(root, url)
        return url


@contextmanager
def started(progress: Callable[[str], None]) -> Iterator[Scratch]:
    """An embedded stack for the length of one command."""
    with tempfile.TemporaryDirectory(prefix="nexora-schema-") as folder:
        Path(folder).chmod(0o755)  # Postgres runs as another user where we are root
        with Stack.start(Path(folder), durable=False, progress=progress) as stack:
            yield Scratch(stack)
