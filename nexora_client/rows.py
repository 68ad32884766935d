"""What rows have in common: frozen, checked, with real types."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, JsonValue

__all__ = ["UNSET", "Instant", "JsonObject", "OwnedRow", "Problem", "Row", "Unset", "changes"]

Instant = Annotated[AwareDatetime, "an instant; the service sends it in UTC"]
JsonObject = dict[str, JsonValue]


class Unset(Enum):
    """Type of `UNSET`, which leaves a column as it is where None would empty it."""

    UNSET = "unset"


UNSET: Final = Unset.UNSET


class Row(BaseModel, frozen=True):
    """One row of an answer. Columns that a newer service adds are ignored."""

    model_config = ConfigDict(extra="ignore")


class OwnedRow(Row, frozen=True):
    """A row of one person's."""

    id: UUID
    user_id: UUID


class Problem(Row, frozen=True):
    """One rule of a platform that a post breaks, or is close to.

    Attributes:
        rule: name of the rule, as in the platform's rules table.
        severity: an `error` keeps the post from being scheduled, a `warning` does not.
        limit_value: what the rule allows, where it is a number.
        measured: what the post has, in the same unit.
        message: the problem in plain words.
        target_id: the target it concerns.
        platform_id: the platform whose rule it is.
    """

    rule: str
    severity: Literal["error", "warning"]
    message: str
    limit_value: float | None = None
    measured: float | None = None
    target_id: UUID | None = None
    platform_id: str | None = None


def changes(**columns: object) -> dict[str, object]:
    """The columns of an update: what is not `UNSET`."""
    return {name: value for name, value in columns.items() if value is not UNSET}
