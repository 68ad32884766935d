-- private.audit_events, private.audit(action, subject_kind, subject_id, details)
-- Why:     who did what to what, provable later. Ids, field names and codes only: an erasure request must be able to
--          leave it standing, and a leak of it must tell nothing that a person wrote (P1.11).
-- Caller:  bodies in schema private and triggers.
-- Errors:  23514 details are not of that kind. NX020 a row was to be changed.
-- Repeat:  each call writes a row.

create table private.audit_events (
  id uuid not null default gen_random_uuid(),
  at timestamptz not null,
  actor uuid,
  actor_kind text not null,
  action text not null,
  subject_kind text not null,
  subject_id uuid,
  details jsonb not null default '{}',
  primary key (id, at),
  constraint actor_kind_is_known check (actor_kind in ('person', 'worker', 'system')),
  constraint only_a_person_is_named check (actor is null or actor_kind = 'person'),
  constraint action_is_snake_case check (action ~ '^[a-z][a-z0-9_]{2,62}$'),
  constraint subject_kind_is_snake_case check (subject_kind ~ '^[a-z][a-z0-9_]{1,62}$'),
  constraint details_hold_no_content check (
    jsonb_typeof(details) = 'object' and pg_column_size(details) <= 2000
    and not jsonb_path_exists(
      details, '$.** ? (@.type() == "string" && !(@ like_regex "^[A-Za-z0-9_.:+-]{0,64}$"))'))
) partition by range (at);
create index audit_events_subject_idx on private.audit_events (subject_id, at) where subject_id is not null;
create index audit_events_actor_idx on private.audit_events (actor, at) where actor is not null;

comment on table private.audit_events is 'Append-only record of actions: ids, field names and codes, never contents.';
comment on column private.audit_events.actor is 'The person who acted; NULL for workers, the system and the erased.';
comment on column private.audit_events.details is
  'Strings in it are ids, field names, codes or times: no blanks, no @, at most 64 characters.';

-- The `role` setting survives SECURITY DEFINER, so it still tells on whose behalf a body runs.
create function private.audit(
  p_action text, p_subject_kind text, p_subject_id uuid, p_details jsonb default '{}', p_now timestamptz default now()
) returns void
language sql volatile security invoker set search_path = '' as $$
  insert into private.audit_events (at, actor, actor_kind, action, subject_kind, subject_id, details)
  select p_now, caller.person,
         case when caller.person is not null then 'person'
              when current_setting('role', true) = 'service_role' then 'worker' else 'system' end,
         p_action, p_subject_kind, p_subject_id, coalesce(p_details, '{}')
  from (select case when current_setting('role', true) = 'authenticated' then auth.uid() end as person) caller
$$;
comment on function private.audit(text, text, uuid, jsonb, timestamptz) is
  'Writes one audit row; the actor follows from the role that called.';

create function private.tg_audit_events__append_only() returns trigger
language plpgsql volatile security invoker set search_path = '' as $$
begin
  if to_jsonb(new) - 'actor' - 'subject_id' <> to_jsonb(old) - 'actor' - 'subject_id'
     or coalesce(new.actor, old.actor) is distinct from old.actor
     or coalesce(new.subject_id, old.subject_id) is distinct from old.subject_id then
    perform private.fail('NX020');
  end if;
  return new;
end;
$$;
comment on function private.tg_audit_events__append_only() is
  'BEFORE UPDATE: the only change is that an erasure takes out whom or what a row is about (P7.3).';
create trigger _100_append_only before update on private.audit_events
  for each row execute function private.tg_audit_events__append_only();

insert into private.partitioned_tables (table_name, retention) values ('private.audit_events', '13 months');
select private.ensure_partitions();
