-- schedule_post(post, at, key), publish_now(post, key) -> post_targets
-- Why:     a post goes on schedule only if every rule that is known now is kept; then the database owns it.
-- Caller:  authenticated, for its own posts. DEFINER bodies: people may not change state or queue.
-- Errors:  NX001, NX11x account. NX003 key used otherwise. NX401 post. NX410 rules, with the problems as JSON in DETAIL.
--          NX411 time. NX412 account not connected, or publishing not granted (P6.5). NX413 nothing to schedule.
--          NX414 platform.
-- Repeat:  with a key: the targets of the first call as they are now. Without: a double click finds the targets on their
--          way already and returns them.
-- Locks:   key, post, connections (shared), queue rows, targets.

create function private.lock_post(p_user uuid, p_post_id uuid) returns void
language plpgsql volatile security invoker set search_path = '' as $$
begin
  perform from public.posts where id = p_post_id and user_id = p_user for no key update;
  if not found then
    perform private.fail('NX401');
  end if;
end;
$$;
comment on function private.lock_post(uuid, uuid) is 'Holds a post still, so that its text is the one that was checked; NX401.';

create function private.check_instant(p_at timestamptz, p_now timestamptz) returns void
language plpgsql volatile security invoker set search_path = '' as $$
begin
  if p_at is null or not isfinite(p_at) or p_at < p_now - interval '1 minute' then
    perform private.fail('NX411');
  end if;
end;
$$;
comment on function private.check_instant(timestamptz, timestamptz) is 'NX411 unless the time is in the future, or nearly.';

-- P6.5. The connections are locked shared: nobody disconnects them between this check and the commit.
create function private.check_connections(p_target_ids uuid[]) returns void
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_refused jsonb;
begin
  perform from public.connections c
    where c.id in (select t.connection_id from public.post_targets t where t.id = any (p_target_ids))
    order by c.id for share;
  select jsonb_agg(t.id order by t.id) into v_refused
    from public.post_targets t join public.platforms p on p.id = t.platform_id
    where t.id = any (p_target_ids) and not p.is_publishable;
  if v_refused is not null then
    perform private.fail('NX414', p_detail := v_refused::text);
  end if;
  select jsonb_agg(jsonb_build_object('target_id', t.id, 'connection_id', c.id, 'connection_state', c.state) order by t.id)
    into v_refused
    from public.post_targets t join public.connections c on c.id = t.connection_id
    where t.id = any (p_target_ids)
      and (c.state <> 'active' or not c.scopes @> private.required_scopes(c.platform_id, array['publish']));
  if v_refused is not null then
    perform private.fail('NX412', p_detail := v_refused::text);
  end if;
end;
$$;
comment on function private.check_connections(uuid[]) is 'NX412 or NX414 unless every account can be published to.';

create function private.check_problems_at(p_target_ids uuid[], p_at timestamptz, p_now timestamptz) returns void
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_problems jsonb;
begin
  select jsonb_agg(jsonb_build_object('target_id', t.id, 'rule', x.rule, 'severity', x.severity,
           'limit_value', x.limit_value, 'measured', x.measured, 'message', x.message) order by t.id, x.rule)
    into v_problems
    from unnest(p_target_ids) t (id), private.target_problems(t.id, p_at, p_now) x where x.severity = 'error';
  if v_problems is not null then
    perform private.fail('NX410', p_detail := v_problems::text);
  end if;
end;
$$;
comment on function private.check_problems_at(uuid[], timestamptz, timestamptz) is
  'NX410 with all problems that the targets would have at p_at (NULL: at their own times).';

create function private.check_problems(p_target_ids uuid[], p_now timestamptz) returns void
language sql volatile security invoker set search_path = '' as $$
  select private.check_problems_at(p_target_ids, null, p_now)
$$;
comment on function private.check_problems(uuid[], timestamptz) is
  'NX410 with all problems unless every target has none at its own time.';

-- Which of the targets can be put on schedule, locked: those that wait for nothing, and scheduled ones that no worker has.
create function private.lock_schedulable(p_target_ids uuid[]) returns uuid[]
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_queued uuid[];
begin
  if cardinality(p_target_ids) = 1 then
    perform from private.queue where lane = 'publish' and subject_id = p_target_ids[1] for update;
  end if;
  v_queued := array(
    select q.subject_id from private.queue q
    where q.lane = 'publish' and q.subject_id = any (p_target_ids) and q.worker_id is null and q.sending_at is null
    order by q.subject_id for update skip locked);
  return array(
    select t.id from public.post_targets t
    where t.id = any (p_target_ids)
      and (t.state in ('draft', 'cancelled', 'failed', 'missed')
           or t.state = 'scheduled' and t.id = any (v_queued))
    order by t.id for update);
end;
$$;
comment on function private.lock_schedulable(uuid[]) is 'The targets that can be given a time now, locked in order.';

-- The queue goes on counting: an attempt number is never given out twice. What it counts beyond the target are leases that
-- were lost, which the next claim writes down.
create function private.set_times(p_target_ids uuid[], p_ats timestamptz[], p_now timestamptz) returns void
language sql volatile security invoker set search_path = '' as $$
  with given as materialized (
    select g.id, g.at, q.attempt
    from unnest(p_target_ids, p_ats) g (id, at) left join private.queue q on q.lane = 'publish' and q.subject_id = g.id
  ), timed as (
    update public.post_targets t
    set state = 'scheduled', scheduled_at = g.at, revision = t.revision + 1,
        attempt_base = greatest(t.attempt, g.attempt), failure_code = null, failure_message = null, checked_at = p_now, updated_at = p_now
    from given g where t.id = g.id
    returning t.id, t.attempt, g.at, g.at + t.tolerance as expires_at
  )
  insert into private.queue as q (lane, subject_id, due_at, expires_at, attempt)
    select 'publish', t.id, greatest(t.at, p_now), t.expires_at, t.attempt from timed t
    on conflict (lane, subject_id) do update
      set due_at = excluded.due_at, expires_at = excluded.expires_at,
          attempt = greatest(q.attempt, excluded.attempt), again_at = null, progress = null
$$;
comment on function private.set_times(uuid[], timestamptz[], timestamptz) is
  'Schedules targets, each at its own time, whatever was checked before: the one place that does.';

create function private.put_on_schedule(p_target_ids uuid[], p_at timestamptz, p_now timestamptz) returns uuid[]
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_ids uuid[];
begin
  perform private.check_instant(p_at, p_now);
  perform private.check_connections(p_target_ids);
  v_ids := private.lock_schedulable(p_target_ids);
  perform private.check_problems_at(v_ids, p_at, p_now);
  perform private.set_times(v_ids, array_fill(p_at, array[cardinality(v_ids)]), p_now);
  return v_ids;
end;
$$;
comment on function private.put_on_schedule(uuid[], timestamptz, timestamptz) is
  'Checks the targets and schedules those that can be; returns their ids. The caller holds the post.';

create function private.own_targets(p_user uuid, p_ids uuid[]) returns setof public.post_targets
language sql stable security invoker set search_path = '' as $$
  select t.* from public.post_targets t where t.id = any (p_ids) and t.user_id = p_user order by t.id
$$;
comment on function private.own_targets(uuid, uuid[]) is 'Rows to answer with.';

create function private.schedule_post(
  p_post_id uuid, p_at timestamptz, p_idempotency_key uuid default null, p_now timestamptz default now()
) returns setof public.post_targets
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_user uuid := private.require_person();
  v_request jsonb := jsonb_build_object('post_id', p_post_id, 'at', extract(epoch from p_at));
  v_answer jsonb := private.idempotent_response(v_user, 'schedule_post', p_idempotency_key, v_request, p_now);
  v_ids uuid[];
begin
  if v_answer is not null then
    return query select * from private.own_targets(v_user, array(select jsonb_array_elements_text(v_answer)::uuid));
    return;
  end if;
  perform private.lock_post(v_user, p_post_id);
  v_ids := array(select t.id from public.post_targets t
                 where t.post_id = p_post_id and t.state in ('draft', 'cancelled', 'failed', 'missed') order by t.id);
  if v_ids = '{}' then
    v_ids := array(select t.id from public.post_targets t
                   where t.post_id = p_post_id and t.scheduled_at = p_at and t.state in ('scheduled', 'publishing'));
  else
    v_ids := private.put_on_schedule(v_ids, p_at, p_now);
  end if;
  if v_ids = '{}' then
    perform private.fail('NX413');
  end if;
  perform private.remember_response(v_user, 'schedule_post', p_idempotency_key, v_request, to_jsonb(v_ids), p_now);
  return query select * from private.own_targets(v_user, v_ids);
end;
$$;
comment on function private.schedule_post(uuid, timestamptz, uuid, timestamptz) is 'Body of schedule_post().';

create function private.publish_now(p_post_id uuid, p_idempotency_key uuid default null, p_now timestamptz default now())
returns setof public.post_targets
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_user uuid := private.require_person();
  v_request jsonb := jsonb_build_object('post_id', p_post_id);
  v_answer jsonb := private.idempotent_response(v_user, 'publish_now', p_idempotency_key, v_request, p_now);
  v_ids uuid[];
  v_under_way uuid[];
begin
  if v_answer is not null then
    return query select * from private.own_targets(v_user, array(select jsonb_array_elements_text(v_answer)::uuid));
    return;
  end if;
  perform private.lock_post(v_user, p_post_id);
  v_under_way := array(select t.id from public.post_targets t where t.post_id = p_post_id
                       and (t.state = 'publishing' or t.state = 'scheduled' and t.scheduled_at <= p_now));
  v_ids := array(select t.id from public.post_targets t
                 where t.post_id = p_post_id and t.id <> all (v_under_way)
                   and t.state in ('draft', 'cancelled', 'failed', 'missed', 'scheduled') order by t.id);
  if v_ids <> '{}' then
    v_ids := private.put_on_schedule(v_ids, p_now, p_now);
  end if;
  v_ids := v_ids || v_under_way;
  if v_ids = '{}' then
    perform private.fail('NX413');
  end if;
  perform private.remember_response(v_user, 'publish_now', p_idempotency_key, v_request, to_jsonb(v_ids), p_now);
  return query select * from private.own_targets(v_user, v_ids);
end;
$$;
comment on function private.publish_now(uuid, uuid, timestamptz) is 'Body of publish_now().';

create function public.schedule_post(p_post_id uuid, p_at timestamptz, p_idempotency_key uuid default null)
returns setof public.post_targets
language sql volatile security invoker set search_path = '' as $$
  select * from private.schedule_post(p_post_id, p_at, p_idempotency_key)
$$;
comment on function public.schedule_post(uuid, timestamptz, uuid) is
  'Schedules every account of the post that is a draft, was cancelled, failed or was missed. `p_at` is an instant.';

create function public.publish_now(p_post_id uuid, p_idempotency_key uuid default null)
returns setof public.post_targets
language sql volatile security invoker set search_path = '' as $$
  select * from private.publish_now(p_post_id, p_idempotency_key)
$$;
comment on function public.publish_now(uuid, uuid) is
  'Publishes at once on every account of the post, also where it was scheduled for later.';

insert into private.definer_ledger (function_name, reason) values
  ('private.schedule_post', 'Changes state and queue, which people cannot change directly.'),
  ('private.publish_now', 'Changes state and queue, which people cannot change directly.');
