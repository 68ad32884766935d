"""A person who has used everything: at least one row in every table of `public` that belongs to somebody."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass

import psycopg

from tests.support.personas import Person, create_person


@dataclass(frozen=True)
class Belongings:
    """Ids of what a person has, under the names by which functions take them."""

    person: Person
    marker: str
    post_id: uuid.UUID
    target_id: uuid.UUID
    connection_id: uuid.UUID
    object_name: str
    series_id: uuid.UUID
    feed_id: uuid.UUID
    export_id: uuid.UUID
    request_id: uuid.UUID

    def argument(self, parameter: str) -> object:
        """A value of this person's for a parameter of a public function."""
        return {
            "p_session_id": self.person.session_id,
            "p_post_id": self.post_id,
            "p_target_id": self.target_id,
            "p_connection_id": self.connection_id,
            "p_reconnect": self.connection_id,
            "p_object_name": self.object_name,
            "p_series_id": self.series_id,
            "p_feed_id": self.feed_id,
            "p_export_id": self.export_id,
            "p_request_id": self.request_id,
        }.get(parameter)


def seed_person(
    db: psycopg.Connection, person: Person | None = None, marker: str | None = None
) -> Belongings:
    """A row in every table for somebody, created where none is given; every text of theirs holds `marker`."""
    person = person or create_person(db)
    marker = marker or f"marker{uuid.uuid4().hex[:12]}"
    user = person.user_id
    object_name = f"{user}/{marker}.png"
    db.execute(
        """insert into storage.objects (bucket_id, name, owner_id, metadata) values ('media', %s, %s, %s)
           on conflict do nothing""",
        (object_name, str(user), _METADATA),
    )
    script = _insert(db, "public.scripts", user_id=user, title=marker, body=marker)
    post = _insert(db, "public.posts", user_id=user, script_id=script, title=marker, body=marker)
    _insert(db, "public.captions", user_id=user, body=marker)
    media = _insert(
        db, "public.media", user_id=user, object_name=object_name, kind="image", mime_type="image/png",
        size_bytes=10, alt_text=marker,
    )  # fmt: skip
    db.execute(
        "insert into public.post_media (user_id, post_id, media_id) values (%s, %s, %s)", (user, post, media)
    )
    connection = _insert(
        db, "public.connections", user_id=user, platform_id="x", external_account_id=marker, handle=marker,
        display_name=marker, scopes=_scopes(db), state="active", connected_at="now", token_generation=1,
    )  # fmt: skip
    db.execute(
        """insert into private.token_vault
             (connection_id, user_id, sealed_access, sealed_revocation, key_ids, generation)
           values (%s, %s, %s, %s, '{k1}', 1)""",
        (connection, user, b"NXT" + b"\1" * 200, b"NXT" + b"\1" * 200),
    )
    _insert(
        db, "private.pending_connections", user_id=user, platform_id="x", connection_id=uuid.uuid4(),
        external_account_id=f"{marker}2", handle=marker, scopes=_scopes(db), generation=1, key_ids=["k1"],
        sealed_access=b"NXT" + b"\1" * 200, sealed_revocation=b"NXT" + b"\1" * 200,
        code_hash=hashlib.sha256(marker.encode()).digest(), created_at="now", expires_at="now",
    )  # fmt: skip
    target = _insert(
        db,
        "public.post_targets",
        user_id=user,
        post_id=post,
        connection_id=connection,
        platform_id="x",
        text=marker,
    )
    _insert(db, "public.target_follow_ups", user_id=user, target_id=target, body=marker)
    _insert(
        db, "public.publish_costs", user_id=user, target_id=target, platform_id="x", charge="post_create",
        amount_micros=15000, currency="USD", charged_at="now",
    )  # fmt: skip
    db.execute(
        "update public.profiles set bio = %s, display_name = %s where user_id = %s", (marker, marker, user)
    )
    db.execute("update public.media_kits set headline = %s where user_id = %s", (marker, user))
    _insert(
        db,
        "public.media_kit_rates",
        user_id=user,
        platform_id="x",
        format=marker,
        amount_minor=1,
        currency="EUR",
    )
    _insert(db, "public.social_links", user_id=user, platform="x", url=f"https://example.org/{marker}")
    _insert(db, "public.notifications", user_id=user, kind="target_failed", subject_kind="target", subject_id=target,
            created_at="now")  # fmt: skip
    db.execute(
        "update public.post_targets set state = 'scheduled', scheduled_at = now() where id = %s", (target,)
    )
    _insert(
        db, "public.queue_slots", user_id=user, connection_id=connection, weekday=1, local_time="09:00",
        time_zone="Europe/Berlin",
    )  # fmt: skip
    series = _insert(
        db, "public.post_series", user_id=user, post_id=post, rule="FREQ=DAILY;COUNT=3", starts_on="2030-01-01",
        local_time="09:00", time_zone="Europe/Berlin", texts=[marker], created_at="now", updated_at="now",
    )  # fmt: skip
    _insert(
        db, "public.post_occurrences", user_id=user, series_id=series, number=1, occurs_on="2030-01-01",
        scheduled_at="2030-01-01 08:00Z", state="made", post_id=post, created_at="now",
    )  # fmt: skip
    db.execute(
        "insert into public.post_imports (user_id, key, post_id, created_at) values (%s, %s, %s, now())",
        (user, marker, post),
    )
    feed = _insert(db, "public.calendar_feeds", user_id=user, name=marker, created_at="now")
    db.execute(
        "insert into private.calendar_tokens (feed_id, user_id, token_hash) values (%s, %s, %s)",
        (feed, user, hashlib.sha256(marker.encode()).hexdigest()),
    )
    db.execute("select private.note_local_times(array[%s]::uuid[], 'Europe/Berlin', null)", (target,))
    db.execute("update public.preferences set product_analytics = false where user_id = %s", (user,))
    db.execute("select private.set_mail_preference(%s, 'product', false, 'settings')", (user,))
    _insert(
        db, "public.billing_invoices", user_id=user, number=marker, issued_at="2026-01-31", billed_to=marker,
        country="DE", description="Plan", amount_minor=1900, tax_minor=303, currency="EUR",
        stripe_invoice_id=f"in_{marker}",
    )  # fmt: skip
    db.execute("select private.accept_by_use(%s, 'use')", (user,))
    export = uuid.uuid4()
    _insert(
        db, "private.exports", id=export, user_id=user, state="ready", requested_at="now", snapshot_at="now",
        ended_at="2030-01-01Z", expires_at="2030-01-08Z", object_name=f"{user}/{export}/{marker}.zip", size_bytes=1,
        sha256="0" * 64, catalogue_hash="0" * 64,
    )  # fmt: skip
    db.execute(
        """insert into private.export_chunks (export_id, user_id, area, position, row_count, staged_at, body)
           values (%s, %s, 'posts', 0, 1, now(), %s)""",
        (export, user, marker),
    )
    db.execute(
        "insert into private.export_tickets (ticket_hash, export_id, user_id, expires_at) values (%s, %s, %s, now())",
        (hashlib.sha256(marker.encode()).hexdigest(), export, user),
    )
    asked = db.execute(
        "select (private.open_request(%s, 'correct', %s, null, now())).id", (user, marker)
    ).fetchone()
    assert asked is not None
    return Belongings(person, marker, post, target, connection, object_name, series, feed, export, asked[0])


def tables_without_rows_of(db: psycopg.Connection, user_id: uuid.UUID) -> set[str]:
    """Tables of `public` with an owner in which the person has nothing: the seed must be extended for them."""
    tables = db.execute(
        """select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'user_id'
           where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition"""
    ).fetchall()
    empty = set()
    for (table,) in tables:
        if db.execute(f"select 1 from public.{table} where user_id = %s", (user_id,)).fetchone() is None:
            empty.add(table)
    return empty


_METADATA = '{"size": 10, "mimetype": "image/png"}'


def _scopes(db: psycopg.Connection) -> list[str]:
    rows = db.execute(
        "select distinct unnest(scopes) from public.platform_features where platform_id = 'x'"
    ).fetchall()
    return [scope for (scope,) in rows]


def _insert(db: psycopg.Connection, table: str, **values: object) -> uuid.UUID:
    columns = ", ".join(values)
    places = ", ".join("%s" for _ in values)
    row = db.execute(
        f"insert into {table} ({columns}) values ({places}) returning id", tuple(values.values())
    ).fetchone()
    assert row is not None
    return uuid.UUID(str(row[0]))
