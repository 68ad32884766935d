"""Erasing people: one bounded step per call, and the files that only the Storage API can remove."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal
from uuid import UUID

import httpx
from pydantic import Field
from pydantic.dataclasses import dataclass
from storage3.exceptions import StorageApiError

from workers import http
from workers.errors import NotSentError, StorageError, TransportError
from workers.gateway.client import Caller, patiently
from workers.gateway.shapes import ROW, document

__all__ = ["ErasureCalls", "ErasureErrands", "ErasureStep", "OutsideAccount", "StoredFile"]

ErasureState = Literal["requested", "erasing", "held", "failed", "completed", "cancelled"]


@dataclass(frozen=True, slots=True, config=ROW)
class StoredFile:
    """A file of somebody who is being erased; its name is personal data and is never logged."""

    bucket_id: str
    name: str = Field(repr=False)


@dataclass(frozen=True, slots=True, config=ROW)
class OutsideAccount:
    """What a processor keeps about somebody who is being erased.

    Attributes:
        processor_id: as in `private.processors`, e.g. `stripe`.
        reference: the processor's own id.
    """

    processor_id: str
    reference: str = Field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True, config=ROW)
class ErasureErrands:
    """What has to be done outside the database before the next step."""

    files: tuple[StoredFile, ...] = ()
    outside: tuple[OutsideAccount, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, config=ROW)
class ErasureStep:
    """Where an erasure stands after a step.

    Attributes:
        state: `erasing`: call again, after the errands. `completed`, `cancelled`, `held`: nothing more to do now.
            `requested`, `failed`: later.
        errands: files and processors that the worker has to deal with.
    """

    state: ErasureState
    errands: ErasureErrands | None = None


class ErasureCalls(Caller):
    """Erasing people."""

    async def advance_erasure(
        self, worker_id: UUID, erasure_id: UUID, attempt: int, done: Sequence[OutsideAccount] = ()
    ) -> ErasureStep:
        """Carry a leased erasure one bounded step further.

        Args:
            done: processors that have confirmed since the last call.

        Raises:
            RuleError: NX916, the lease is gone; NX913, a legal hold was placed at this moment.

        Repeat: harmless, a step looks for what is there.
        """
        return await self._row(
            ErasureStep,
            "advance_erasure",
            {
                "p_worker_id": str(worker_id),
                "p_erasure_id": str(erasure_id),
                "p_attempt": attempt,
                "p_done": [document(account) for account in done],
            },
            repeat=True,
        )

    async def remove_files(self, bucket_id: str, names: Sequence[str]) -> None:
        """Remove files of one bucket, bytes and rows (P3.3, P7.3). One that is not there is no error.

        Raises:
            StorageError: refused.
            TransportError: no answer, after repeats (removing is harmless to repeat).
        """
        await patiently(self._remove_once, bucket_id, list(names), repeat=True)

    async def _remove_once(self, bucket_id: str, names: list[str]) -> None:
        try:
            await self._client.storage.from_(bucket_id).remove(names)
        except StorageApiError as error:
            status = str(error.status)
            if status.isdigit() and int(status) >= 500:
                raise TransportError("remove_files", status) from None
            raise StorageError("remove_files", f"refused with {status}") from None  # its text names the files
        except (httpx.HTTPError, httpx.StreamError) as error:
            kind = NotSentError if http.is_not_sent(error) else TransportError
            raise kind("remove_files", type(error).__name__) from None  # the cause holds the secret key
