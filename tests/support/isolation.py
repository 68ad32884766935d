"""What one person could get at of another's, found by trying everything that the catalogue knows.

`leaks` acts as a signed-in stranger and as a visitor and tries, on every table, view, function and bucket: to read, to
write, to attach something to, and to tell an owned id from an invented one.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg

from tests.support.personas import Person, acting_as
from tests.support.seed import Belongings

OWN_SCHEMAS = ("public", "worker", "private", "retained")


@dataclass(frozen=True)
class Outcome:
    """What came of one statement: rows as text, or the SQLSTATE of the refusal."""

    sqlstate: str | None
    rows: tuple[str, ...] = ()
    affected: int = 0


@contextmanager
def _undone(db: psycopg.Connection) -> Iterator[None]:
    with db.transaction(force_rollback=True):
        yield


class Prober:
    """Tries statements as somebody; nothing that it does stays."""

    def __init__(self, db: psycopg.Connection, stranger: Person | None, owner: Belongings) -> None:
        self._db = db
        self._stranger = stranger
        self._owner = owner
        self._name = "a visitor" if stranger is None else "a stranger"

    def leaks(self, about: str | None) -> set[str]:
        """One sentence per thing that should not be possible; `about` narrows it to what that text names."""

        def is_meant(name: str) -> bool:
            return about is None or name in about

        found: set[str] = set()
        for schema, relation in self._relations():
            if is_meant(f"{schema}.{relation}"):
                found |= self._probe_relation(schema, relation)
        for child, column, parent in self._foreign_keys():
            if is_meant(f"{child}.{column}"):
                found |= self._probe_attachment(child, column, parent)
        for signature, parameters in self._functions():
            if is_meant(signature):
                found |= self._probe_function(signature, parameters)
        if is_meant("file") or is_meant("folder"):
            found |= self._probe_storage()
        return {f"{self._name} {what}" for what in found}

    # --- tables and views ---------------------------------------------------------------------------------------

    def _probe_relation(self, schema: str, relation: str) -> set[str]:
        found = set()
        name = f"{schema}.{relation}"
        seen = self._try(f"select t::text from {name} t")
        if self._reveals(seen):
            found.add(f"reads {name}")
        for column in self._columns(schema, relation):
            if self._changes(lambda column=column: self._try(f'update {name} set "{column}" = "{column}"')):
                found.add(f"updates {name}.{column}")
        if self._changes(lambda: self._try(f"delete from {name}")):
            found.add(f"deletes from {name}")
        return found

    def _changes(self, attempt: Callable[[], Outcome]) -> bool:
        """Whether the attempt touched rows of the owner: an update that changes no value still touches them."""
        with _undone(self._db):
            outcome = attempt()
            return outcome.affected > 0 and self._owner_rows_touched()

    def _owner_rows_touched(self) -> bool:
        return self._fingerprint() != self._untouched

    # --- attaching ----------------------------------------------------------------------------------------------

    def _probe_attachment(self, child: str, column: str, parent: str) -> set[str]:
        """The stranger's own child row, copied or moved below the owner's parent row."""
        if self._stranger is None:
            return set()
        theirs = self._scalar(
            f"select id from public.{parent} where user_id = %s", self._owner.person.user_id
        )
        attempts = {"attaches to": self._copy_below, "moves below": self._move_below}
        found = set()
        for verb, attempt in attempts.items():
            owned, invented = attempt(child, column, theirs), attempt(child, column, uuid.uuid4())
            if owned.sqlstate is None and owned.affected:
                found.add(f"{verb} {parent} through {child}.{column}")
            elif owned.sqlstate != invented.sqlstate:
                found.add(f"tells owned from invented {parent} through {child}.{column}")
        return found

    def _copy_below(self, child: str, column: str, parent_id: object) -> Outcome:
        assert self._stranger is not None
        columns = [
            name for name in self._columns("public", child)
            if name != "id" and self._has_column_privilege(f"public.{child}", name, "insert")
        ]  # fmt: skip
        values = ", ".join(f"'{parent_id}'::uuid" if name == column else f'"{name}"' for name in columns)
        if column not in columns:
            return Outcome("42501")
        into = ", ".join(f'"{name}"' for name in columns)
        return self._try(
            f"insert into public.{child} ({into}) select {values} from public.{child} "
            f"where user_id = '{self._stranger.user_id}' limit 1"
        )

    def _move_below(self, child: str, column: str, parent_id: object) -> Outcome:
        assert self._stranger is not None
        return self._try(
            f"update public.{child} set {column} = '{parent_id}' where user_id = '{self._stranger.user_id}'"
        )

    # --- functions ----------------------------------------------------------------------------------------------

    def _probe_function(self, signature: str, parameters: list[tuple[str, str]]) -> set[str]:
        found = set()
        owned, touched = self._call(signature, parameters, owned=True)
        invented, _ = self._call(signature, parameters, owned=False)
        if self._reveals(owned):
            found.add(f"reads through {signature}")
        if touched:
            found.add(f"changes something through {signature}")
        if any(self._owner.argument(name) for name, _ in parameters) and self._tells_apart(owned, invented):
            found.add(f"tells owned from invented through {signature}")
        return found

    def _call(
        self, signature: str, parameters: list[tuple[str, str]], *, owned: bool
    ) -> tuple[Outcome, bool]:
        arguments = [self._argument(name, kind, owned=owned) for name, kind in parameters]
        call = f"select f::text from {signature.split('(')[0]}({', '.join(arguments)}) f"
        with _undone(self._db):
            outcome = self._try(call)
            return outcome, self._owner_rows_touched()

    def _argument(self, name: str, kind: str, *, owned: bool) -> str:
        value = self._owner.argument(name)
        if value is not None and not owned:
            value = uuid.uuid4() if kind == "uuid" else f"{self._owner.person.user_id}/{uuid.uuid4()}.png"
        if value is None:
            value = {
                "timestamp with time zone": "2099-01-01", "boolean": "true", "date": "1990-01-01", "integer": "1",
                "text[]": "{publish}", "uuid": None, "jsonb": "[]",
                "timestamp without time zone": "2099-01-01", "time without time zone": "09:00",
            }.get(kind, "x")  # fmt: skip
        return f"{name} => " + ("null" if value is None else f"'{value}'::{kind}")

    @staticmethod
    def _tells_apart(owned: Outcome, invented: Outcome) -> bool:
        return (owned.sqlstate, owned.rows) != (invented.sqlstate, invented.rows)

    # --- storage ------------------------------------------------------------------------------------------------

    def _probe_storage(self) -> set[str]:
        found = set()
        if self._reveals(self._try("select name from storage.objects")):
            found.add("lists files")
        for bucket in self._column("select id from storage.buckets"):
            name = f"{self._owner.person.user_id}/planted.png"
            planted = self._try(
                f"insert into storage.objects (bucket_id, name) values ('{bucket}', '{name}')"
            )
            if planted.sqlstate is None:
                found.add(f"uploads into the owner's folder of {bucket}")
        name = self._owner.object_name
        for verb, statement in {
            "overwrites": f"update storage.objects set metadata = '{{}}' where name = '{name}'",
            "deletes": f"delete from storage.objects where name = '{name}'",
        }.items():
            with _undone(self._db):
                self._db.execute("select set_config('storage.allow_delete_query', 'true', true)")
                if self._try(statement).affected:
                    found.add(f"{verb} a file")
        return found

    # --- tools --------------------------------------------------------------------------------------------------

    def _try(self, statement: str) -> Outcome:
        with _undone(self._db):
            try:
                with self._db.transaction(), acting_as(self._db, self._stranger):
                    cursor = self._db.execute(statement)  # type: ignore[call-overload]
                    rows = tuple(str(row[0]) for row in cursor.fetchall()) if cursor.description else ()
                    outcome = Outcome(None, rows, max(cursor.rowcount, 0))
                    self._after = self._fingerprint_as_owner()
            except psycopg.Error as error:
                self._after = self._untouched
                return Outcome(error.sqlstate)
        return outcome

    def _fingerprint_as_owner(self) -> str:
        self._db.execute("reset role")
        return self._read_fingerprint()

    def _fingerprint(self) -> str:
        return self._after

    def _read_fingerprint(self) -> str:
        """Row versions of everything of the owner's: any touch shows, even one that changes no value."""
        row = self._db.execute(self._fingerprint_query, {"owner": self._owner.person.user_id}).fetchone()  # type: ignore[call-overload]
        assert row is not None
        return str(row[0])

    def prepare(self) -> Prober:
        """Read the catalogue and the state before anything is tried."""
        self._owned_tables = [
            (schema, table)
            for schema, table in self._db.execute(
                """select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
                   join pg_attribute a on a.attrelid = c.oid and a.attname = 'user_id' and not a.attisdropped
                   where n.nspname = any (%s) and c.relkind in ('r', 'p') and not c.relispartition order by 1, 2""",
                (list(OWN_SCHEMAS),),
            ).fetchall()
        ]
        version = "t.ctid::text || t.xmax::text || t.tableoid::text || t::text"
        versions = " union all ".join(
            f"select '{schema}.{table}', md5(string_agg({version}, ',' order by t::text))"
            f" from {schema}.{table} t where user_id = %(owner)s"
            for schema, table in self._owned_tables
        )
        self._fingerprint_query = f"""
            select string_agg(name || '=' || coalesce(version, ''), ' ' order by name)
            from ({versions}) v (name, version)"""
        self._untouched = self._read_fingerprint()
        self._after = self._untouched
        return self

    def _reveals(self, outcome: Outcome) -> bool:
        secrets = (str(self._owner.person.user_id), self._owner.marker, self._owner.person.email)
        return any(secret in row for row in outcome.rows for secret in secrets)

    def _relations(self) -> list[tuple[str, str]]:
        return [
            (row[0], row[1])
            for row in self._db.execute(
                """select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
                   where n.nspname = any (%s) and c.relkind in ('r', 'p', 'v', 'm') and not c.relispartition
                   order by 1, 2""",
                (list(OWN_SCHEMAS),),
            ).fetchall()
        ]

    def _columns(self, schema: str, relation: str) -> list[str]:
        return self._column(
            """select attname from pg_attribute where attrelid = to_regclass(%s) and attnum > 0
               and not attisdropped and attgenerated = '' and attidentity = '' order by attnum""",
            f"{schema}.{relation}",
        )

    def _foreign_keys(self) -> list[tuple[str, str, str]]:
        """(child, column, parent) of every reference between two owned tables of `public`."""
        return [
            (row[0], row[1], row[2])
            for row in self._db.execute(
                """select c.conrelid::regclass::text, a.attname, c.confrelid::regclass::text
                   from pg_constraint c
                   join pg_attribute a on a.attrelid = c.conrelid and a.attnum = any (c.conkey)
                     and a.attname <> 'user_id'
                   where c.contype = 'f' and c.connamespace = 'public'::regnamespace and exists (
                     select from pg_attribute p where p.attrelid = c.confrelid and p.attname = 'user_id')
                     and c.confrelid <> 'auth.users'::regclass order by 1, 2"""
            ).fetchall()
        ]

    def _functions(self) -> list[tuple[str, list[tuple[str, str]]]]:
        rows = self._db.execute(
            """select p.oid::regprocedure::text, coalesce(p.proargnames[1:p.pronargs], '{}'),
                      array(select format_type(t, null) from unnest(p.proargtypes) t)
               from pg_proc p where p.pronamespace = 'public'::regnamespace and p.prokind = 'f'
                 and p.prorettype <> 'trigger'::regtype order by 1"""
        ).fetchall()
        return [(signature, list(zip(names, kinds, strict=True))) for signature, names, kinds in rows]

    def _has_column_privilege(self, table: str, column: str, privilege: str) -> bool:
        return bool(
            self._scalar("select has_column_privilege('authenticated', %s, %s, %s)", table, column, privilege)
        )

    def _column(self, query: str, *arguments: object) -> list[str]:
        return [row[0] for row in self._db.execute(query, arguments).fetchall()]  # type: ignore[call-overload]

    def _scalar(self, query: str, *arguments: object) -> object:
        row = self._db.execute(query, arguments).fetchone()  # type: ignore[call-overload]
        return row[0] if row else None


def leaks(db: psycopg.Connection, owner: Belongings, stranger: Person, about: str | None = None) -> set[str]:
    """Everything of `owner` that a signed-in stranger or a visitor gets at; empty when there is nothing.

    `about` limits the search to the tables, references, functions and files that this text names.
    """
    return Prober(db, stranger, owner).prepare().leaks(about) | Prober(db, None, owner).prepare().leaks(about)
