"""Versions of the privacy policy, and what the person accepted."""

from __future__ import annotations

from typing import Literal

from nexora_client.rows import Instant, Row
from nexora_client.transport import Transport, parse_rows

__all__ = ["PoliciesContext", "PolicyVersion"]


class PolicyVersion(Row, frozen=True):
    """One version of the privacy policy.

    Attributes:
        state: `pending`: announced, not in effect. Show it, with its date and the way to close the account before.
        url: where its text is.
        summary: what changes, in words.
        effective_at: when it takes effect; it may still move later, never earlier.
        accepted_at, method: when and how the person accepted it: `sign_up`, or `use` after it took effect.
    """

    version: int
    state: Literal["pending", "in_effect", "superseded"]
    url: str
    summary: str
    announced_at: Instant
    effective_at: Instant
    accepted_at: Instant | None
    method: Literal["sign_up", "use"] | None


class PoliciesContext:
    """`client.policies`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> tuple[PolicyVersion, ...]:
        """Every version, newest first."""
        return parse_rows(PolicyVersion, self._transport.call("list_policies"))

    def pending(self) -> PolicyVersion | None:
        """The change that is announced and not in effect; None when there is none (P11.2)."""
        return next((version for version in self.list() if version.state == "pending"), None)
