-- public.request_guardian_consent(name, email), worker.report_under_13(user, evidence)
-- Why:     somebody between 13 and 18 asks a guardian by mail (P9.2); an account that turns out to be of a child under 13
--          is locked at once and erased without days of grace (P9.1).
-- Caller:  people whose account waits for a guardian; service_role reports. DEFINER: accounts and outbox are out of reach.
-- Errors:  NX001 no live session. NX002 not an address, or no name. NX114 no guardian is needed. NX940 the own address.
--          NX941 more than three requests within 24 hours.
-- Repeat:  each request makes a new link, and the one before is worth nothing any more.
-- Locks:   the account row, then its consents.
-- Address: stands in the mail until it has gone, afterwards as a hash alone (P4.3).

create function private.request_guardian_consent(
  p_guardian_name text, p_guardian_email text, p_now timestamptz default now()
) returns timestamptz
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_user uuid := private.live_person(p_now);
  v_account private.accounts;
  v_confirm text := encode(extensions.gen_random_bytes(32), 'hex');
  v_revoke text := encode(extensions.gen_random_bytes(32), 'hex');
  v_consent private.guardian_consents;
begin
  select * into v_account from private.accounts a where a.user_id = v_user for update;
  perform private.check_guardian_request(v_account, p_guardian_name, p_guardian_email, p_now);
  update private.guardian_consents c set token_hash = null, revoke_hash = null
    where c.user_id = v_user and c.confirmed_at is null and c.token_hash is not null;
  insert into private.guardian_consents (user_id, guardian_name, guardian_email_hash, requested_at, token_hash, revoke_hash, expires_at)
    values (v_user, btrim(p_guardian_name), private.address_hash(p_guardian_email), p_now,
            encode(sha256(convert_to(v_confirm, 'UTF8')), 'hex'), encode(sha256(convert_to(v_revoke, 'UTF8')), 'hex'),
            p_now + private.setting_interval('guardian_link_lives'))
    returning * into v_consent;
  perform private.queue_mail_to(btrim(p_guardian_email), 'guardian_request', jsonb_build_object(
      'child', coalesce((select f.display_name from public.profiles f where f.user_id = v_user), 'Somebody'),
      'confirm_token', v_confirm, 'revoke_token', v_revoke, 'expires_at', v_consent.expires_at),
    'guardian:' || v_consent.id, v_user, p_now);
  perform private.audit('guardian_asked', 'account', v_user, jsonb_build_object('consent_id', v_consent.id), p_now);
  return v_consent.expires_at;
end;
$$;
comment on function private.request_guardian_consent(text, text, timestamptz) is 'Body of public.request_guardian_consent().';

create function private.check_guardian_request(
  p_account private.accounts, p_name text, p_email text, p_now timestamptz
) returns void
language plpgsql volatile security invoker set search_path = '' as $$
begin
  if coalesce(private.account_state(p_account.birth_date, p_account.guardian_consent_at, p_now), '') <> 'awaiting_guardian'
     or p_account.state <> 'awaiting_guardian' then
    perform private.fail('NX114');
  elsif coalesce(length(btrim(p_name)), 0) not between 1 and 120 or p_name ~ '[[:cntrl:]]' then
    perform private.fail('NX002', p_detail := 'p_guardian_name');
  elsif coalesce(btrim(p_email), '') !~ '^[^[:space:]<>@,;"]{1,64}@[A-Za-z0-9.-]{1,190}\.[A-Za-z]{2,60}$' then
    perform private.fail('NX002', p_detail := 'p_guardian_email');
  elsif exists (select from auth.users u where u.id = p_account.user_id
                  and private.address_hash(u.email) = private.address_hash(p_email)) then
    perform private.fail('NX940');
  elsif (select count(*) from private.guardian_consents c
         where c.user_id = p_account.user_id and c.requested_at > p_now - interval '24 hours') >= 3 then
    perform private.fail('NX941');
  end if;
end;
$$;
comment on function private.check_guardian_request(private.accounts, text, text, timestamptz) is
  'Raises unless this account may ask this guardian now.';

create function public.request_guardian_consent(p_guardian_name text, p_guardian_email text) returns timestamptz
language sql volatile security invoker set search_path = '' as $$
  select private.request_guardian_consent(p_guardian_name, p_guardian_email)
$$;
comment on function public.request_guardian_consent(text, text) is
  'Sends a parent or guardian a link to consent; returns until when it works. Three times a day at most (P9.2).';

create function private.report_under_13(p_user_id uuid, p_evidence text, p_now timestamptz default now()) returns uuid
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_erasure private.erasures;
begin
  if coalesce(p_evidence, '') !~ '^[A-Za-z0-9_./:-]{1,64}$' then
    perform private.fail('NX002', p_detail := 'p_evidence');
  elsif not exists (select from auth.users u where u.id = p_user_id) then
    perform private.fail('NX002', p_detail := 'p_user_id');
  end if;
  v_erasure := private.begin_erasure(p_user_id, interval '0', p_now);
  perform private.audit('reported_under_13', 'erasure', v_erasure.id, jsonb_build_object('evidence', p_evidence), p_now);
  return v_erasure.id;
end;
$$;
comment on function private.report_under_13(uuid, text, timestamptz) is 'Body of worker.report_under_13().';

create function worker.report_under_13(p_user_id uuid, p_evidence text) returns uuid
language sql volatile security invoker set search_path = '' as $$
  select private.report_under_13(p_user_id, p_evidence)
$$;
comment on function worker.report_under_13(uuid, text) is
  'An account was found to belong to a child under 13: locks it at once and erases it without grace (P9.1). p_evidence '
  'names the case, not the child. Returns the erasure.';

create function private.forget_guardian_requests(p_now timestamptz default now()) returns bigint
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_count bigint;
begin
  delete from private.guardian_consents c where c.confirmed_at is null and c.expires_at < p_now - interval '30 days';
  get diagnostics v_count = row_count;
  return v_count;
end;
$$;
comment on function private.forget_guardian_requests(timestamptz) is 'Housekeeping: requests that no guardian answered.';

insert into private.settings (key, value, description) values
  ('guardian_link_lives', '"7 days"', 'How long the link to a guardian works (P9.2).');

insert into private.housekeeping_tasks (task, function_name, run_order) values
  ('forget_guardian_requests', 'private.forget_guardian_requests', 930);

insert into private.definer_ledger (function_name, reason) values
  ('private.request_guardian_consent', 'Writes consents and the outbox for a person whose account waits.'),
  ('private.report_under_13', 'Begins an erasure, on which service_role has no rights.');
