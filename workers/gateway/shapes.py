"""What the data classes of this package have in common."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from pydantic import ConfigDict

__all__ = ["ROW", "Json", "document"]

Json = Any

ROW: Final = ConfigDict(extra="ignore", hide_input_in_errors=True, defer_build=True)
"""Checked when built, at first use; errors never show a value (P1.11)."""


def document(value: object) -> dict[str, Json]:
    """A data class as JSON object without its empty fields."""
    fields: dict[str, Json] = {}
    for name in type(value).__dataclass_fields__:  # type: ignore[attr-defined]
        item = getattr(value, name)
        if item is not None:
            fields[name] = str(item) if isinstance(item, UUID) else item
    return fields
