"""Mails for SQL tests: a worker, a queued mail, and what came of it."""

from __future__ import annotations

import json
import uuid
from typing import Any

from tests.sql.querying import Connection, rows, scalar

T0 = "2026-03-01T12:00:00Z"


def new_worker(db: Connection, at: str = T0) -> uuid.UUID:
    """A live worker."""
    return uuid.UUID(str(scalar(db, "select private.register_worker('w', null, null, %s)", at)))


def beat(db: Connection, worker: uuid.UUID, at: str) -> None:
    """Keep a worker alive at another time."""
    db.execute("update private.workers set heartbeat_at = %s where id = %s", (at, worker))


def queue_mail(
    db: Connection, user: uuid.UUID, template: str = "notice", at: str = T0, **params: str
) -> uuid.UUID:
    """A mail to a person, due at `at`."""
    key = f"test:{uuid.uuid4()}"
    return uuid.UUID(
        str(
            scalar(
                db,
                "select private.queue_mail(%s, %s, %s, %s, %s)",
                user,
                template,
                json.dumps(params),
                key,
                at,
            )
        )
    )


def claim(db: Connection, worker: uuid.UUID, at: str = T0, limit: int = 10) -> list[dict[str, Any]]:
    """What the worker gets."""
    cursor = db.execute("select * from private.claim_mails(%s, %s, %s)", (worker, limit, at))
    names = [column.name for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor]


def report(
    db: Connection, worker: uuid.UUID, claimed: dict[str, Any], outcome: str, at: str = T0, **more: Any
) -> int:
    """Report one mail."""
    result = {"mail_id": str(claimed["mail_id"]), "attempt": claimed["attempt"], "outcome": outcome, **more}
    return int(scalar(db, "select private.report_mails(%s, %s, %s)", worker, json.dumps([result]), at))


def mail(db: Connection, mail_id: uuid.UUID) -> dict[str, Any]:
    """The row of a mail."""
    return dict(scalar(db, "select to_jsonb(m) from private.mails m where m.id = %s", mail_id))


def send(db: Connection, user: uuid.UUID, template: str = "notice", at: str = T0) -> uuid.UUID:
    """A mail that has gone; its id at the provider is `re-<id>`."""
    worker, mail_id = new_worker(db, at), queue_mail(db, user, template, at)
    (claimed,) = [one for one in claim(db, worker, at, 100) if one["mail_id"] == mail_id]
    assert report(db, worker, claimed, "sent", at, provider_id=f"re-{mail_id}") == 1
    return mail_id


def tell(
    db: Connection, mail_id: uuid.UUID, kind: str, *, code: str | None = None, event: str | None = None
) -> bool:
    """An event of the provider's about a mail that has gone."""
    return bool(
        scalar(
            db,
            "select private.record_mail_event(%s, %s, %s, %s, %s, %s, %s)",
            event or f"msg_{uuid.uuid4().hex}", kind, f"re-{mail_id}", mail_id, T0, code, T0,
        )
    )  # fmt: skip


def choices(db: Connection, user: uuid.UUID) -> dict[str, bool]:
    """What a person chose, by category."""
    return dict(
        rows(db, "select category_id, is_wanted from public.mail_preferences where user_id = %s", user)
    )
