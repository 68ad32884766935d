"""What `./nexora doctor` asks the database of a deployment. Reads only; safe in production."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import psycopg

from workers.schema import baseline, privileges
from workers.schema.catalogue import OWN_SCHEMAS
from workers.schema.errors import SchemaError

MAX_SKEW_SECONDS = 2.0
# All that a visitor without a session may do in our schemas. Sign-up and sign-in are not among it: Auth
# serves them.
ANON_MAY = {privileges.Holder("schema public", "anon"): {"": ("USAGE",)}}
# What everybody may do: public is usable by Postgres' own default, types carry no data.
PUBLIC_MAY = {privileges.Holder("schema public", "public"): {"": ("USAGE",)}}
_CLOSED_TO = {
    "private": ("anon",),
    "worker": ("anon", "authenticated"),
    "retained": ("anon", "authenticated", "service_role"),
}


class Level(StrEnum):
    """How a check ended; one FAIL makes the command fail."""

    OK = "OK"
    WARN = "WARN"
    FAIL = "FAIL"


@dataclass(frozen=True)
class Check:
    """One line of the report; `advice` says what to do unless it is OK."""

    level: Level
    subject: str
    finding: str
    advice: str = ""


def checks(root: Path, url: str) -> Iterator[Check]:
    """Every check of the database at `url`; one that cannot be reached is one FAIL."""
    try:
        connection = psycopg.connect(url, autocommit=True, connect_timeout=10, options="-c search_path=")
    except psycopg.OperationalError as error:
        reason = " ".join(str(error).split())
        yield Check(
            Level.FAIL, "database", f"cannot be reached: {reason}", "check SUPABASE_DB_URL and the network"
        )
        return
    with connection:
        connection.execute("set default_transaction_read_only = on")
        yield _encryption(connection)
        yield _clock(connection)
        migrations = _migrations(root, connection)
        yield migrations
        if migrations.level is Level.FAIL:
            return  # the rest would only report what is not there yet
        yield _row_level_security(connection)
        yield _anonymous(connection)
        yield _schema_usage(connection)
        yield _buckets(connection)


def _encryption(connection: psycopg.Connection[Any]) -> Check:
    row = connection.execute(
        "select version from pg_stat_ssl where pid = pg_backend_pid() and ssl"
    ).fetchone()
    version = row[0] if row else None
    if version == "TLSv1.3":
        return Check(Level.OK, "database connection", "TLS 1.3")
    if connection.info.host in ("127.0.0.1", "localhost", "::1") or connection.info.host.startswith("/"):
        return Check(Level.OK, "database connection", "stays on this machine")
    advice = "add ?sslmode=verify-full to SUPABASE_DB_URL and let the server offer TLS 1.3 (P3.1)"
    return Check(Level.FAIL, "database connection", version or "not encrypted", advice)


def _clock(connection: psycopg.Connection[Any]) -> Check:
    def skew() -> tuple[float, float]:
        before = time.time()
        row = connection.execute("select extract(epoch from clock_timestamp())::float8").fetchone()
        after = time.time()
        assert row is not None  # noqa: S101  a select without from always has one row
        return after - before, float(row[0]) - (before + after) / 2

    # The shortest of three round trips tells most about the clock and least about the network.
    _, seconds = min(skew() for _ in range(3))
    finding = f"differs from the database's by {abs(seconds):.2f} s"
    if abs(seconds) < MAX_SKEW_SECONDS:
        return Check(Level.OK, "clock", finding)
    return Check(
        Level.FAIL,
        "clock",
        finding,
        "let this machine set its clock by NTP: leases and deadlines depend on it",
    )


def _migrations(root: Path, connection: psycopg.Connection[Any]) -> Check:
    if not _exists(connection, "supabase_migrations.schema_migrations"):
        return Check(Level.FAIL, "migrations", "none was ever applied", "run ./nexora db push")
    rows = connection.execute("select version from supabase_migrations.schema_migrations").fetchall()
    applied = {str(version) for (version,) in rows}
    try:
        present = {name.split("_", 1)[0] for name in baseline.existing(root)}
    except (SchemaError, OSError) as error:
        return Check(
            Level.FAIL, "migrations", f"unreadable here: {error}", "run this from a complete checkout"
        )
    if present - applied:
        missing = ", ".join(sorted(present - applied))
        return Check(Level.FAIL, "migrations", f"not applied: {missing}", "run ./nexora db push")
    if applied - present:
        unknown = ", ".join(sorted(applied - present))
        return Check(
            Level.FAIL, "migrations", f"unknown here: {unknown}", "use the version that deployed them"
        )
    return Check(Level.OK, "migrations", f"all {len(present)} applied")


def _row_level_security(connection: psycopg.Connection[Any]) -> Check:
    query = """select c.oid::regclass::text from pg_class c
               where c.relnamespace::regnamespace::text = any(%s) and c.relkind in ('r', 'p')
                 and not c.relrowsecurity"""
    names = [name for (name,) in connection.execute(query, (list(OWN_SCHEMAS),))]
    if names:
        return Check(
            Level.FAIL,
            "row level security",
            f"off on {', '.join(names)}",
            "run ./nexora db push, or enable it",
        )
    return Check(Level.OK, "row level security", "on for every table")


def _anonymous(connection: psycopg.Connection[Any]) -> Check:
    """Grants drift: what a visitor, or everybody, may do beyond what is stated above."""
    surplus = []
    for holder, rights in privileges.read(connection).items():
        stated = {**ANON_MAY, **PUBLIC_MAY}.get(holder, {})
        if holder.grantee not in ("anon", "public") or holder.what.startswith("type "):
            continue
        extra = {name for names in rights.values() for name in names} - {
            n for names in stated.values() for n in names
        }
        if extra:
            surplus.append(f"{holder.grantee}: {', '.join(sorted(extra)).lower()} on {holder.what}")
    if surplus:
        advice = "revoke it; a migration or somebody in the dashboard granted it"
        return Check(Level.FAIL, "grants to visitors", "; ".join(surplus), advice)
    return Check(Level.OK, "grants to visitors", "none but usage of schema public")


def _schema_usage(connection: psycopg.Connection[Any]) -> Check:
    query = "select has_schema_privilege(%s, oid, 'usage') from pg_namespace where nspname = %s"
    open_ = [
        f"{role} on {schema}"
        for schema, roles in _CLOSED_TO.items()
        for role in roles
        if connection.execute(query, (role, schema)).fetchone() == (True,)
    ]
    if open_:
        return Check(
            Level.FAIL, "schema usage", f"surplus: {', '.join(open_)}", "revoke usage of these schemas"
        )
    return Check(Level.OK, "schema usage", "worker for service_role only, retained for nobody")


def _buckets(connection: psycopg.Connection[Any]) -> Check:
    if not _exists(connection, "storage.buckets"):
        return Check(
            Level.FAIL, "storage buckets", "Storage is not installed", "enable Storage for the project"
        )
    names = [
        name for (name,) in connection.execute("select id from storage.buckets where public order by id")
    ]
    if names:
        advice = "make them private: uploads are reached by signed URLs only (P3.3)"
        return Check(Level.FAIL, "storage buckets", f"public: {', '.join(names)}", advice)
    return Check(Level.OK, "storage buckets", "all private")


def _exists(connection: psycopg.Connection[Any], table: str) -> bool:
    row = connection.execute("select to_regclass(%s) is not null", (table,)).fetchone()
    return bool(row and row[0])
