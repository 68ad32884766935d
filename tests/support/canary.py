"""Somebody whose every text, file and file name holds one word, and the columns in which it has to stand."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatch
from typing import Any, Final

import httpx
import psycopg
from psycopg import sql

from nexora_client import Platform
from tests.support.api import Api
from tests.support.creators import Creator, new_creator, png
from tests.support.personas import Person
from tests.support.running import RunningWorker
from tests.support.secrets import forms_of
from tests.support.seed import seed_person
from tests.support.waiting import wait_until
from workers.sandbox import Sandbox

# Columns that hold a text, a document or bytes about a person, and in which no word of ours can stand.
EXCUSED: Final = {
    "of Auth, random or a program's own": (
        "auth.flow_state.* auth.refresh_tokens.* auth.users.aud auth.users.role auth.users.encrypted_password "
        "auth.users.raw_app_meta_data auth.identities.provider auth.sessions.aal auth.sessions.scopes"
    ),
    "sealed, or the name of a key": (
        "private.token_vault.* private.pending_connections.sealed_* private.pending_connections.key_ids "
        "private.oauth_flows.* private.revocation_outbox.*"
    ),
    "comes to be with the erasure itself": (
        "private.erasures.* private.erasure_outbox.* private.erasure_notices.* retained.billing_invoices.*"
    ),
    "the storage server's own": "storage.objects.metadata storage.objects.version",
    "under the day's pseudonym, in words of a closed list (P5.2)": "private.usage_events.* private.usage_calls.*",
    "emptied as it arrives (P1.9)": "auth.audit_log_entries.ip_address",
}
# What the database says when a value is none of a closed list, or the column belongs to something else.
_REFUSALS: Final = frozenset({"23514", "22P02", "22001", "428C9"})


@dataclass
class Canary:
    """Somebody whose every text holds `marker`.

    Attributes:
        keys: under which others know them: accounts on platforms, the customer at Stripe, the handle as compared.
    """

    creator: Creator
    marker: str
    user_id: uuid.UUID
    keys: dict[str, str]

    def needles(self) -> dict[str, bytes]:
        """What must not be found of somebody who is gone, hashes among it."""
        words = {
            "marker": self.marker,
            "MARKER": self.marker.upper(),
            "Marker": self.marker.capitalize(),
            "id": str(self.user_id),
            "email": self.creator.email,
            **self.keys,
        }
        hashes = {
            f"{algorithm} of {name}": hashlib.new(algorithm, word.encode()).digest()
            for name, word in words.items()
            for algorithm in ("sha256", "md5")
        }
        return {name: word.encode() for name, word in words.items()} | hashes

    def is_in(self, text: str) -> bool:
        """Whether a value holds the marker, or an id or hash that leads to the person."""
        content = text.lower().encode()
        return any(
            form.lower() in content for needle in self.needles().values() for _, form in forms_of(needle)
        )


def new_canary(api: Api, sandbox: Sandbox, worker: RunningWorker) -> Canary:
    """Sign somebody up and have them use everything, through the API as far as it goes."""
    marker = f"canary{uuid.uuid4().hex[:14]}"
    creator = new_creator(api, sandbox, worker.web_url, Platform.X, Platform.LINKEDIN, key=marker)
    user_id = creator.client.account.me().user_id
    accounts = {name: value for name, value in sandbox.control.people()[marker].items() if len(value) >= 16}
    canary = Canary(creator, marker, user_id, {**accounts, "customer": _at_stripe(sandbox, marker)})
    _write(canary)
    with psycopg.connect(api.db_url) as db:
        _write_what_no_api_writes(db, canary)
        canary.keys["handle"] = _value(
            db, "select handle_key from public.profiles where user_id = %s", user_id
        )
        seed_person(db, Person(user_id, _value(db, _SESSION, user_id), creator.email), marker)
        # Housekeeping goes by the real time: what ends within minutes begins in an hour.
        db.execute("update private.export_tickets set expires_at = now() + interval '1 hour'")
        db.execute(
            """update private.pending_connections set created_at = now() + interval '1 hour',
                 expires_at = now() + interval '70 minutes' where confirmed_at is null"""
        )
    _have_a_mail_bounce(api, sandbox, canary)
    return canary


def _write(canary: Canary) -> None:
    client, marker = canary.creator.client, canary.marker
    client.profile.change_handle(marker)
    client.profile.update(display_name=marker, bio=marker, niche=marker)
    client.profile.set_avatar(png() + marker.encode(), "image/png")
    client.profile.media_kit.update(headline=marker, about=marker, contact_email=f"{marker}@people.example")
    client.profile.rates.add("x", marker, 100, "USD")
    client.profile.social_links.add("website", f"https://{marker}.example/{marker}")
    client.content.scripts.create(marker, marker)
    client.content.captions.create(marker, title=marker)
    published = canary.creator.draft(f"post {marker}", Platform.X, image=png() + marker.encode())
    client.publishing.publish_now(published.id)
    planned = canary.creator.draft(f"planned {marker}", Platform.X)
    client.publishing.schedule(planned.id, datetime.now(UTC) + timedelta(days=3))
    storage = client._transport.supabase.storage.from_("media")
    storage.upload(f"{canary.user_id}/{marker}.png", png() + marker.encode(), {"content-type": "image/png"})
    client.publishing.wait_until_settled(published.id, timeout=30)


def _at_stripe(sandbox: Sandbox, marker: str) -> str:
    """A customer with a card and a draft of an invoice, as billing makes one."""
    answer = httpx.post(
        f"{sandbox.url}/stripe/v1/customers",
        data={"name": marker, "email": f"{marker}@people.example", "metadata[key]": marker},
        headers={"authorization": f"Bearer sk_test_{sandbox.secret}"},
    )
    customer_id = str(answer.json()["id"])
    sandbox.control.give_customer(
        customer_id,
        cards=[{"billing_name": marker}],
        invoices=[{"status": "paid"}, {"status": "draft", "memo": marker}],
    )
    return customer_id


def _have_a_mail_bounce(api: Api, sandbox: Sandbox, canary: Canary) -> None:
    """So that Resend has the address on its suppression list, and has told so."""
    with psycopg.connect(api.db_url) as db:
        db.execute(
            "select private.queue_mail(%s, 'password_changed', '{}', %s, now())",
            (canary.user_id, f"sent:{canary.marker}"),
        )
    wait_until(lambda: sandbox.control.mails(canary.creator.email), timeout=30)
    sandbox.control.tell_about_mail(
        sandbox.control.mails(canary.creator.email)[0].id, "email.bounced", bounce="Permanent"
    )

    def is_told() -> bool:
        with psycopg.connect(api.db_url) as db:
            return bool(
                db.execute(
                    "select from private.mail_suppressions where user_id = %s", (canary.user_id,)
                ).fetchall()
            )

    wait_until(is_told, timeout=30)


_SESSION: Final = "select id from auth.sessions where user_id = %s"


def _value(db: psycopg.Connection, query: str, *parameters: object) -> Any:
    row = db.execute(query, parameters).fetchone()  # type: ignore[arg-type]
    assert row is not None
    return row[0]


def _write_what_no_api_writes(db: psycopg.Connection, canary: Canary) -> None:
    """As its writers would: billing, Auth, a worker in the middle of an upload, a guardian."""
    user, marker = canary.user_id, canary.marker
    document, digest = json.dumps({"text": marker}), hashlib.sha256(marker.encode()).hexdigest()
    db.execute(
        "insert into private.billing_customers (user_id, stripe_customer_id, created_at) values (%s, %s, now())",
        (user, canary.keys["customer"]),
    )
    db.execute(
        """insert into private.idempotency_keys (user_id, function_name, key, request_hash, response, created_at)
           values (%s, 'f', gen_random_uuid(), %s, %s, now())""",
        (user, digest, document),
    )
    db.execute(
        "insert into auth.audit_log_entries (id, payload, created_at, ip_address) values (%s, %s, now(), %s)",
        (
            uuid.uuid4(),
            json.dumps({"actor_id": str(user), "actor_username": canary.creator.email, "actor_name": marker}),
            marker,
        ),
    )
    db.execute(
        """insert into private.guardian_consents (user_id, guardian_name, guardian_email_hash, method, evidence,
             requested_at, expires_at, token_hash)
           values (%s, %s, %s, 'signed_link', %s, now(), now() + interval '7 days', %s)""",
        (user, marker, digest, document, digest),
    )
    # A mail that has not gone yet, and an upload that is under way.
    db.execute(
        "select private.queue_mail(%s, 'password_changed', %s, %s, now())",
        (user, document, f"unsent:{marker}"),
    )
    db.execute("update private.queue set due_at = now() + interval '2 days' where lane like 'mail%%'")
    db.execute(
        """update private.queue q set progress = %s from public.post_targets t
           where q.lane = 'publish' and q.subject_id = t.id and t.user_id = %s""",
        (document, user),
    )
    db.execute("select private.audit('did_something', 'account', %s)", (user,))


@dataclass(frozen=True)
class _Column:
    relation: sql.Identifier
    name: str
    column: sql.Identifier
    where: sql.Composable
    value: sql.Composable
    is_key: bool
    has_person: bool


def _columns(db: psycopg.Connection, canary: Canary) -> Iterator[_Column]:
    """Texts, documents and bytes about people, with what would plant the marker there."""
    marker = sql.Literal(canary.marker)
    values = {
        "A": sql.SQL("array[{}]").format(marker),
        "S": marker,
        "json": sql.Literal(json.dumps({"canary": canary.marker})),
        "bytea": sql.SQL("convert_to({}, 'UTF8')").format(marker),
    }
    for schema, relation, name, kind, predicate, is_key in db.execute(_COLUMNS).fetchall():
        where = (predicate or "true").replace("$1", f"'{canary.user_id}'::uuid")
        yield _Column(
            sql.Identifier(schema, relation), f"{schema}.{relation}.{name}", sql.Identifier(name),
            sql.SQL(where), values[kind], is_key, predicate is not None,
        )  # fmt: skip


_COLUMNS: Final = """
  select d.schema_name, d.relation, d.column_name,
         case when a.atttypid in ('json'::regtype, 'jsonb'::regtype) then 'json'
              when a.atttypid = 'bytea'::regtype then 'bytea' else t.typcategory::text end,
         private.subject_predicate(d.schema_name, d.relation),
         exists (select from pg_constraint k where k.conrelid = c.oid and k.contype = 'f' and a.attnum = any (k.conkey))
  from private.data_catalogue d
  join pg_class c on c.relnamespace = to_regnamespace(d.schema_name) and c.relname = d.relation
    and c.relkind in ('r', 'p')
  join pg_attribute a on a.attrelid = c.oid and a.attname = d.column_name
  join pg_type t on t.oid = a.atttypid
  where d.kind = 'column' and d.category like 'user.%'
    and (t.typcategory in ('S', 'A') or a.atttypid in ('json'::regtype, 'jsonb'::regtype, 'bytea'::regtype))
  order by 1, 2, 3"""


def columns_without(db: psycopg.Connection, canary: Canary) -> set[str]:
    """Columns of texts, documents and bytes about people in which the canary does not stand, although it could.

    Where its use of the service left a column without it, the marker is put there; what refuses it (a closed list, a
    generated column, the key of something else) cannot hold a person's word.

    Args:
        db: a connection of a superuser; commits.
    """
    missing = set()
    for column in _columns(db, canary):
        if column.is_key or any(
            fnmatch(column.name, one) for group in EXCUSED.values() for one in group.split()
        ):
            continue
        query = sql.SQL("select distinct t.{}::text from {} t where {}").format(
            column.column, column.relation, column.where
        )
        if any(value and canary.is_in(value) for (value,) in db.execute(query).fetchall()):
            continue
        if not column.has_person or not _plant(db, column):
            missing.add(column.name)
    db.commit()
    return missing


def _plant(db: psycopg.Connection, column: _Column) -> bool:
    """Whether the marker stands in a row of the person's now, or was refused for good."""
    update = sql.SQL(
        "update {0} t set {1} = {2} where t.ctid = any (array(select t.ctid from {0} t where {3} limit 1))"
    ).format(column.relation, column.column, column.value, column.where)
    try:
        with db.transaction():
            db.execute("set local session_replication_role = replica")  # past guards, not past constraints
            return db.execute(update).rowcount == 1
    except psycopg.Error as error:
        if error.sqlstate not in _REFUSALS:
            raise
        return True
