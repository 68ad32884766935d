-- public.policy_acceptances; public.list_policies(), private.accept_by_use(user, method)
-- Why:     using the product after a version took effect is recorded as accepting it, once, with version and method;
--          using it during the notice is not, and whoever disagrees closes the account before (P11.3). It is never
--          consent to anything that needs one.
-- Caller:  triggers on sessions (signing in, and each renewal of a session, which only a front end in use asks for) and
--          on accounts (sign-up). DEFINER: the role of Auth has no rights here.
-- Errors:  NX903 a record is to be changed.
-- Repeat:  safe: one row per person and version.

create table public.policy_acceptances (
  user_id uuid not null references auth.users (id) on delete cascade,
  version int not null references public.policy_versions (version),
  accepted_at timestamptz not null,
  method text not null,
  primary key (user_id, version),
  constraint method_is_known check (method in ('sign_up', 'use'))
);
create index policy_acceptances_version_idx on public.policy_acceptances (version);
comment on table public.policy_acceptances is 'Which version of the privacy policy a person accepted, when and how (P11.3).';
comment on column public.policy_acceptances.accepted_at is 'When, by the clock of the database.';
comment on column public.policy_acceptances.method is 'sign_up, or use: continued use after it took effect.';

create function private.tg_policy_acceptances__keep() returns trigger
language plpgsql volatile security definer set search_path = '' as $$
begin
  if tg_op <> 'DELETE' then
    perform private.fail('NX903', p_detail := 'policy_acceptances');
  elsif auth.uid() is not null and exists (select from auth.users u where u.id = old.user_id) then
    -- A child who signs up deletes the account in the own session: then the person is gone already.
    perform private.fail('NX903', p_detail := 'policy_acceptances');
  end if;
  return old;
end;
$$;
comment on function private.tg_policy_acceptances__keep() is 'Nobody changes the record; rows go with the account.';
create trigger _100_keep before update or delete on public.policy_acceptances
  for each row execute function private.tg_policy_acceptances__keep();
create trigger _110_keep_all before truncate on public.policy_acceptances
  for each statement execute function private.tg_policy_acceptances__keep();

create function private.accept_by_use(p_user uuid, p_method text, p_now timestamptz default now()) returns boolean
language plpgsql volatile security invoker set search_path = '' as $$
begin
  insert into public.policy_acceptances (user_id, version, accepted_at, method)
    select a.user_id, v.version, p_now, p_method
    from private.accounts a cross join (select private.policy_in_effect(p_now) as version) v
    where a.user_id = p_user and v.version is not null and (a.state = 'active' or p_method = 'sign_up')
    on conflict (user_id, version) do nothing;
  return found;
end;
$$;
comment on function private.accept_by_use(uuid, text, timestamptz) is
  'Records that the version in effect is accepted, once. Not for a locked account: who is closing it accepts nothing.';

create function private.tg_sessions__accept_policy() returns trigger
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform private.accept_by_use(new.user_id, 'use');
  return null;
end;
$$;
comment on function private.tg_sessions__accept_policy() is 'AFTER INSERT OR UPDATE on auth.sessions: the product is in use (P11.3).';
create or replace trigger _320_accept_policy after insert or update of refreshed_at on auth.sessions
  for each row execute function private.tg_sessions__accept_policy();

-- Whoever signs up while a change is pending accepts what holds now, and is told about the change like everybody.
create function private.tg_accounts__accept_policy() returns trigger
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform private.accept_by_use(new.user_id, 'sign_up', new.created_at);
  perform private.queue_mail(new.user_id, 'policy_change', c.params, concat_ws(':', 'policy', v.version, new.user_id),
                             new.created_at)
    from public.policy_versions v
    join private.policy_mailings m on m.version = v.version
    join private.mail_campaigns c on c.id = m.campaign_id
    where v.announced_at < new.created_at and v.version > private.policy_in_effect(new.created_at);
  return null;
end;
$$;
comment on function private.tg_accounts__accept_policy() is 'AFTER INSERT: signing up accepts the version in effect, and a pending one is mailed at once.';
create trigger _320_accept_policy after insert on private.accounts
  for each row execute function private.tg_accounts__accept_policy();

create function private.list_policies(p_now timestamptz default now())
returns table (version int, state text, url text, summary text, announced_at timestamptz, effective_at timestamptz,
               accepted_at timestamptz, method text)
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_column
declare
  v_user uuid := private.live_person(p_now);
  v_current int := private.policy_in_effect(p_now);
begin
  return query
    select v.version, case when v.version > v_current then 'pending' when v.version = v_current then 'in_effect'
                           else 'superseded' end,
           v.url, v.summary, v.announced_at, v.effective_at, a.accepted_at, a.method
    from public.policy_versions v
    left join public.policy_acceptances a on a.version = v.version and a.user_id = v_user
    order by v.version desc;
end;
$$;
comment on function private.list_policies(timestamptz) is 'Body of public.list_policies().';

create function public.list_policies()
returns table (version int, state text, url text, summary text, announced_at timestamptz, effective_at timestamptz,
               accepted_at timestamptz, method text)
language sql volatile security invoker set search_path = '' as $$
  select p.version, p.state, p.url, p.summary, p.announced_at, p.effective_at, p.accepted_at, p.method from private.list_policies() p
$$;
comment on function public.list_policies() is
  'Versions of the privacy policy, newest first, with what the caller accepted. One that is pending is to be shown in the '
  'product, with its date and the way to close the account before (P11.2, P11.3).';

insert into private.definer_ledger (function_name, reason) values
  ('private.tg_policy_acceptances__keep', 'Raises a registered error for whoever tries, also for people.'),
  ('private.tg_sessions__accept_policy', 'Runs as the role of Auth, which has no rights on our schemas.'),
  ('private.tg_accounts__accept_policy', 'Runs as the role of Auth, which has no rights on our schemas.'),
  ('private.list_policies', 'Reads acceptances for their person in every state of the account.');
