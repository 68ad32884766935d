-- Checks of sections 3, 4 and 5: storage, security, third parties, tracking (P3.*, P4.*, P5.*)
-- Why, Caller, Errors, Repeat: as in collection.sql.

-- Archives of exports are left to the check of their own promise (P7.4).
create function private.attest_files_are_private(p_now timestamptz default now()) returns private.finding
language sql stable security invoker set search_path = '' as $$
  select private.found(
    private.broken_guards(array['policy storage.objects nexora_objects_select_owner', 'policy storage.objects nexora_objects_insert_owner',
      'policy storage.objects nexora_objects_update_owner', 'policy storage.objects nexora_objects_delete_owner',
      'function private.object_name_is_safe'])
    || private.fault_list('policy on files that is not ours', array(
      select n from unnest(private.loose_guards(array['policy'])) n where n like 'policy storage.%was added'))
    || private.fault((select count(*) from pg_class where oid = 'storage.objects'::regclass and not relrowsecurity), 'tables of files without row-level security')
    || private.fault(count(*) filter (where b.public and b.id <> 'exports'), 'public buckets'),
    jsonb_build_object('buckets', count(*), 'files', (select count(*) from storage.objects)))
  from storage.buckets b
$$;
comment on function private.attest_files_are_private(timestamptz) is 'P3.3';

create function private.attest_tokens_are_sealed(p_now timestamptz default now()) returns private.finding
language sql stable security invoker set search_path = '' as $$
  select private.found(
    private.broken_guards(array['constraint private.token_vault access_is_sealed', 'constraint private.token_vault refresh_is_sealed',
      'constraint private.token_vault revocation_is_sealed', 'constraint private.pending_connections access_is_sealed',
      'constraint private.pending_connections refresh_is_sealed', 'constraint private.pending_connections revocation_is_sealed',
      'constraint private.revocation_outbox token_is_sealed', 'constraint private.oauth_flows verifier_is_sealed',
      'function private.is_sealed', 'function private.sealed_from_text'])
    || private.fault(count(*) filter (where substring(v.sealed_access from 1 for 4) <> '\x4e585401'
         or substring(v.sealed_refresh from 1 for 4) <> '\x4e585401' or substring(v.sealed_revocation from 1 for 4) <> '\x4e585401'),
       'rows with a token that is not sealed')
    || private.fault_list('column of the vault for something else', array(
      select a.attname::text from pg_attribute a where a.attrelid = 'private.token_vault'::regclass and a.attnum > 0
        and not a.attisdropped and a.attname ~ 'token|secret' )),
    jsonb_build_object('sealed_connections', count(*), 'format', 'NXT suite 1: AES-256-GCM'))
  from private.token_vault v
$$;
comment on function private.attest_tokens_are_sealed(timestamptz) is 'P3.4';

create function private.looks_like_a_key(p_text text) returns boolean
language sql immutable security invoker set search_path = '' as $$
  select p_text ~ '(^|[^A-Za-z0-9_])(sb_secret_|sk_(live|test)_|rk_live_|gsk_|whsec_|GOCSPX-|ghp_|xox[bap]-|AKIA[A-Z0-9]{12}|re_[A-Za-z0-9]{8,}_|eyJ[A-Za-z0-9_-]{20,}\.)[A-Za-z0-9]*|-----BEGIN [A-Z ]*PRIVATE KEY'
$$;
comment on function private.looks_like_a_key(text) is 'Whether a text holds what keys of services look like.';

create function private.attest_no_credentials_here(p_now timestamptz default now()) returns private.finding
language sql stable security invoker set search_path = '' as $$
  select private.found(
    private.fault_list('setting that looks like a credential', array(
      select s.key from private.settings s where private.looks_like_a_key(s.value #>> '{}') or s.key ~ '(secret|password|api_key|private_key)'))
    || private.fault_list('function that holds a credential', array(
      select f.name from private.own_functions() f where private.looks_like_a_key(f.definition) and f.name <> 'private.looks_like_a_key'))
    || private.broken_guards(array['constraint private.settings value_is_one_scalar']),
    jsonb_build_object('settings', (select count(*) from private.settings), 'functions', (select count(*) from private.own_functions())))
$$;
comment on function private.attest_no_credentials_here(timestamptz) is 'P3.5';

create function private.attest_rows_are_their_owners(p_now timestamptz default now()) returns private.finding
language sql stable security invoker set search_path = '' as $$
  select private.found(
    array(select g from unnest(private.loose_guards(array['policy', 'rls'])) g where g !~ '^policy storage\.'
            and substring(g from '^\S+ (\S+)') <> all (private.token_places())
            and (g !~ ' is missing$' or g ~ '_all_[a-z_]+ is missing$'))  -- without a permissive one less is open, not more
    || private.fault_list('without row-level security', array(
      select r.name from private.own_relations() r join pg_class c on c.oid = r.oid
      where r.relkind in ('r', 'p') and not c.relrowsecurity and r.name <> all (private.token_places())))
    || private.fault_list('policy for everybody', array(
      select c.oid::regclass || ' ' || p.polname from pg_policy p join pg_class c on c.oid = p.polrelid
      where c.relnamespace::regnamespace::text in ('public', 'private', 'worker', 'retained') and p.polroles <> array['authenticated'::regrole::oid])),
    jsonb_build_object('tables', (select count(*) from private.own_relations() r where r.relkind in ('r', 'p')),
      'policies', (select count(*) from pg_policy)))
$$;
comment on function private.attest_rows_are_their_owners(timestamptz) is 'P3.6';

create function private.attest_grants_are_closed(p_now timestamptz default now()) returns private.finding
language sql stable security invoker set search_path = '' as $$
  select private.found(
    array(select g from unnest(private.loose_guards(array['grants', 'calls'])) g where g ~ ' was added$'
            and substring(g from '^\S+ ([a-z_]+\.[a-z_0-9]+)') <> all (private.token_places()))
    || private.fault_list('definer outside the ledger', array(
      select p.oid::regproc::text from pg_proc p where p.prosecdef and p.pronamespace::regnamespace::text in ('public', 'private', 'worker')
        and p.pronamespace::regnamespace || '.' || p.proname not in (select l.function_name from private.definer_ledger l)))
    || private.fault_list('visitors may call', array(
      select f.name from private.own_functions() f where f.name !~ '^public\.' and has_function_privilege('anon', f.oid, 'execute'))),
    jsonb_build_object('functions', (select count(*) from private.own_functions()),
      'definers', (select count(*) from private.definer_ledger)))
$$;
comment on function private.attest_grants_are_closed(timestamptz) is 'P3.6';

create function private.attest_sessions_expire(p_now timestamptz default now()) returns private.finding
language sql stable security invoker set search_path = '' as $$
  select private.found(
    private.broken_guards(array['function private.session_is_live', 'function private.session_ends_at', 'function private.live_person',
                                'function private.expire_sessions', 'function private.current_session_id'])
    || private.unscheduled(array['expire_sessions'])
    || private.fault((private.setting_interval('session_inactivity') > interval '30 days')::int, 'setting session_inactivity above 30 days')
    || private.fault(count(*) filter (where least(s.not_after, coalesce(s.refreshed_at at time zone 'utc', s.created_at) + i.idle)
         < p_now - interval '1 day'), 'sessions that outlived their end by a day'),
    jsonb_build_object('sessions', count(*), 'inactivity', max(i.idle)::text))
  from auth.sessions s, (select private.setting_interval('session_inactivity') as idle offset 0) i  -- asked once
$$;
comment on function private.attest_sessions_expire(timestamptz) is 'P3.7';

-- The record of actions tells when; older changes were looked at by earlier attestations.
create function private.attest_new_password_ends_sessions(p_now timestamptz default now()) returns private.finding
language sql stable security invoker set search_path = '' as $$
  select private.found(
    private.broken_guards(array['trigger auth.users _120_end_sessions', 'function private.tg_users__end_sessions'])
    || private.fault(count(s.id), 'sessions older than the password'),
    jsonb_build_object('changes_in_three_days', count(distinct e.id)))
  from (select e.id, e.subject_id, e.at from private.audit_events e
        where e.action = 'password_changed' and e.at > p_now - interval '3 days') e
  left join auth.sessions s on s.user_id = e.subject_id and s.created_at < e.at
$$;
comment on function private.attest_new_password_ends_sessions(timestamptz) is 'P3.8';

create function private.attest_processors_are_promised(p_now timestamptz default now()) returns private.finding
language sql stable security invoker set search_path = '' as $$
  select private.found(
    private.broken_guards(array['constraint private.processors outside_the_promise_only_with_consent'])
    || private.fault_list('processor that the policy does not name', array(
      select p.id from private.processors p where not p.needs_consent
        and p.id not in ('supabase', 'groq', 'whisper', 'stripe', 'resend', 'netlify', 'railway')))
    || private.fault_list('processor without a purpose', array(
      select p.id from private.processors p where not exists (select from private.processor_purposes u where u.processor_id = p.id))),
    jsonb_build_object('processors', (select count(*) from private.processors)))
$$;
comment on function private.attest_processors_are_promised(timestamptz) is 'P4.1';

create function private.attest_addresses_go_with_the_mail(p_now timestamptz default now()) returns private.finding
language sql stable security invoker set search_path = '' as $$
  select private.found(
    private.broken_guards(array['constraint private.mails address_goes_with_the_message', 'constraint private.mails contents_go_with_the_message',
      'constraint private.mails retries_are_bounded', 'function private.claim_mails', 'function private.settle_mail'])
    || private.unscheduled(array['give_up_mails'])
    || private.fault(count(*) filter (where m.give_up_at < p_now - interval '1 day'), 'mails that wait longer than they may'),
    jsonb_build_object('waiting_mails', count(*), 'with_address', count(m.address)))
  from private.mails m where m.state = 'waiting'
$$;
comment on function private.attest_addresses_go_with_the_mail(timestamptz) is 'P4.3';

insert into private.promise_checks (id, promise_id, runs_in, enforced_by) values
  ('vault_seals', 'P3.1', 'worker', 'Tokens are sealed with AES-256-GCM and bound to their place; the disks of database and files are encrypted by Supabase (AES-256).'),
  ('transport_is_tls_1_3', 'P3.1', 'worker', 'Every HTTP client of the workers is built in one place, with TLS 1.3 as the floor and certificates verified.'),
  ('files_are_private', 'P3.3', 'database', 'All buckets are private; row policies on files compare the first folder with the person; URLs are signed and expire.'),
  ('tokens_are_sealed', 'P3.4', 'database', 'Constraints refuse every token that does not have the outside of a sealed record; the keys are never in the database.'),
  ('no_credentials_here', 'P3.5', 'database', 'Settings are scalars and none, nor any function, holds what looks like a credential.'),
  ('credentials_from_environment', 'P3.5', 'worker', 'Settings are read from the environment alone, secrets in a type that does not print them; the keyring is checked at start.'),
  ('rows_are_their_owners', 'P3.6', 'database', 'Row-level security on every table; policies compare the owner with the signed-in person; none is for everybody.'),
  ('grants_are_closed', 'P3.6', 'database', 'Nobody has a privilege on a table, column or function that the migrations did not give; privileged functions are on a ledger.'),
  ('sessions_expire', 'P3.7', 'database', 'Every policy asks whether the session is live; idle sessions end after 30 days and are deleted.'),
  ('new_password_ends_sessions', 'P3.8', 'database', 'A trigger on the password deletes all sessions in the same transaction; a token without its session opens nothing.'),
  ('source_holds_no_secrets', 'P3.9', 'worker', 'The sources are scanned for keys of every service in use, in CI before each change is taken and by this attestation.'),
  ('processors_are_promised', 'P4.1', 'database', 'The register lists exactly the processors of the policy; any other takes the consent of the person, by constraint.'),
  ('addresses_go_with_the_mail', 'P4.3', 'database', 'The address is looked up when a mail is sent and not kept; constraints let it stay only while the message waits.'),
  ('log_filter', 'P1.11', 'worker', 'Every line of every logger passes a filter that lets listed fields of ids, codes, counts and durations through alone.'),
  ('no_anonymous_sign_ins', 'P9.1', 'worker', 'Supabase Auth lets nobody in without an account, and so without an age.'),
  ('pages_load_nothing_foreign', 'P5.1', 'worker', 'Every answer of the worker''s web server carries a content security policy that loads nothing, and no lasting cookie.');
