-- private.guardian_consents; worker.record_guardian_consent(user, method, evidence),
-- worker.revoke_guardian_consent(user)
-- Why:     between 13 and 18 an account works only with a guardian's recorded consent (P9.2).
-- Caller:  service_role. DEFINER: it has no rights on schema private.
-- Errors:  NX114 the account is not one of a minor. NX002 method or evidence.
-- Repeat:  safe: a consent that stands is returned, a revocation of nothing is false.
-- Locks:   the account row, then its consents.

create table private.guardian_consents (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  guardian_name text,
  guardian_email_hash text,
  requested_at timestamptz,
  token_hash text unique,
  revoke_hash text unique,
  expires_at timestamptz,
  confirmed_at timestamptz,
  revoked_at timestamptz,
  method text,
  evidence text,
  constraint guardian_name_is_short check (length(guardian_name) between 1 and 120),
  constraint hashes_are_sha_256 check (
    guardian_email_hash ~ '^[0-9a-f]{64}$' and token_hash ~ '^[0-9a-f]{64}$' and revoke_hash ~ '^[0-9a-f]{64}$'),
  constraint request_expires check (token_hash is null or coalesce(expires_at > requested_at, false)),
  constraint consent_has_method_and_evidence check (
    confirmed_at is null or method is not null and evidence is not null),
  constraint only_given_consent_is_revoked check (revoked_at is null or coalesce(confirmed_at <= revoked_at, false)),
  constraint evidence_is_a_reference check (length(evidence) between 1 and 200),
  constraint method_is_snake_case check (method ~ '^[a-z][a-z0-9_]{1,39}$')
);
create unique index guardian_consents_one_stands_key on private.guardian_consents (user_id)
  where confirmed_at is not null and revoked_at is null;
create index guardian_consents_user_id_idx on private.guardian_consents (user_id);

comment on table private.guardian_consents is 'Consents of guardians, kept as proof after they were revoked (P9.2).';
comment on column private.guardian_consents.token_hash is 'Of the link by which the guardian consents.';
comment on column private.guardian_consents.revoke_hash is 'Of the link by which the guardian takes it back.';
comment on column private.guardian_consents.method is 'How it was verified, e.g. signed_form, card_check, video_call.';
comment on column private.guardian_consents.evidence is 'Where the proof is kept: a reference, not the proof itself.';

create function private.record_guardian_consent(
  p_user_id uuid, p_method text, p_evidence text, p_now timestamptz default now()
) returns uuid
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_account private.accounts;
  v_consent uuid;
begin
  if coalesce(p_method, '') !~ '^[a-z][a-z0-9_]{1,39}$' or coalesce(length(p_evidence), 0) not between 1 and 200 then
    perform private.fail('NX002', p_detail := 'p_method, p_evidence');
  end if;
  select * into v_account from private.accounts a where a.user_id = p_user_id for update;
  select c.id into v_consent from private.guardian_consents c
    where c.user_id = p_user_id and c.confirmed_at is not null and c.revoked_at is null;
  if v_consent is not null then
    return v_consent;
  end if;
  if coalesce(private.account_state(v_account.birth_date, null, p_now), '') <> 'awaiting_guardian' then
    perform private.fail('NX114');
  end if;
  insert into private.guardian_consents (user_id, confirmed_at, method, evidence)
    values (p_user_id, p_now, p_method, p_evidence) returning id into v_consent;
  update private.accounts a set guardian_consent_at = p_now,
      state = case a.state when 'awaiting_guardian' then 'active' else a.state end
    where a.user_id = p_user_id;
  perform private.audit('guardian_consent_recorded', 'account', p_user_id,
                        jsonb_build_object('consent_id', v_consent, 'method', p_method), p_now);
  return v_consent;
end;
$$;
comment on function private.record_guardian_consent(uuid, text, text, timestamptz) is
  'Body of worker.record_guardian_consent().';

create function private.revoke_guardian_consent(p_user_id uuid, p_now timestamptz default now()) returns boolean
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_consent uuid;
begin
  perform from private.accounts a where a.user_id = p_user_id for update;
  update private.guardian_consents c set revoked_at = p_now
    where c.user_id = p_user_id and c.confirmed_at is not null and c.revoked_at is null
    returning c.id into v_consent;
  if v_consent is null then
    return false;
  end if;
  update private.accounts a set guardian_consent_at = null,
      state = case a.state when 'active' then private.account_state(a.birth_date, null, p_now) else a.state end
    where a.user_id = p_user_id;
  perform private.audit('guardian_consent_revoked', 'account', p_user_id,
                        jsonb_build_object('consent_id', v_consent), p_now);
  return true;
end;
$$;
comment on function private.revoke_guardian_consent(uuid, timestamptz) is 'Body of worker.revoke_guardian_consent().';

create function worker.record_guardian_consent(p_user_id uuid, p_method text, p_evidence text) returns uuid
language sql volatile security invoker set search_path = '' as $$
  select private.record_guardian_consent(p_user_id, p_method, p_evidence)
$$;
comment on function worker.record_guardian_consent(uuid, text, text) is
  'Records that a guardian consents, how that was verified and where the proof is kept; opens the account of a minor.';

create function worker.revoke_guardian_consent(p_user_id uuid) returns boolean
language sql volatile security invoker set search_path = '' as $$
  select private.revoke_guardian_consent(p_user_id)
$$;
comment on function worker.revoke_guardian_consent(uuid) is
  'Takes a consent back; the account of somebody under 18 is closed to use at once. False: there was none.';

insert into private.definer_ledger (function_name, reason) values
  ('private.record_guardian_consent', 'Writes accounts and consents, on which service_role has no rights.'),
  ('private.revoke_guardian_consent', 'Writes accounts and consents, on which service_role has no rights.');
