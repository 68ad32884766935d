-- reschedule_target(target, at, key), retry_target(target, key), cancel_target(target),
-- resolve_unconfirmed(target, is_published, external_url, send_again) -> post_targets
-- Why:     what a person can do with one target once its post has been scheduled.
-- Caller:  authenticated, for its own targets. DEFINER bodies: people may not change state or queue.
-- Errors:  NX001, NX11x account. NX002 malformed URL. NX003 key used otherwise. NX402 target. NX410, NX411, NX412, NX414
--          as in schedule.sql. NX420 it is being sent. NX421 its state does not allow that.
-- Repeat:  safe: a second click finds what the first one did and returns the row.
-- Locks:   key, post, connection (shared), queue row, target. cancel_target: queue row, target.
--          Against a claim: whoever has the queue row first wins. If the worker does, cancelling still succeeds until
--          mark_sending, because the queue row is deleted and mark_sending finds it gone.

create function private.require_target(p_user uuid, p_target_id uuid) returns public.post_targets
language plpgsql stable security invoker set search_path = '' as $$
declare
  v_target public.post_targets;
begin
  select * into v_target from public.post_targets where id = p_target_id and user_id = p_user;
  if not found then
    perform private.fail('NX402');
  end if;
  return v_target;
end;
$$;
comment on function private.require_target(uuid, uuid) is 'The person''s target, or NX402.';

create function private.give_time(
  p_user uuid, p_target_id uuid, p_at timestamptz, p_from public.target_state[], p_now timestamptz
) returns void
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_target public.post_targets := private.require_target(p_user, p_target_id);
begin
  perform private.lock_post(p_user, v_target.post_id);
  v_target := private.require_target(p_user, p_target_id);
  if v_target.state <> all (p_from) then
    perform private.fail('NX421', p_detail := v_target.state::text);
  elsif private.put_on_schedule(array[p_target_id], p_at, p_now) = '{}' then
    perform private.fail('NX421', p_detail := 'publishing'); -- a worker has it
  end if;
end;
$$;
comment on function private.give_time(uuid, uuid, timestamptz, public.target_state[], timestamptz) is
  'Schedules one target if it is in one of these states; NX421.';

create function private.reschedule_target(
  p_target_id uuid, p_at timestamptz, p_idempotency_key uuid default null, p_now timestamptz default now()
) returns public.post_targets
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_user uuid := private.require_person();
  v_request jsonb := jsonb_build_object('target_id', p_target_id, 'at', extract(epoch from p_at));
  v_answer jsonb := private.idempotent_response(v_user, 'reschedule_target', p_idempotency_key, v_request, p_now);
  v_target public.post_targets := private.require_target(v_user, p_target_id);
begin
  if v_answer is null and not (v_target.state = 'scheduled' and v_target.scheduled_at = p_at) then
    perform private.give_time(v_user, p_target_id, p_at, '{draft,scheduled,cancelled,failed,missed}', p_now);
    perform private.remember_response(v_user, 'reschedule_target', p_idempotency_key, v_request,
                                      to_jsonb(p_target_id), p_now);
  end if;
  return private.require_target(v_user, p_target_id);
end;
$$;
comment on function private.reschedule_target(uuid, timestamptz, uuid, timestamptz) is 'Body of reschedule_target().';

create function private.retry_target(
  p_target_id uuid, p_idempotency_key uuid default null, p_now timestamptz default now()
) returns public.post_targets
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_user uuid := private.require_person();
  v_request jsonb := jsonb_build_object('target_id', p_target_id);
  v_answer jsonb := private.idempotent_response(v_user, 'retry_target', p_idempotency_key, v_request, p_now);
  v_target public.post_targets := private.require_target(v_user, p_target_id);
begin
  if v_answer is null then
    perform private.lock_post(v_user, v_target.post_id);
    v_target := private.require_target(v_user, p_target_id);
    if not (v_target.state = 'publishing' or v_target.state = 'scheduled' and v_target.scheduled_at <= p_now) then
      perform private.give_time(v_user, p_target_id, p_now, '{failed,missed}', p_now);
    end if;
    perform private.remember_response(v_user, 'retry_target', p_idempotency_key, v_request, to_jsonb(p_target_id), p_now);
  end if;
  return private.require_target(v_user, p_target_id);
end;
$$;
comment on function private.retry_target(uuid, uuid, timestamptz) is 'Body of retry_target().';

create function private.cancel_target(p_target_id uuid, p_now timestamptz default now()) returns public.post_targets
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_user uuid := private.require_person();
  v_target public.post_targets := private.require_target(v_user, p_target_id);
  v_queued private.queue;
  v_verdict private.target_verdict := private.verdict(p_target_id, 'cancelled', null);
begin
  -- Waits for a claim or a report that is under way; afterwards the row tells what came of it.
  select * into v_queued from private.queue where lane = 'publish' and subject_id = p_target_id for update;
  select * into v_target from public.post_targets where id = p_target_id for update;
  if v_target.state = 'cancelled' then
    return v_target;
  elsif v_queued.sending_at is not null or v_target.state = 'publishing' and v_queued.subject_id is null then
    perform private.fail('NX420');
  elsif v_target.state not in ('scheduled', 'publishing') then
    perform private.fail('NX421', p_detail := v_target.state::text);
  end if;
  v_verdict.outcome := case when v_queued.worker_id is not null then 'cancelled' end;
  perform private.settle_targets(array[v_verdict], p_now);
  return private.require_target(v_user, p_target_id);
end;
$$;
comment on function private.cancel_target(uuid, timestamptz) is 'Body of cancel_target().';

-- "It is not there: send it again" is one step, so that nobody forgets the second half.
create function private.resolve_unconfirmed(
  p_target_id uuid, p_is_published boolean, p_external_url text default null, p_send_again boolean default false,
  p_now timestamptz default now()
) returns public.post_targets
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_user uuid := private.require_person();
  v_target public.post_targets := private.require_target(v_user, p_target_id);
begin
  if p_is_published is null or p_is_published and p_send_again
     or p_external_url !~ '^https://\S+$' or length(p_external_url) > 2000 then
    perform private.fail('NX002', p_detail := 'p_is_published, p_external_url, p_send_again');
  end if;
  perform private.lock_post(v_user, v_target.post_id);
  select * into v_target from public.post_targets where id = p_target_id for update;
  if v_target.state = 'unconfirmed' then
    v_target := private.settle_unconfirmed(v_target, p_is_published, p_external_url, p_now);
  elsif p_send_again and v_target.state in ('scheduled', 'publishing')
     or not p_send_again and v_target.state in ('published', 'failed')
        and p_is_published = (v_target.state = 'published') then
    return v_target; -- a second click
  elsif v_target.state <> 'failed' or v_target.failure_code is distinct from 'NX437' then
    perform private.fail('NX421', p_detail := v_target.state::text);
  end if;
  if p_send_again then
    perform private.give_time(v_user, p_target_id, p_now, '{failed}', p_now);
  end if;
  return private.require_target(v_user, p_target_id);
end;
$$;
comment on function private.resolve_unconfirmed(uuid, boolean, text, boolean, timestamptz) is
  'Body of resolve_unconfirmed().';

create function private.settle_unconfirmed(
  p_target public.post_targets, p_is_published boolean, p_external_url text, p_now timestamptz
) returns public.post_targets
language plpgsql volatile security invoker set search_path = '' as $$
begin
  update public.post_targets t
    set state = (case when p_is_published then 'published' else 'failed' end)::public.target_state,
        published_at = case when p_is_published then p_now end,
        external_url = coalesce(p_external_url, t.external_url),
        failure_code = case when p_is_published then null else 'NX437' end,
        failure_message = case when p_is_published then null else private.error_message('NX437') end,
        updated_at = p_now
    where t.id = p_target.id returning * into p_target;
  update public.notifications n set read_at = p_now
    where n.user_id = p_target.user_id and n.kind = 'target_unconfirmed' and n.subject_id = p_target.id
      and n.read_at is null;
  return p_target;
end;
$$;
comment on function private.settle_unconfirmed(public.post_targets, boolean, text, timestamptz) is
  'What the person saw becomes the state of the target; the notice that asked for it is done.';

create function public.reschedule_target(p_target_id uuid, p_at timestamptz, p_idempotency_key uuid default null)
returns public.post_targets
language sql volatile security invoker set search_path = '' as $$
  select private.reschedule_target(p_target_id, p_at, p_idempotency_key)
$$;
comment on function public.reschedule_target(uuid, timestamptz, uuid) is
  'Gives one account of a post another time, or a first one. Not while a worker has it.';

create function public.retry_target(p_target_id uuid, p_idempotency_key uuid default null) returns public.post_targets
language sql volatile security invoker set search_path = '' as $$
  select private.retry_target(p_target_id, p_idempotency_key)
$$;
comment on function public.retry_target(uuid, uuid) is 'Publishes at once what failed or was missed.';

create function public.cancel_target(p_target_id uuid) returns public.post_targets
language sql volatile security invoker set search_path = '' as $$
  select private.cancel_target(p_target_id)
$$;
comment on function public.cancel_target(uuid) is
  'Takes a scheduled target back, even when a worker has it, until it is being sent to the platform (NX420).';

create function public.resolve_unconfirmed(
  p_target_id uuid, p_is_published boolean, p_external_url text default null, p_send_again boolean default false
) returns public.post_targets
language sql volatile security invoker set search_path = '' as $$
  select private.resolve_unconfirmed(p_target_id, p_is_published, p_external_url, p_send_again)
$$;
comment on function public.resolve_unconfirmed(uuid, boolean, text, boolean) is
  'The person looked on the platform: it is there (published), or it is not (failed; with p_send_again it is sent again at '
  'once).';

insert into private.definer_ledger (function_name, reason) values
  ('private.reschedule_target', 'Changes state and queue, which people cannot change directly.'),
  ('private.retry_target', 'Changes state and queue, which people cannot change directly.'),
  ('private.cancel_target', 'Changes state and queue, which people cannot change directly.'),
  ('private.resolve_unconfirmed', 'Changes state, which people cannot change directly.');
