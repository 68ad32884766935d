-- schedule_post_local(post, local, zone, ambiguity, key), reschedule_target_local(target, local, zone, ambiguity, key)
-- Why:     scheduling as people say it: this day, this time, in this place. See local_time.sql for what is defined.
-- Caller:  authenticated, for its own posts. DEFINER bodies: people may not change state or queue.
-- Errors:  NX001, NX11x account. NX002 time or choice. NX450 zone. Else as schedule_post() and reschedule_target().
-- Repeat:  as schedule_post() and reschedule_target(): the same local time is the same request.
-- Locks:   as those, then target_local_times.

create function private.local_times_of(p_user uuid, p_target_ids uuid[]) returns setof public.target_local_times
language sql stable security invoker set search_path = '' as $$
  select l.* from public.target_local_times l
  where l.target_id = any (p_target_ids) and l.user_id = p_user order by l.target_id
$$;
comment on function private.local_times_of(uuid, uuid[]) is 'Rows to answer with.';

create function private.schedule_post_local(
  p_post_id uuid, p_local timestamp, p_time_zone text, p_ambiguity text default 'earlier',
  p_idempotency_key uuid default null, p_now timestamptz default now()
) returns setof public.target_local_times
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_user uuid := private.require_person();
  v_at timestamptz;
  v_adjusted text;
  v_ids uuid[];
begin
  select r.at, r.adjusted into v_at, v_adjusted from private.require_instant(p_local, p_time_zone, p_ambiguity) r;
  v_ids := array(select t.id from private.schedule_post(p_post_id, v_at, p_idempotency_key, p_now) t
                 where t.scheduled_at = v_at);  -- a repeat with a key also answers with what has moved on since
  perform private.note_local_times(v_ids, p_time_zone, v_adjusted);
  return query select * from private.local_times_of(v_user, v_ids);
end;
$$;
comment on function private.schedule_post_local(uuid, timestamp, text, text, uuid, timestamptz) is
  'Body of schedule_post_local().';

create function private.reschedule_target_local(
  p_target_id uuid, p_local timestamp, p_time_zone text, p_ambiguity text default 'earlier',
  p_idempotency_key uuid default null, p_now timestamptz default now()
) returns setof public.target_local_times
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_user uuid := private.require_person();
  v_at timestamptz;
  v_adjusted text;
  v_target public.post_targets;
begin
  select r.at, r.adjusted into v_at, v_adjusted from private.require_instant(p_local, p_time_zone, p_ambiguity) r;
  v_target := private.reschedule_target(p_target_id, v_at, p_idempotency_key, p_now);
  if v_target.scheduled_at = v_at then
    perform private.note_local_times(array[p_target_id], p_time_zone, v_adjusted);
  end if;
  return query select * from private.local_times_of(v_user, array[p_target_id]);
end;
$$;
comment on function private.reschedule_target_local(uuid, timestamp, text, text, uuid, timestamptz) is
  'Body of reschedule_target_local().';

create function public.schedule_post_local(
  p_post_id uuid, p_local timestamp, p_time_zone text, p_ambiguity text default 'earlier',
  p_idempotency_key uuid default null
) returns setof public.target_local_times
language sql volatile security invoker set search_path = '' as $$
  select * from private.schedule_post_local(p_post_id, p_local, p_time_zone, p_ambiguity, p_idempotency_key)
$$;
comment on function public.schedule_post_local(uuid, timestamp, text, text, uuid) is
  'Schedules as schedule_post() does, at a local time of an IANA zone; the rows say what became of it (adjusted).';

create function public.reschedule_target_local(
  p_target_id uuid, p_local timestamp, p_time_zone text, p_ambiguity text default 'earlier',
  p_idempotency_key uuid default null
) returns setof public.target_local_times
language sql volatile security invoker set search_path = '' as $$
  select * from private.reschedule_target_local(p_target_id, p_local, p_time_zone, p_ambiguity, p_idempotency_key)
$$;
comment on function public.reschedule_target_local(uuid, timestamp, text, text, uuid) is
  'Gives one account of a post another local time, or a first one; the row says what became of it (adjusted).';

insert into private.definer_ledger (function_name, reason) values
  ('private.schedule_post_local', 'Changes state and queue, which people cannot change directly.'),
  ('private.reschedule_target_local', 'Changes state and queue, which people cannot change directly.');
