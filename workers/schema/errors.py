"""Errors of the schema tooling: one root, and a message that a DBA can act on."""

from __future__ import annotations

from collections.abc import Sequence


class SchemaError(Exception):
    """Something about the sources, the migrations or a tool is wrong; `str()` says what and where."""


class SourceError(SchemaError):
    """The source tree breaks a rule of `sql/build.sql`. Carries every fault found, not only the first."""

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(self.faults))


class ApplyError(SchemaError):
    """A statement of a source file failed; the message begins with `file:line: SQLSTATE`."""


class FrozenError(SchemaError):
    """A migration that a database may already have applied was changed, removed or would be overwritten."""


class ToolError(SchemaError):
    """An official tool (`supabase`, `pgdelta`, Postgres) is missing or failed; the message holds what it
    said.
    """
