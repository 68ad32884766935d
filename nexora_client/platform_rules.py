"""What platforms allow: limits as dated rows, and the options that a target can have."""

from __future__ import annotations

from datetime import date
from typing import Literal

from nexora_client.rows import Row

__all__ = ["PlatformOption", "PlatformRule"]


class PlatformRule(Row, frozen=True):
    """One limit of a platform, from a day on. The newest one that is valid on the day of publishing counts.

    Attributes:
        rule: what is measured. Names that end in `_min` or `_required` are a least, all others a most.
        value: the limit, in `unit`; None for a list.
        text_values: what a rule lists, such as media types.
        severity: an `error` keeps a post from being scheduled, a `warning` does not.
        source: where it stands.
        valid_to: last day; None while it holds.
    """

    platform_id: str
    rule: str
    value: float | None
    text_values: tuple[str, ...] | None
    unit: str
    severity: Literal["error", "warning"]
    source: str
    checked_on: date
    valid_from: date
    valid_to: date | None


class PlatformOption(Row, frozen=True):
    """One option that a target on a platform can have (`Target.options`).

    Attributes:
        kind: `flag`, `choice` (one of `allowed`), `text` or `texts` (at most `most` characters or entries),
            `number`, `digits` (an id) or `instant` (ISO 8601 with a zone).
        is_required: whether a post cannot be scheduled without it.
        meaning: what it is for, in words for people.
    """

    platform_id: str
    option: str
    kind: Literal["flag", "choice", "text", "texts", "number", "digits", "instant"]
    allowed: tuple[str, ...] | None
    most: int | None
    is_required: bool
    meaning: str
