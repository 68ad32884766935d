-- private.workers; worker.register_worker(…), worker.heartbeat(id), worker.stop_worker(id)
-- Why:     a lease belongs to a worker, and one row per worker says whether it is alive: no churn in the queue itself.
-- Caller:  service_role. DEFINER bodies: no role of the API has rights on schema private.
-- Errors:  NX002 no name. NX005 an announced address is not allowed.
-- Repeat:  register_worker makes a new worker each time; the others are safe.
-- Locks:   a worker's row before any queue row, always (see private.hold_worker).

create table private.workers (
  id uuid primary key default gen_random_uuid(),
  name text not null,
  started_at timestamptz not null,
  heartbeat_at timestamptz not null,
  stopped_at timestamptz,
  released_at timestamptz,
  constraint name_is_short check (name ~ '^[A-Za-z0-9_.:-]{1,100}$'),
  constraint released_only_once_stopped check (released_at is null or stopped_at is not null)
) with (fillfactor = 50);
comment on table private.workers is 'Worker processes. One that misses its heartbeats is dead and loses its leases.';
comment on column private.workers.stopped_at is
  'When it said goodbye or was declared dead: from then on it claims nothing.';
comment on column private.workers.released_at is
  'When its last lease was taken back. Between stopped_at and this it may still report what it was sending.';

-- Holds off private.release_dead_leases() until the end of the transaction, so that a claim or a report and the
-- release of the same worker's leases never overlap. The lock is shared: calls of one worker run in parallel.
create function private.hold_worker(p_worker uuid) returns text
language sql volatile security invoker set search_path = '' as $$
  select case when w.stopped_at is null then 'live' when w.released_at is null then 'stopping' end
  from private.workers w where w.id = p_worker for share
$$;
comment on function private.hold_worker(uuid) is
  'live: may claim and report. stopping: may report. NULL: unknown or released, its late reports do not count.';

create function private.register_worker(
  p_name text, p_public_url text, p_redirect_urls text[], p_now timestamptz default now()
) returns uuid
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_worker uuid;
begin
  if coalesce(p_name, '') !~ '^[A-Za-z0-9_.:-]{1,100}$' then
    perform private.fail('NX002', p_detail := 'p_name');
  end if;
  perform private.announce_addresses(p_public_url, p_redirect_urls, p_now);
  insert into private.workers (name, started_at, heartbeat_at) values (p_name, p_now, p_now)
    returning id into v_worker;
  return v_worker;
end;
$$;
comment on function private.register_worker(text, text, text[], timestamptz) is 'Body of worker.register_worker().';

create function private.announce_addresses(p_public_url text, p_redirect_urls text[], p_now timestamptz default now())
returns void
language plpgsql volatile security invoker set search_path = '' as $$
begin
  if not private.is_web_address(p_public_url) or p_public_url like '%?%' then
    perform private.fail('NX005', p_detail := 'p_public_url');
  end if;
  if exists (select from unnest(p_redirect_urls) u where private.is_web_address(u) is not true) then
    perform private.fail('NX005', p_detail := 'p_redirect_urls');
  end if;
  perform pg_advisory_xact_lock(hashtextextended('private.announce_addresses', 0));
  insert into private.settings (key, value, description)
    select 'public_url', to_jsonb(rtrim(p_public_url, '/')), 'Where people reach the web server of the workers.'
    where p_public_url is not null
    on conflict (key) do update set value = excluded.value where settings.value <> excluded.value;
  delete from private.redirect_urls r where r.url <> all (p_redirect_urls);  -- NULL: the list stays as it is
  insert into private.redirect_urls (url, announced_at)
    select distinct u, p_now from unnest(p_redirect_urls) u on conflict (url) do nothing;
end;
$$;
comment on function private.announce_addresses(text, text[], timestamptz) is
  'Keeps the public address and the list of redirect addresses; NULL leaves what is there, a list replaces the list.';

create function private.heartbeat(p_worker_id uuid, p_now timestamptz default now()) returns boolean
language plpgsql volatile security definer set search_path = '' as $$
begin
  update private.workers set heartbeat_at = greatest(heartbeat_at, p_now)
    where id = p_worker_id and stopped_at is null;
  return found;
end;
$$;
comment on function private.heartbeat(uuid, timestamptz) is 'Body of worker.heartbeat().';

-- Leases whose irreversible call is under way stay with the worker until it reports or its heartbeat runs out: nobody
-- else may conclude anything about them before.
create function private.stop_worker(p_worker_id uuid, p_now timestamptz default now()) returns bigint
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_count bigint;
begin
  update private.workers set stopped_at = p_now where id = p_worker_id and stopped_at is null;
  if not found then
    return 0;
  end if;
  v_count := private.take_back_leases(array[p_worker_id], false, p_now);
  if not exists (select from private.held_by(array[p_worker_id], p_now)) then
    update private.workers w set released_at = p_now where w.id = p_worker_id;
  end if;
  return v_count;
end;
$$;
comment on function private.stop_worker(uuid, timestamptz) is 'Body of worker.stop_worker().';

create function private.forget_workers(p_now timestamptz default now()) returns bigint
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_count bigint;
begin
  delete from private.workers where released_at < p_now - interval '7 days';
  get diagnostics v_count = row_count;
  return v_count;
end;
$$;
comment on function private.forget_workers(timestamptz) is 'Housekeeping: workers that are gone for a week.';

create function worker.register_worker(
  p_name text, p_public_url text default null, p_redirect_urls text[] default null
) returns uuid
language sql volatile security invoker set search_path = '' as $$
  select private.register_worker(p_name, p_public_url, p_redirect_urls)
$$;
comment on function worker.register_worker(text, text, text[]) is
  'Announces a worker process and the addresses of its web server; returns the id that all its further calls carry.';

create function worker.heartbeat(p_worker_id uuid) returns boolean
language sql volatile security invoker set search_path = '' as $$
  select private.heartbeat(p_worker_id)
$$;
comment on function worker.heartbeat(uuid) is
  'Says that a worker is alive. False: unknown, stopped or declared dead; drop all work in hand and register again.';

create function worker.stop_worker(p_worker_id uuid) returns bigint
language sql volatile security invoker set search_path = '' as $$
  select private.stop_worker(p_worker_id)
$$;
comment on function worker.stop_worker(uuid) is
  'Ends a worker in order: gives back what it is not sending at this moment, and claims nothing any more.';

insert into private.definer_ledger (function_name, reason) values
  ('private.register_worker', 'Writes workers, settings and redirect_urls, on which service_role has no rights.'),
  ('private.heartbeat', 'Updates workers, on which service_role has no rights.'),
  ('private.stop_worker', 'Updates workers and queue, on which service_role has no rights.');
