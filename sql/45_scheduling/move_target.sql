-- move_target(target, at, revision, whole_post, key) -> post_targets
-- Why:     dragging in a calendar is one call: it knows what the person saw (revision), takes the rest of the post along
--          if wanted, and keeps the zone that the targets were given.
-- Caller:  authenticated, for its own targets. DEFINER body: people may not change state or queue.
-- Errors:  NX001, NX11x account. NX003 key used otherwise. NX402 target. NX410, NX411, NX412, NX414 as in schedule.sql.
--          NX421 its state does not allow that, or a worker has it. NX454 it is no longer what the person saw.
-- Repeat:  safe: with a key, or where the target already is where it was dragged to.
-- Locks:   key, post, connections (shared), queue rows, targets, target_local_times.

create function private.check_revision(p_target public.post_targets, p_revision int) returns void
language plpgsql volatile security invoker set search_path = '' as $$
begin
  if p_target.revision <> p_revision then
    perform private.fail('NX454', p_detail := p_target.revision::text);
  elsif p_target.state not in ('draft', 'scheduled', 'cancelled', 'failed', 'missed') then
    perform private.fail('NX421', p_detail := p_target.state::text);
  end if;
end;
$$;
comment on function private.check_revision(public.post_targets, int) is
  'NX454 unless the target is as the person saw it; NULL does not ask. NX421 unless it can be given a time.';

-- The local time is that of the new instant in the zone which the target was given.
create function private.move_one(p_target_id uuid, p_at timestamptz, p_now timestamptz) returns boolean
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_zone text := (select l.time_zone from public.target_local_times l where l.target_id = p_target_id);
begin
  if private.put_on_schedule(array[p_target_id], p_at, p_now) = '{}' then
    return false;
  elsif v_zone is not null then
    perform private.note_local_times(array[p_target_id], v_zone, null);
  end if;
  return true;
end;
$$;
comment on function private.move_one(uuid, timestamptz, timestamptz) is 'Moves a target; false: a worker has it.';

create function private.move_target(
  p_target_id uuid, p_at timestamptz, p_revision int default null, p_whole_post boolean default false,
  p_idempotency_key uuid default null, p_now timestamptz default now()
) returns setof public.post_targets
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_user uuid := private.require_person();
  v_request jsonb := jsonb_build_object('target_id', p_target_id, 'at', extract(epoch from p_at),
                                        'revision', p_revision, 'whole_post', p_whole_post);
  v_answer jsonb := private.idempotent_response(v_user, 'move_target', p_idempotency_key, v_request, p_now);
  v_target public.post_targets := private.require_target(v_user, p_target_id);
  v_other record;
  v_ids uuid[] := array[p_target_id];
begin
  if v_answer is not null then
    return query select * from private.own_targets(v_user, array(select jsonb_array_elements_text(v_answer)::uuid));
    return;
  end if;
  perform private.lock_post(v_user, v_target.post_id);
  v_target := private.require_target(v_user, p_target_id);
  if not (v_target.state = 'scheduled' and v_target.scheduled_at = p_at) then
    perform private.check_revision(v_target, p_revision);
    if not private.move_one(p_target_id, p_at, p_now) then
      perform private.fail('NX421', p_detail := 'publishing');
    end if;
    for v_other in
      select t.id, t.scheduled_at + (p_at - v_target.scheduled_at) as at from public.post_targets t
      where p_whole_post and t.post_id = v_target.post_id and t.id <> p_target_id and t.state = 'scheduled'
        and v_target.state = 'scheduled' order by t.id
    loop
      if not private.move_one(v_other.id, v_other.at, p_now) then
        perform private.fail('NX421', p_detail := 'publishing');
      end if;
      v_ids := v_ids || v_other.id;
    end loop;
  end if;
  perform private.remember_response(v_user, 'move_target', p_idempotency_key, v_request, to_jsonb(v_ids), p_now);
  return query select * from private.own_targets(v_user, v_ids);
end;
$$;
comment on function private.move_target(uuid, timestamptz, int, boolean, uuid, timestamptz) is 'Body of move_target().';

create function public.move_target(
  p_target_id uuid, p_at timestamptz, p_revision int default null, p_whole_post boolean default false,
  p_idempotency_key uuid default null
) returns setof public.post_targets
language sql volatile security invoker set search_path = '' as $$
  select * from private.move_target(p_target_id, p_at, p_revision, p_whole_post, p_idempotency_key)
$$;
comment on function public.move_target(uuid, timestamptz, int, boolean, uuid) is
  'Gives a target another time. p_revision: what the person saw; NX454 if it has changed since. p_whole_post: the other '
  'scheduled accounts of the post move by the same amount. Returns what moved.';

insert into private.definer_ledger (function_name, reason) values
  ('private.move_target', 'Changes state and queue, which people cannot change directly.');
