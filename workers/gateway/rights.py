"""Requests of people about their data that somebody has to answer (P7.7)."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field
from pydantic.dataclasses import dataclass

from workers.gateway.answers import instant, scalar
from workers.gateway.client import Caller
from workers.gateway.shapes import ROW

__all__ = ["OpenRequest", "RequestCount", "RightsCalls"]


@dataclass(frozen=True, slots=True, kw_only=True, config=ROW)
class OpenRequest:
    """A request that waits for an answer.

    Attributes:
        kind: `access`, `correct`, `delete`, `export`, `object` or `restrict`.
        details: what the person wants, in their words; never logged.
        received_by: who entered what came by mail; None: the person, in the product.
        subject_id: the export or erasure that carries it out.
        level: 0, then 1 from 20 days on, 2 from 27, 3 when the deadline has passed.
    """

    id: UUID
    user_id: UUID
    kind: str
    details: str = Field(repr=False)
    received_at: datetime
    received_by: str | None
    due_at: datetime
    subject_id: UUID | None
    level: int


@dataclass(frozen=True, slots=True, config=ROW)
class RequestCount:
    """How many requests of a level wait, and when the first of them is due."""

    level: int
    waiting: int
    next_due_at: datetime | None


class RightsCalls(Caller):
    """Requests of people about their data."""

    async def list_requests(self) -> list[OpenRequest]:
        """What waits for an answer, the most urgent first, 1,000 at most. Repeat: harmless, nothing changes."""
        return await self._rows(OpenRequest, "list_requests", {}, repeat=True)

    async def count_requests(self) -> list[RequestCount]:
        """How many wait, by level; one row per level. Repeat: harmless, nothing changes."""
        return await self._rows(RequestCount, "count_requests", {}, repeat=True)

    async def record_request(
        self, user_id: UUID, kind: str, details: str, received_at: datetime, by: str
    ) -> UUID:
        """Enter a right that somebody used by mail. Make sure first that it was really them.

        Args:
            received_at: when the mail came; the 30 days run from there.
            by: who enters it.

        Repeat: harmless, the open request with the same words is returned.
        """
        arguments = {
            "p_user_id": str(user_id),
            "p_kind": kind,
            "p_details": details,
            "p_received_at": instant(received_at),
            "p_by": by,
        }
        return scalar("record_request", UUID, await self._call("record_request", arguments, repeat=True))

    async def answer_request(
        self, request_id: UUID, state: Literal["answered", "refused"], answer: str, by: str
    ) -> str:
        """Answer a request, or refuse it with the reason; the person reads the words and is told by mail.

        Returns:
            The proof: SHA-256 of id, state, time and answer.

        Repeat: NOT after a lost answer, it raises NX961 although the first one counts; look with `list_requests`.
        """
        arguments = {"p_request_id": str(request_id), "p_state": state, "p_answer": answer, "p_by": by}
        return scalar("answer_request", str, await self._call("answer_request", arguments, repeat=False))
