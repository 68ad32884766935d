-- worker.find_guardian_request(token_hash), worker.confirm_guardian_request(token_hash),
-- worker.withdraw_guardian_consent(token_hash)
-- Why:     the guardian consents, declines or takes it back by the links of one mail, without an account (P9.2).
-- Caller:  service_role for the worker's web server: GET finds, POST does. DEFINER: it has no rights here.
-- Errors:  NX942 no such link, expired, replaced by a newer one, or taken back.
-- Repeat:  safe: what was answered is answered.
-- Locks:   the account row, then its consents.

create function private.find_guardian_request(p_token_hash text, p_now timestamptz default now())
returns table (child_name text, guardian_name text, state text)
language plpgsql volatile security definer set search_path = '' as $$
begin
  return query
    select f.display_name, c.guardian_name,
           case when c.revoked_at is not null then 'withdrawn' when c.confirmed_at is not null then 'given' else 'open' end
    from private.guardian_consents c join public.profiles f on f.user_id = c.user_id
    where p_token_hash in (c.token_hash, c.revoke_hash) and (c.confirmed_at is not null or c.expires_at > p_now);
  if not found then
    perform private.fail('NX942');
  end if;
end;
$$;
comment on function private.find_guardian_request(text, timestamptz) is 'Body of worker.find_guardian_request().';

create function private.confirm_guardian_request(p_token_hash text, p_now timestamptz default now()) returns text
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_consent private.guardian_consents;
  v_account private.accounts;
begin
  select a.* into v_account from private.accounts a join private.guardian_consents c using (user_id)
    where c.token_hash = p_token_hash for update of a;
  select * into v_consent from private.guardian_consents c where c.token_hash = p_token_hash for update;
  if v_consent.id is null or v_consent.revoked_at is not null or v_consent.confirmed_at is null and v_consent.expires_at <= p_now then
    perform private.fail('NX942');
  elsif v_consent.confirmed_at is not null then
    return 'given';
  elsif coalesce(private.account_state(v_account.birth_date, v_account.guardian_consent_at, p_now), '') <> 'awaiting_guardian' then
    return 'not_needed';
  end if;
  update private.guardian_consents c set confirmed_at = p_now, method = 'mailed_link', evidence = 'guardian:' || c.id
    where c.id = v_consent.id;
  update private.accounts a set guardian_consent_at = p_now,
      state = case a.state when 'awaiting_guardian' then 'active' else a.state end
    where a.user_id = v_consent.user_id;
  perform private.audit('guardian_consent_recorded', 'account', v_consent.user_id,
                        jsonb_build_object('consent_id', v_consent.id, 'method', 'mailed_link'), p_now);
  perform private.notify(v_consent.user_id, 'guardian_consented', 'account', v_consent.user_id, null, p_now);
  return 'given';
end;
$$;
comment on function private.confirm_guardian_request(text, timestamptz) is 'Body of worker.confirm_guardian_request().';

create function private.withdraw_guardian_consent(p_token_hash text, p_now timestamptz default now()) returns text
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_consent private.guardian_consents;
begin
  select * into v_consent from private.guardian_consents c where c.revoke_hash = p_token_hash;
  if not found then
    perform private.fail('NX942');
  elsif v_consent.confirmed_at is null then
    update private.guardian_consents c set token_hash = null where c.id = v_consent.id and c.confirmed_at is null;
    return 'declined';
  elsif v_consent.revoked_at is null then
    perform private.revoke_guardian_consent(v_consent.user_id, p_now);
  end if;
  return 'withdrawn';
end;
$$;
comment on function private.withdraw_guardian_consent(text, timestamptz) is 'Body of worker.withdraw_guardian_consent().';

create function worker.find_guardian_request(p_token_hash text) returns table (child_name text, guardian_name text, state text)
language sql volatile security invoker set search_path = '' as $$
  select f.child_name, f.guardian_name, f.state from private.find_guardian_request(p_token_hash) f
$$;
comment on function worker.find_guardian_request(text) is 'What a link to a guardian is about: open, given or withdrawn. Changes nothing.';

create function worker.confirm_guardian_request(p_token_hash text) returns text
language sql volatile security invoker set search_path = '' as $$
  select private.confirm_guardian_request(p_token_hash)
$$;
comment on function worker.confirm_guardian_request(text) is
  'The guardian consents: given, and the account opens; not_needed: its person is of age or has another consent.';

create function worker.withdraw_guardian_consent(p_token_hash text) returns text
language sql volatile security invoker set search_path = '' as $$
  select private.withdraw_guardian_consent(p_token_hash)
$$;
comment on function worker.withdraw_guardian_consent(text) is
  'The guardian declines, or takes the consent back: the account closes to use at once (P9.2).';

insert into public.notification_texts (kind, code, title, advice, is_mailed) values
  ('guardian_consented', '', 'Your guardian has given consent', 'Everything is open to you now.', true);

insert into private.definer_ledger (function_name, reason) values
  ('private.find_guardian_request', 'Reads consents for whoever holds the link of a mail.'),
  ('private.confirm_guardian_request', 'Writes consents and accounts for whoever holds the link of a mail.'),
  ('private.withdraw_guardian_consent', 'Writes consents and accounts for whoever holds the link of a mail.');
