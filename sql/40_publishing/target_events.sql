-- public.target_events
-- Why:     the history of every target, append-only: what happened, when, in which attempt, with which code.
-- Caller:  the statement trigger on post_targets writes; people read their own.
-- Errors:  NX400 the change of state is not in private.target_transitions.
-- Speed:   one insert per statement, however many rows; no foreign keys, which would be checked row by row. The trigger of
--          content_guards.sql deletes events together with their target. Plan settings: two transition tables have no
--          statistics, and the caller may have turned hash joins off.

create table public.target_events (
  -- No sequence: its numbers would tell everybody how much everybody else publishes.
  id bigint not null default (extract(epoch from clock_timestamp()) * 1000000)::bigint,
  target_id uuid not null,
  user_id uuid not null,
  at timestamptz not null,
  from_state public.target_state not null,
  to_state public.target_state not null,
  code text,
  attempt int not null,
  primary key (user_id, target_id, at, id)
) partition by range (at);
comment on table public.target_events is
  'Every change of state of every target, and every attempt that changed nothing. Append-only.';
comment on column public.target_events.id is 'Microsecond of writing: the order of events at the same instant.';
comment on column public.target_events.target_id is 'The target; history goes when it is deleted.';
comment on column public.target_events.at is 'When it changed.';
comment on column public.target_events.from_state is 'The state before.';
comment on column public.target_events.to_state is 'The state after; the same where an attempt is to be followed by another.';
comment on column public.target_events.code is 'Why, where there is more to say: an NX code or the platform''s own.';
comment on column public.target_events.attempt is 'The attempt that it belongs to; 0 before the first.';

insert into private.partitioned_tables (table_name) values ('public.target_events');
select private.ensure_partitions();

create function private.tg_post_targets__record_transitions() returns trigger
language plpgsql volatile security definer
set search_path = '' set enable_hashjoin = on set enable_nestloop = off set enable_mergejoin = off set jit = off as $$
declare
  -- One for the statement, which changes each target once.
  v_id bigint := (extract(epoch from clock_timestamp()) * 1000000)::bigint;
begin
  insert into public.target_events (id, target_id, user_id, at, from_state, to_state, code, attempt)
  select v_id, n.id, n.user_id, n.updated_at, case when n.state = o.state or t.from_state is not null then o.state
                                                     else private.refuse_transition(o.state, n.state) end,
         n.state, n.failure_code, n.attempt
  from new_rows n
  join old_rows o on o.id = n.id
  left join private.target_transitions t on t.from_state = o.state and t.to_state = n.state
  where n.state <> o.state or n.attempt > o.attempt and n.failure_code is not null;
  return null;
end;
$$;
comment on function private.tg_post_targets__record_transitions() is
  'AFTER UPDATE: refuses unlawful changes of state, writes one event for each lawful one and for each attempt that changed '
  'nothing.';
create trigger _300_record_transitions after update on public.post_targets
  referencing old table as old_rows new table as new_rows for each statement
  execute function private.tg_post_targets__record_transitions();

insert into private.definer_ledger (function_name, reason) values
  ('private.tg_post_targets__record_transitions', 'Writes target_events, which nobody may write directly.');
