-- public.target_state, private.target_transitions
-- Why:     what can happen to a target is a table, not a habit: a statement trigger refuses every other change (NX400).
-- Caller:  private.tg_post_targets__record_transitions().
-- Repeat:  no; reference rows are loaded once by the migration.

create type public.target_state as enum (
  'draft', 'scheduled', 'publishing', 'published', 'failed', 'unconfirmed', 'missed', 'cancelled');
comment on type public.target_state is
  'draft: not scheduled. scheduled: waits for its time, or goes out at this moment. publishing: a worker is at it for longer, '
  'or asks the platform what became of it. published: it is on the platform. '
  'failed: it is not there, and why is in failure_code. unconfirmed: the platform does not say; the person decides. '
  'missed: its time window passed. cancelled: the person took it back.';

create table private.target_transitions (
  from_state public.target_state not null,
  to_state public.target_state not null,
  meaning text not null,
  primary key (from_state, to_state),
  constraint changes_something check (from_state <> to_state)
);
comment on table private.target_transitions is 'Every change of state that a target can go through.';

insert into private.target_transitions (from_state, to_state, meaning) values
  ('draft', 'scheduled', 'The person scheduled it.'),
  ('cancelled', 'scheduled', 'The person scheduled it again.'),
  ('failed', 'scheduled', 'The person retries.'),
  ('missed', 'scheduled', 'The person retries.'),
  ('scheduled', 'publishing', 'A worker uploads it, or it was sent and the platform has not said yet what became of it.'),
  ('scheduled', 'published', 'The platform accepted it.'),
  ('scheduled', 'cancelled', 'The person took it back.'),
  ('scheduled', 'failed', 'The platform refused it, all tries are used up, or its account or a rule does not allow it any more.'),
  ('scheduled', 'unconfirmed', 'It was sent, and the platform does not say what became of it.'),
  ('scheduled', 'missed', 'Its time window passed before it was sent.'),
  ('publishing', 'published', 'The platform accepted it.'),
  ('publishing', 'scheduled', 'The platform certainly did not accept it, or the worker gave it back; it will be tried again.'),
  ('publishing', 'failed', 'The platform refused it, or its account is gone, or all tries are used up.'),
  ('publishing', 'missed', 'Its time window passed before it was sent.'),
  ('publishing', 'unconfirmed', 'It was sent, and the platform does not say what became of it.'),
  ('publishing', 'cancelled', 'The person took it back before it was sent.'),
  ('unconfirmed', 'published', 'The person found it on the platform, or a late report says so.'),
  ('unconfirmed', 'failed', 'The person did not find it on the platform.'),
  ('failed', 'published', 'A late report says that an earlier attempt succeeded.'),
  ('missed', 'published', 'A late report says that an earlier attempt succeeded.'),
  ('cancelled', 'published', 'A late report says that an earlier attempt succeeded.');

-- Volatile: it raises. It has a result so that it can stand in a column of the insert that found the row.
create function private.refuse_transition(p_from public.target_state, p_to public.target_state)
returns public.target_state
language plpgsql volatile security invoker set search_path = '' as $$
begin
  perform private.fail('NX400', p_detail := format('%s to %s', p_from, p_to));
  return null;
end;
$$;
comment on function private.refuse_transition(public.target_state, public.target_state) is 'Raises NX400.';
