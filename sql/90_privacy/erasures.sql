-- private.erasures, private.erasure_steps; public.request_erasure(), cancel_erasure(), my_erasure()
-- Why:     a person deletes their account and everything that is theirs, within 30 days (P7.3, P8.2). For seven days they
--          can still change their mind; until then the account is locked for everything but that and an export.
-- Caller:  people, in every state of the account. DEFINER bodies: accounts, sessions, tokens and queue are out of reach.
-- Errors:  NX001 no live session. NX910 it has begun and cannot be taken back. NX911 there is nothing to take back.
-- Repeat:  safe: the open request is returned.
-- Locks:   the erasure, then connections, queue rows, targets, the account.
-- States:  requested (days of grace) → erasing → completed;  requested → cancelled;  erasing ↔ held (a legal hold, P8.5)

create table private.erasures (
  id uuid primary key default gen_random_uuid(),
  user_id uuid,
  state text not null,
  requested_at timestamptz not null,
  grace_until timestamptz not null,
  due_at timestamptz not null,
  was_locked boolean not null,
  catalogue_hash text,
  identifiers text[],
  language text,
  planned_at timestamptz,
  ended_at timestamptz,
  last_code text,
  warned_at timestamptz,
  constraint state_is_known check (state in ('requested', 'erasing', 'held', 'completed', 'cancelled')),
  constraint due_within_30_days check (due_at = requested_at + interval '720 hours'), -- P7.3
  constraint grace_is_shorter check (grace_until >= requested_at and grace_until < due_at - interval '7 days'),
  constraint open_names_its_person check (
    (state in ('completed', 'cancelled')) = (user_id is null) and (user_id is not null or identifiers is null)),
  constraint ended_says_when check ((state in ('completed', 'cancelled')) = (ended_at is not null)),
  constraint last_code_is_a_code check (last_code ~ '^[A-Za-z0-9_.:-]{1,64}$')
);
create unique index erasures_one_open_key on private.erasures (user_id) where user_id is not null;
create index erasures_due_at_idx on private.erasures (due_at) where ended_at is null;
comment on table private.erasures is 'Requests to delete an account. One that has ended names nobody.';
comment on column private.erasures.user_id is 'No foreign key: it must outlive the account. Empty once it has ended.';
comment on column private.erasures.identifiers is
  'By what the person could still be found: id, addresses, ids on platforms. Looked for at the end, then deleted.';
comment on column private.erasures.was_locked is 'The account was locked before, for another reason: cancelling leaves it so.';

create table private.erasure_steps (
  erasure_id uuid not null references private.erasures (id) on delete cascade,
  position int not null,
  action text not null,
  relation text not null,
  row_count bigint not null default 0,
  done_at timestamptz,
  primary key (erasure_id, position),
  constraint action_is_known check (action in (
    'external', 'files', 'unlink', 'delete', 'nullify', 'auth', 'statistics', 'sweep'))
);
comment on table private.erasure_steps is 'The plan of an erasure, in order: what the catalogue says, one step per place.';

create table private.erasure_outbox (
  erasure_id uuid not null references private.erasures (id) on delete cascade,
  processor_id text not null references private.processors (id),
  reference text not null,
  done_at timestamptz,
  primary key (erasure_id, processor_id, reference),
  constraint reference_is_bounded check (length(reference) between 1 and 255)
);
create index erasure_outbox_processor_id_idx on private.erasure_outbox (processor_id);
comment on table private.erasure_outbox is 'What processors still keep of a person who is being erased; gone when the erasure is done.';

create table private.erasure_notices (
  erasure_id uuid primary key references private.erasures (id) on delete cascade,
  email text not null,
  language text,
  created_at timestamptz not null,
  delete_by timestamptz not null,
  constraint gone_within_72_hours check (delete_by > created_at and delete_by <= created_at + interval '72 hours')
);
create index erasure_notices_delete_by_idx on private.erasure_notices (delete_by);
comment on table private.erasure_notices is
  'The last mail to somebody who is gone: that it is done. The row is deleted when it is sent, at the latest after 72 hours.';

create function private.take_back_scheduled(p_person uuid, p_now timestamptz) returns void
language plpgsql volatile security invoker set search_path = '' as $$
begin
  perform from public.connections c where c.user_id = p_person order by c.id for no key update;
  perform private.settle_targets(array(
    select private.verdict((u.target).id, 'cancelled', null, case when u.is_leased then 'cancelled' end)
    from private.hold_unsent(p_person) u), p_now);
  perform private.drop_pending_connection(p, p_now) from private.pending_connections p where p.user_id = p_person;
  delete from private.oauth_flows f where f.user_id = p_person;
end;
$$;
comment on function private.take_back_scheduled(uuid, timestamptz) is
  'Cancels what a person has scheduled, and accounts that they are about to connect. What a worker is sending is left to it.';

-- Everything that could act for the person, or show them, ends in the transaction of the request.
create function private.lock_down(p_person uuid, p_now timestamptz) returns void
language plpgsql volatile security invoker set search_path = '' as $$
begin
  perform private.take_back_scheduled(p_person, p_now);
  update public.post_series s set state = 'ended', next_at = null, make_at = null, updated_at = p_now
    where s.user_id = p_person and s.state = 'active';
  perform private.disconnect(c.id, p_now) from public.connections c
    where c.user_id = p_person and c.state <> 'disconnected' order by c.id; -- P6.7
  delete from private.calendar_tokens k where k.user_id = p_person;  -- addresses that show what is planned
  update private.accounts a set state = 'locked', locked_at = coalesce(a.locked_at, p_now) where a.user_id = p_person;
  delete from auth.sessions s where s.user_id = p_person;
end;
$$;
comment on function private.lock_down(uuid, timestamptz) is
  'Takes back what is scheduled, deletes tokens and has platforms told, locks the account, ends all sessions.';

create function private.begin_erasure(p_person uuid, p_grace interval, p_now timestamptz default now())
returns private.erasures
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_erasure private.erasures;
begin
  perform pg_advisory_xact_lock(hashtextextended('erasure:' || p_person, 0));
  select * into v_erasure from private.erasures e where e.user_id = p_person for update;
  if found then
    return v_erasure;
  end if;
  insert into private.erasures (user_id, state, requested_at, grace_until, due_at, was_locked, language)
    select p_person, 'requested', p_now, p_now + p_grace, p_now + interval '720 hours',
           coalesce((select a.state = 'locked' from private.accounts a where a.user_id = p_person), false),
           (select f.language from public.preferences f where f.user_id = p_person)
    returning * into v_erasure;
  perform private.lock_down(p_person, p_now);
  perform private.enqueue('erasure', v_erasure.id, v_erasure.grace_until, p_now);
  if p_grace > interval '0' then
    perform private.queue_mail(p_person, 'erasure_requested', jsonb_build_object('erase_at', v_erasure.grace_until),
                               'erasure_requested:' || v_erasure.id, p_now);
  end if;
  perform private.audit('erasure_requested', 'erasure', v_erasure.id, p_now := p_now);
  return v_erasure;
end;
$$;
comment on function private.begin_erasure(uuid, interval, timestamptz) is
  'Opens an erasure and locks the account; an open one is returned. Without grace for data of a child (P9.1).';

create type private.erasure_view as (
  id uuid, state text, requested_at timestamptz, cancel_until timestamptz, due_at timestamptz
);
comment on type private.erasure_view is 'An erasure as its person sees it.';

create function private.view_erasure(p_erasure private.erasures) returns private.erasure_view
language sql immutable security invoker set search_path = '' as $$
  select row(p_erasure.id, p_erasure.state, p_erasure.requested_at, p_erasure.grace_until, p_erasure.due_at)::private.erasure_view
$$;
comment on function private.view_erasure(private.erasures) is 'What a person sees of their erasure.';

create function private.request_erasure(p_now timestamptz default now()) returns private.erasure_view
language plpgsql volatile security definer set search_path = '' as $$
begin
  return private.view_erasure(
    private.begin_erasure(private.live_person(p_now), private.setting_interval('erasure_grace'), p_now));
end;
$$;
comment on function private.request_erasure(timestamptz) is 'Body of public.request_erasure().';

create function private.cancel_erasure(p_now timestamptz default now()) returns private.erasure_view
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_person uuid := private.live_person(p_now);
  v_erasure private.erasures;
begin
  select * into v_erasure from private.erasures e where e.user_id = v_person for update;
  if not found then
    perform private.fail('NX911');
  elsif v_erasure.state <> 'requested' then
    perform private.fail('NX910');
  end if;
  update private.erasures e set state = 'cancelled', user_id = null, ended_at = p_now
    where e.id = v_erasure.id returning * into v_erasure;
  perform private.dequeue('erasure', v_erasure.id);
  if not v_erasure.was_locked then
    update private.accounts a
      set state = case when a.restricted_at is null then private.account_state(a.birth_date, a.guardian_consent_at, p_now)
                  else 'restricted' end, locked_at = null
      where a.user_id = v_person;
  end if;
  perform private.audit('erasure_cancelled', 'erasure', v_erasure.id, p_now := p_now);
  return private.view_erasure(v_erasure);
end;
$$;
comment on function private.cancel_erasure(timestamptz) is 'Body of public.cancel_erasure().';

create function private.my_erasure(p_now timestamptz default now()) returns setof private.erasure_view
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_person uuid := private.live_person(p_now);
begin
  return query select (private.view_erasure(e)).* from private.erasures e where e.user_id = v_person;
end;
$$;
comment on function private.my_erasure(timestamptz) is 'Body of public.my_erasure().';

create function public.request_erasure()
returns table (id uuid, state text, requested_at timestamptz, cancel_until timestamptz, due_at timestamptz)
language sql volatile security invoker set search_path = '' as $$
  select e.id, e.state, e.requested_at, e.cancel_until, e.due_at from private.request_erasure() e
$$;
comment on function public.request_erasure() is
  'Deletes the account and everything of the caller''s, for good, by due_at. At once: all sessions end, connected accounts are '
  'disconnected, scheduled posts are taken back, the account is locked. Sign in again to cancel, until cancel_until (P7.3).';

create function public.cancel_erasure()
returns table (id uuid, state text, requested_at timestamptz, cancel_until timestamptz, due_at timestamptz)
language sql volatile security invoker set search_path = '' as $$
  select e.id, e.state, e.requested_at, e.cancel_until, e.due_at from private.cancel_erasure() e
$$;
comment on function public.cancel_erasure() is
  'Takes the request back, as long as nothing has been deleted. Accounts stay disconnected, and posts unscheduled.';

create function public.my_erasure()
returns table (id uuid, state text, requested_at timestamptz, cancel_until timestamptz, due_at timestamptz)
language sql volatile security invoker set search_path = '' as $$
  select e.id, e.state, e.requested_at, e.cancel_until, e.due_at from private.my_erasure() e
$$;
comment on function public.my_erasure() is 'The caller''s open request to delete the account; no row: there is none.';

insert into private.settings (key, value, description) values
  ('erasure_grace', '"7 days"', 'How long a person can take back that the account is deleted.'),
  ('erasure_batch', '5000', 'Rows that one step of an erasure deletes at once.');

insert into private.definer_ledger (function_name, reason) values
  ('private.request_erasure', 'Locks account, sessions, tokens and queue on behalf of their person.'),
  ('private.cancel_erasure', 'Unlocks the account of its person.'),
  ('private.my_erasure', 'Reads the erasure of its person; they have no rights on the table.');
