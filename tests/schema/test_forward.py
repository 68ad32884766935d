"""After the freeze a change of the sources becomes one migration that leads exactly there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from workers.schema import baseline, forward, generated_types, sources
from workers.schema.errors import FrozenError, SchemaError
from workers.schema.scratch import Scratch

NOW = datetime(2027, 1, 2, 3, 4, 5, tzinfo=UTC)

PLANTED_SQL = """-- planted
create type public.planted_kind as enum ('b', 'a');
create table public.planted (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  kind public.planted_kind not null default 'a',
  note text
);
create index planted_user_id_idx on public.planted (user_id);
comment on table public.planted is 'It''s planted.';
create function private.plant_it(p_now timestamptz default now()) returns timestamptz
language sql stable security definer set search_path = '' as $$ select p_now $$;
comment on function private.plant_it(timestamptz) is 'Planted.';
insert into private.definer_ledger (function_name, reason) values ('private.plant_it', 'planted for a test');
create table private.planted_log (at timestamptz not null, id uuid not null, note text, primary key (at, id))
  partition by range (at);
insert into private.partitioned_tables (table_name, retention) values ('private.planted_log',
  interval '90 days');
select private.ensure_partitions();
create trigger _999_planted after insert on auth.users
  for each row execute function private.tg_touch_updated_at();
update private.settings set value = '46' where key = 'lease_seconds';
delete from private.error_registry where code = 'NX000';
insert into storage.buckets (id, name, public) values ('planted', 'planted', false);
"""
PLANTED_POLICIES = """-- who
alter table public.planted enable row level security;
revoke all on public.planted from anon, authenticated, service_role;
grant select, insert (note), update (note) on public.planted to authenticated;
create policy planted_select_owner on public.planted for select to authenticated
  using (user_id = (select auth.uid()));
alter table private.planted_log enable row level security;
revoke all on private.planted_log from anon, authenticated, service_role;
grant execute on function private.plant_it(timestamptz) to authenticated;
create policy planted_select_owner on storage.objects for select to authenticated
  using (bucket_id = 'planted' and (storage.foldername(name))[1] = (select auth.uid())::text);
"""


def _plant(tree: Path) -> None:
    """Adds a file to the last context that holds something."""
    build = tree / "sql/build.sql"
    context = _last_context(tree)
    (tree / "policies" / context).mkdir(exist_ok=True)
    (tree / f"sql/{context}/planted.sql").write_text(PLANTED_SQL)
    (tree / f"policies/{context}/planted.sql").write_text(PLANTED_POLICIES)
    lines = build.read_text().splitlines()
    last_sql = max(n for n, line in enumerate(lines) if line.startswith(f"\\ir {context}/"))
    last_policy = max(n for n, line in enumerate(lines) if line.startswith(f"\\ir ../policies/{context}/"))
    lines.insert(last_policy + 1, f"\\ir ../policies/{context}/planted.sql")
    lines.insert(last_sql + 1, f"\\ir {context}/planted.sql")
    build.write_text("\n".join(lines) + "\n")


def _last_context(tree: Path) -> str:
    """The last one before the seal."""
    return sorted(path.name for path in (tree / "sql").iterdir() if path.is_dir())[-2]


def test_the_migration_leads_to_the_sources(
    tree: Path, scratch: Scratch, faults_of: Callable[[Path], dict[str, tuple[str, ...]]]
) -> None:
    baseline.freeze(tree)
    _plant(tree)
    draft = forward.draft(tree, scratch, "plant_something", NOW)
    assert draft is not None
    assert draft.open_ends == ()
    assert draft.file_name == "20270102030405_plant_something.sql"
    assert draft.text.startswith("-- Plant something.\n")
    assert "planted_log_y" not in draft.text, (
        "monthly partitions follow from the calendar, not from a migration"
    )
    assert "MAINTAIN" not in draft.text, "unknown to Postgres 15"
    assert draft.text.endswith("select private.seal_guards();\n"), "what it brings is under the seal"
    assert "private.guards" not in draft.text
    forward.write(tree, draft)
    generated_types.write(tree, scratch.from_migrations(tree))
    assert faults_of(tree) == {}
    assert forward.draft(tree, scratch, "nothing", NOW + timedelta(seconds=1)) is None


def test_a_change_back_is_a_migration_as_well_and_says_what_it_deletes(tree: Path, scratch: Scratch) -> None:
    _plant(tree)
    contexts_before = baseline.existing(tree)
    baseline.write(tree, sources.load(tree))
    assert baseline.existing(tree) != contexts_before
    baseline.freeze(tree)
    context = _last_context(tree)
    path = tree / f"sql/{context}/planted.sql"
    path.write_text(path.read_text().replace(",\n  note text\n);\ncreate index", "\n);\ncreate index"))
    policies = tree / f"policies/{context}/planted.sql"
    policies.write_text(policies.read_text().replace("select, insert (note), update (note)", "delete"))
    draft = forward.draft(tree, scratch, "forget_notes", NOW)
    assert draft is not None
    assert draft.open_ends == ()
    assert "revoke all on table public.planted from authenticated;" in draft.text
    assert "grant delete on table public.planted to authenticated;" in draft.text
    assert len(draft.losses) == 1
    assert 'DROP COLUMN "note"' in draft.losses[0]


def test_what_it_cannot_reach_is_said(tree: Path, scratch: Scratch) -> None:
    baseline.freeze(tree)
    _plant(tree)
    context = _last_context(tree)
    path = tree / f"sql/{context}/planted.sql"
    path.write_text(
        path.read_text()
        + "\ncreate statistics private.planted_statistics on kind, note from public.planted;\n"
    )
    draft = forward.draft(tree, scratch, "plant_statistics", NOW)
    assert draft is not None
    assert len(draft.open_ends) == 1
    assert "statistics" in draft.open_ends[0]


@pytest.mark.parametrize("name", ["", "Add", "a-b", "../x", "1st"])
def test_a_name_is_snake_case(tree: Path, scratch: Scratch, name: str) -> None:
    baseline.freeze(tree)
    with pytest.raises(SchemaError, match="snake_case"):
        forward.draft(tree, scratch, name, NOW)


def test_a_version_before_the_newest_is_refused(tree: Path, scratch: Scratch) -> None:
    baseline.freeze(tree)
    with pytest.raises(FrozenError, match="clock"):
        forward.draft(tree, scratch, "early", datetime(2020, 1, 1, tzinfo=UTC))


def test_a_changed_frozen_file_stops_it(tree: Path, scratch: Scratch) -> None:
    baseline.freeze(tree)
    path = tree / baseline.MIGRATIONS / min(baseline.existing(tree))
    path.write_text(path.read_text() + "-- later\n")
    with pytest.raises(FrozenError, match="frozen, but changed"):
        forward.draft(tree, scratch, "next", NOW)
