-- next_free_slot(connection, after), list_slots(connection, from, to), add_to_queue(post, after, key)
-- Why:     "next free slot", without two posts ever landing in the same one.
-- How:     a slot is taken while a target of the account has exactly its instant and is scheduled, on its way or out. So
--          moving or cancelling a target frees its slot with nothing else to keep in step.
-- Caller:  authenticated, for its own accounts and posts.
-- Errors:  NX001, NX11x account. NX002 period. NX204 connection. NX451 no slots. NX452 none free. Else as schedule_post().
-- Repeat:  add_to_queue: with a key, the targets of the first call as they are now; without, a double click finds the
--          targets scheduled already and returns them.
-- Locks:   key, post, then per account an advisory lock (in order of the accounts' ids), then as schedule_post().

create function private.slot_instants(p_connection_ids uuid[], p_from timestamptz, p_to timestamptz)
returns table (connection_id uuid, user_id uuid, at timestamptz, slot_id uuid, time_zone text, adjusted text)
language sql stable security invoker set search_path = '' as $$
  select distinct on (s.connection_id, i.at) s.connection_id, s.user_id, i.at, s.id, s.time_zone, i.adjusted
  from public.queue_slots s,
    lateral (select (p_from at time zone s.time_zone)::date - 1 as day) begins,
    generate_series((s.weekday - extract(isodow from begins.day)::int + 7) % 7,
                    (p_to at time zone s.time_zone)::date + 1 - begins.day, 7) days,
    private.local_instant(begins.day + days + s.local_time, s.time_zone) i
  where s.connection_id = any (p_connection_ids) and i.at > p_from and i.at <= p_to
  order by s.connection_id, i.at, s.id
$$;
comment on function private.slot_instants(uuid[], timestamptz, timestamptz) is
  'Instants of the weekly slots in (from, to]; two slots that come to the same instant are one.';

create function private.slot_occupant(p_user uuid, p_connection_id uuid, p_at timestamptz) returns uuid
language sql stable security invoker set search_path = '' as $$
  select t.id from public.post_targets t
  where t.user_id = p_user and t.scheduled_at = p_at and t.connection_id = p_connection_id
    and t.state in ('scheduled', 'publishing', 'published', 'unconfirmed')
  order by t.id limit 1
$$;
comment on function private.slot_occupant(uuid, uuid, timestamptz) is 'The target that has this instant on this account.';

create function private.free_slots(p_connection_id uuid, p_after timestamptz, p_count int)
returns table (at timestamptz, slot_id uuid, time_zone text, adjusted text)
language plpgsql stable security invoker set search_path = '' as $$
declare
  v_from timestamptz := p_after;
  v_end timestamptz := p_after + make_interval(days => private.setting_int('queue_horizon_days'));
  v_to timestamptz;
  v_left int := p_count;
  v_found int;
begin
  while v_left > 0 and v_from < v_end loop
    v_to := least(v_from + interval '28 days', v_end);
    return query
      select s.at, s.slot_id, s.time_zone, s.adjusted
      from private.slot_instants(array[p_connection_id], v_from, v_to) s
      where private.slot_occupant(s.user_id, p_connection_id, s.at) is null
      order by s.at limit v_left;
    get diagnostics v_found = row_count;
    v_left := v_left - v_found;
    v_from := v_to;
  end loop;
end;
$$;
comment on function private.free_slots(uuid, timestamptz, int) is 'The next free slots of an account, earliest first.';

-- Held until the commit: whoever takes slots of an account sees what the one before took.
create function private.lock_slots(p_connection_ids uuid[]) returns void
language sql volatile security invoker set search_path = '' as $$
  select pg_advisory_xact_lock(hashtextextended('private.lock_slots:' || c, 0))
  from (select distinct c from unnest(p_connection_ids) c order by c) ordered
$$;
comment on function private.lock_slots(uuid[]) is 'One at a time per account, in one order for everybody.';

-- After lock_slots(), in a statement of its own, so that its snapshot is newer than the lock.
create function private.take_slots(p_connection_id uuid, p_after timestamptz, p_count int)
returns table (at timestamptz, slot_id uuid, time_zone text, adjusted text)
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_found int;
begin
  return query select * from private.free_slots(p_connection_id, p_after, p_count);
  get diagnostics v_found = row_count;
  if v_found < p_count then
    perform private.fail(
      case when exists (select from public.queue_slots s where s.connection_id = p_connection_id) then 'NX452' else 'NX451' end,
      p_detail := p_connection_id::text);
  end if;
end;
$$;
comment on function private.take_slots(uuid, timestamptz, int) is 'As many free slots as asked for, or NX451, NX452.';

create function private.require_connection(p_user uuid, p_connection_id uuid) returns void
language plpgsql volatile security invoker set search_path = '' as $$
begin
  if not exists (select from public.connections c where c.id = p_connection_id and c.user_id = p_user) then
    perform private.fail('NX204');
  end if;
end;
$$;
comment on function private.require_connection(uuid, uuid) is 'NX204 unless the account is the person''s.';

create function private.next_free_slot(
  p_connection_id uuid, p_after timestamptz default null, p_now timestamptz default now()
) returns table (at timestamptz, slot_id uuid, time_zone text, adjusted text)
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform private.require_connection(private.require_person(), p_connection_id);
  return query select * from private.free_slots(p_connection_id, greatest(p_after, p_now), 1);
end;
$$;
comment on function private.next_free_slot(uuid, timestamptz, timestamptz) is 'Body of next_free_slot().';

create function private.list_slots(p_connection_id uuid, p_from timestamptz, p_to timestamptz)
returns table (at timestamptz, slot_id uuid, time_zone text, adjusted text, target_id uuid)
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_user uuid := private.require_person();
begin
  perform private.require_connection(v_user, p_connection_id);
  if (p_to - p_from between interval '0' and interval '400 days') is not true then
    perform private.fail('NX002', p_detail := 'p_from, p_to');
  end if;
  return query
    select s.at, s.slot_id, s.time_zone, s.adjusted, private.slot_occupant(v_user, p_connection_id, s.at)
    from private.slot_instants(array[p_connection_id], p_from, p_to) s order by s.at;
end;
$$;
comment on function private.list_slots(uuid, timestamptz, timestamptz) is 'Body of list_slots().';

create function private.fill_next_slots(p_target_ids uuid[], p_after timestamptz, p_now timestamptz) returns uuid[]
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_target record;
  v_slot record;
  v_done uuid[] := '{}'::uuid[];
begin
  perform private.lock_slots(array(select t.connection_id from public.post_targets t where t.id = any (p_target_ids)));
  for v_target in
    select t.id, t.connection_id from public.post_targets t where t.id = any (p_target_ids) order by t.connection_id
  loop
    select * into v_slot from private.take_slots(v_target.connection_id, greatest(p_after, p_now), 1);
    v_done := v_done || private.put_on_schedule(array[v_target.id], v_slot.at, p_now);
    perform private.note_local_times(array[v_target.id], v_slot.time_zone, v_slot.adjusted);
  end loop;
  return v_done;
end;
$$;
comment on function private.fill_next_slots(uuid[], timestamptz, timestamptz) is
  'Gives each target the next free slot of its account; returns the targets. The caller holds the post.';

create function private.add_to_queue(
  p_post_id uuid, p_after timestamptz default null, p_idempotency_key uuid default null, p_now timestamptz default now()
) returns setof public.post_targets
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_user uuid := private.require_person();
  v_request jsonb := jsonb_build_object('post_id', p_post_id, 'after', extract(epoch from p_after));
  v_answer jsonb := private.idempotent_response(v_user, 'add_to_queue', p_idempotency_key, v_request, p_now);
  v_ids uuid[];
begin
  if v_answer is not null then
    return query select * from private.own_targets(v_user, array(select jsonb_array_elements_text(v_answer)::uuid));
    return;
  end if;
  perform private.lock_post(v_user, p_post_id);
  v_ids := array(select t.id from public.post_targets t
                 where t.post_id = p_post_id and t.state in ('draft', 'cancelled', 'failed', 'missed'));
  if v_ids = '{}' then
    v_ids := array(select t.id from public.post_targets t
                   where t.post_id = p_post_id and t.state in ('scheduled', 'publishing'));
  else
    v_ids := private.fill_next_slots(v_ids, p_after, p_now);
  end if;
  if v_ids = '{}' then
    perform private.fail('NX413');
  end if;
  perform private.remember_response(v_user, 'add_to_queue', p_idempotency_key, v_request, to_jsonb(v_ids), p_now);
  return query select * from private.own_targets(v_user, v_ids);
end;
$$;
comment on function private.add_to_queue(uuid, timestamptz, uuid, timestamptz) is 'Body of add_to_queue().';

create function public.next_free_slot(p_connection_id uuid, p_after timestamptz default null)
returns table (at timestamptz, slot_id uuid, time_zone text, adjusted text)
language sql volatile security invoker set search_path = '' as $$
  select * from private.next_free_slot(p_connection_id, p_after)
$$;
comment on function public.next_free_slot(uuid, timestamptz) is
  'The next weekly slot of an account that no post has yet; no row: none within a year. A look, not a reservation.';

create function public.list_slots(p_connection_id uuid, p_from timestamptz, p_to timestamptz)
returns table (at timestamptz, slot_id uuid, time_zone text, adjusted text, target_id uuid)
language sql volatile security invoker set search_path = '' as $$
  select * from private.list_slots(p_connection_id, p_from, p_to)
$$;
comment on function public.list_slots(uuid, timestamptz, timestamptz) is
  'The weekly slots of an account as instants in a period of at most 400 days, with the target that has each; NULL: free.';

create function public.add_to_queue(p_post_id uuid, p_after timestamptz default null, p_idempotency_key uuid default null)
returns setof public.post_targets
language sql volatile security invoker set search_path = '' as $$
  select * from private.add_to_queue(p_post_id, p_after, p_idempotency_key)
$$;
comment on function public.add_to_queue(uuid, timestamptz, uuid) is
  'Schedules every account of the post into its own next free slot, after p_after if given.';

insert into private.definer_ledger (function_name, reason) values
  ('private.next_free_slot', 'Uses the same search as add_to_queue, in schema private; for the caller''s accounts alone.'),
  ('private.list_slots', 'Uses the same search as add_to_queue, in schema private; for the caller''s accounts alone.'),
  ('private.add_to_queue', 'Changes state and queue, which people cannot change directly.');
