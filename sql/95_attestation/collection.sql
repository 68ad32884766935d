-- Checks of sections 1 and 2: what is collected, and what it is used for (P1.*, P2.*)
-- Why:     see attest.sql. Each looks at what enforces the promise, and at the rows that would show a breach.
-- Caller:  private.attest(). Evidence holds counts and names of objects.
-- Errors:  none of their own; an exception is a failure with its SQLSTATE.
-- Repeat:  safe; nothing is written.

create function private.attest_passwords_are_hashed(p_now timestamptz default now()) returns private.finding
language sql stable security invoker set search_path = '' as $$
  select private.found(
    private.fault_list('column that looks like a password', private.columns_like('passw|passphrase|pwd'))
    || private.fault(count(*) filter (where u.encrypted_password not like '$2_$__$%'), 'passwords that are not bcrypt hashes')
    || private.fault_list('may read auth.users', array(
         select r from unnest(array['anon', 'authenticated']) r where has_table_privilege(r, 'auth.users', 'select'))),
    jsonb_build_object('passwords', count(*)))
  from auth.users u where u.encrypted_password <> ''
$$;
comment on function private.attest_passwords_are_hashed(timestamptz) is 'P1.1';

create function private.unmade_rows() returns bigint
language sql stable security invoker set search_path = '' as $$
  select sum(abs((select count(*) from private.accounts) - x.rows))::bigint from (
    select count(*) from public.profiles union all select count(*) from public.preferences
    union all select count(*) from public.media_kits) x (rows)
$$;
comment on function private.unmade_rows() is 'People without profile, preferences or media kit: each of them is one row per account.';

create function private.attest_profile_is_editable(p_now timestamptz default now()) returns private.finding
language sql stable security invoker set search_path = '' as $$
  select private.found(
    private.fault_list('people may not edit', private.closed_columns(array[
      'public.profiles.display_name', 'public.profiles.niche', 'public.profiles.bio', 'public.profiles.avatar_path',
      'public.profiles.country', 'public.media_kits.headline', 'public.media_kits.about', 'public.media_kits.audience',
      'public.media_kits.contact_email', 'public.media_kit_rates.amount_minor', 'public.social_links.url']))
    || private.broken_guards(array['policy public.profiles profiles_update_owner', 'function public.change_handle',
      'policy public.media_kits media_kits_update_owner'])
    || private.fault(private.unmade_rows(), 'people without profile, preferences or media kit'),
    jsonb_build_object('people', (select count(*) from private.accounts)))
$$;
comment on function private.attest_profile_is_editable(timestamptz) is 'P1.2';

create function private.attest_content_has_its_owner(p_now timestamptz default now()) returns private.finding
language sql stable security invoker set search_path = '' as $$
  with area (name) as (values ('scripts'), ('posts'), ('captions'), ('post_targets'))
  select private.found(
    private.fault_list('not erased, or not exported, as content', array(
      select a.name || '.' || d.column_name from area a
      join private.data_catalogue d on d.schema_name = 'public' and d.relation = a.name and d.category = 'user.content'
      where d.erase_action <> 'delete_row' or d.export_action <> 'include'))
    || private.fault_list('without content in the catalogue', array(
      select a.name from area a where not exists (select from private.data_catalogue d
        where d.schema_name = 'public' and d.relation = a.name and d.category = 'user.content')))
    || private.fault_list('without an owner', array(
      select a.name from area a where not exists (select from pg_attribute t
        where t.attrelid = to_regclass('public.' || a.name) and t.attname = 'user_id' and t.attnotnull)))
    || private.fault((select count(*) from public.posts p where not exists (
         select from private.accounts x where x.user_id = p.user_id)), 'posts of nobody'),
    jsonb_build_object('areas', (select count(*) from area), 'posts', (select count(*) from public.posts)))
$$;
comment on function private.attest_content_has_its_owner(timestamptz) is 'P1.3';

create function private.attest_devices_are_coarse(p_now timestamptz default now()) returns private.finding
language sql stable security invoker set search_path = '' as $$
  select private.found(
    private.broken_guards(array['trigger auth.sessions _100_reduce_device', 'function private.tg_sessions__reduce_device',
                                'function private.browser_family', 'function private.os_family',
                                'constraint private.usage_events name_is_coarse'])
    || private.fault((sum(s.sessions) filter (where s.user_agent !~ '^[A-Z][A-Za-z ]{1,20} on [A-Za-z]{1,12}$'))::bigint, 'sessions that say more of the device')
    || private.fault_list('column that may describe a device', private.columns_like('user_agent|fingerprint|device_|hardware')),
    jsonb_build_object('sessions', coalesce(sum(s.sessions), 0), 'kinds_of_device', count(s.user_agent)))
  from (select o.user_agent, count(*)::bigint as sessions from auth.sessions o group by 1) s
$$;
comment on function private.attest_devices_are_coarse(timestamptz) is 'P1.8';

-- Housekeeping runs every few minutes: an hour more than the term is a lapse.
create function private.attest_addresses_are_dropped(p_now timestamptz default now()) returns private.finding
language sql stable security invoker set search_path = '' as $$
  select private.found(
    private.broken_guards(array['function private.drop_addresses', 'function private.set_login_countries',
                                'function private.tg_audit_log_entries__drop_address'])
    || private.fault(count(*) filter (where s.created_at < p_now - make_interval(hours => private.setting_int('address_hours') + 1)),
                     'addresses older than their term')
    || private.fault(greatest(private.setting_int('address_hours') - 24, 0), 'hours too many in setting address_hours')
    || private.unscheduled(array['drop_addresses'])
    || private.fault_list('column for addresses', array(
      select r.name || '.' || a.attname from private.own_relations() r
      join pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and a.atttypid in ('inet'::regtype, 'cidr'::regtype))),
    jsonb_build_object('sessions_with_address', count(*), 'term_hours', private.setting_int('address_hours')))
  from auth.sessions s where s.ip is not null
$$;
comment on function private.attest_addresses_are_dropped(timestamptz) is 'P1.9';

create function private.attest_logins_are_recorded(p_now timestamptz default now()) returns private.finding
language sql stable security invoker set search_path = '' as $$
  select private.found(
    private.broken_guards(array['trigger auth.sessions _200_record_login', 'function private.tg_sessions__record_login'])
    || private.fault_list('may read tokens of sessions', array(
      select r from unnest(array['anon', 'authenticated']) r where has_table_privilege(r, 'auth.refresh_tokens', 'select')))
    || private.fault((select count(*) from auth.sessions s
         left join public.login_events e on e.session_id = s.id
         where e.id is null and s.created_at > p_now - interval '12 months'), 'sessions without a recorded login'),
    jsonb_build_object('sessions', (select count(*) from auth.sessions), 'session_tokens', 'kept by Supabase Auth on encrypted disks'))
$$;
comment on function private.attest_logins_are_recorded(timestamptz) is 'P1.10';

create function private.attest_records_hold_no_content(p_now timestamptz default now()) returns private.finding
language sql stable security invoker set search_path = '' as $$
  select private.found(
    private.broken_guards(array['constraint private.audit_events details_hold_no_content', 'function private.audit',
      'constraint private.dead_letters code_is_no_text', 'constraint public.notifications code_is_no_text',
      'constraint public.connections last_error_code_is_a_code', 'constraint private.mails code_is_no_text'])
    || private.fault(count(*) filter (where l.last_code ~ '[@ ]'), 'records of failed work that hold text'),
    jsonb_build_object('records_of_failed_work', count(*)))
  from private.dead_letters l
$$;
comment on function private.attest_records_hold_no_content(timestamptz) is 'P1.11';

create function private.attest_accounts_connect_by_oauth(p_now timestamptz default now()) returns private.finding
language sql stable security invoker set search_path = '' as $$
  select private.found(
    private.broken_guards(array['constraint private.oauth_flows flow_lives_ten_minutes', 'constraint private.oauth_flows hashes_are_sha256',
      'constraint private.oauth_flows verifier_dies_when_used', 'constraint private.pending_connections pending_for_ten_minutes',
      'function private.consume_oauth_state', 'function private.redeem_ticket', 'function private.confirm_connection'])
    || private.unscheduled(array['forget_oauth_flows', 'drop_unconfirmed_connections'])
    || private.fault(count(*) filter (where f.expires_at < p_now - interval '1 hour'), 'attempts to connect that outlived their time'),
    jsonb_build_object('open_attempts', count(*), 'connections', (select count(*) from public.connections)))
  from private.oauth_flows f
$$;
comment on function private.attest_accounts_connect_by_oauth(timestamptz) is 'P1.12';

create function private.attest_purposes_are_listed(p_now timestamptz default now()) returns private.finding
language sql stable security invoker set search_path = '' as $$
  select private.found(
    private.broken_guards(array['function private.may_process', 'function private.require_processing',
      'constraint private.data_catalogue data_catalogue_purpose_lawful_basis_fkey'])
    || private.fault_list('purpose that the policy does not name', array(
      select p.id from private.processing_purposes p where p.id not in ('features', 'ai_processing', 'security',
        'transactional_email', 'product_improvement', 'billing', 'marketing', 'legal_duty'))),
    jsonb_build_object('purposes', (select count(*) from private.processing_purposes),
      'registered_places', (select count(*) from private.data_catalogue)))
$$;
comment on function private.attest_purposes_are_listed(timestamptz) is 'P2.1';

create function private.attest_nobody_trains(p_now timestamptz default now()) returns private.finding
language sql stable security invoker set search_path = '' as $$
  select private.found(
    private.broken_guards(array['constraint private.processors never_trains_on_data', 'function private.require_processor'])
    || private.fault(count(*) filter (where p.trains_on_data), 'processors that train on data'),
    jsonb_build_object('processors', count(*)))
  from private.processors p
$$;
comment on function private.attest_nobody_trains(timestamptz) is 'P2.2';

create function private.attest_nothing_is_sold(p_now timestamptz default now()) returns private.finding
language sql stable security invoker set search_path = '' as $$
  select private.found(
    private.broken_guards(array['constraint private.processing_purposes no_training_no_advertising'])
    || private.fault_list('column of an advertising profile', private.columns_like('advert|(^|_)(idfa|gaid|ad_id|segment|utm_[a-z]+)(_|$)'))
    || private.fault(count(*) filter (where d.kind = 'external' and not exists (
         select from private.processors p where p.id = d.relation)), 'registered recipients that are no processors'),
    jsonb_build_object('recipients', count(*) filter (where d.kind = 'external')))
  from private.data_catalogue d
$$;
comment on function private.attest_nothing_is_sold(timestamptz) is 'P2.3';

create function private.attest_marketing_has_consent(p_now timestamptz default now()) returns private.finding
language sql stable security invoker set search_path = '' as $$
  select private.found(
    private.broken_guards(array['constraint public.mail_categories marketing_needs_consent', 'trigger private.mails _100_need_consent',
      'function private.tg_mails__need_consent', 'function private.unsendable_code',
      'trigger public.mail_preferences _100_need_consent', 'function private.tg_mail_preferences__need_consent'])
    || private.fault(count(*) filter (where m.sent_at is not null and not exists (
         select from public.consents c where c.user_id = m.user_id and c.purpose_id = 'marketing' and c.is_given and c.at <= m.created_at)),
       'marketing mails without consent'),
    jsonb_build_object('marketing_mails', count(*)))
  from private.mails m where m.category_id = 'marketing'
$$;
comment on function private.attest_marketing_has_consent(timestamptz) is 'P2.4';

create function private.attest_no_card_data(p_now timestamptz default now()) returns private.finding
language sql stable security invoker set search_path = '' as $$
  select private.found(
    private.fault_list('column for card data', private.columns_like('(^|_)(pan|cvc|cvv|iban|card_number|card_holder|expiry_month|expiry_year)(_|$)'))
    || private.fault_list('not registered with Stripe as its processor', array(
      select 'stripe' where not exists (select from private.processor_purposes p where p.processor_id = 'stripe' and p.purpose_id = 'billing')))
    || private.fault((select count(*) from private.settings s where s.value #>> '{}' ~ '^[0-9]{13,19}$'), 'settings that look like card numbers'),
    jsonb_build_object('relations', (select count(*) from private.own_relations())))
$$;
comment on function private.attest_no_card_data(timestamptz) is 'P2.5';

insert into private.promise_checks (id, promise_id, runs_in, enforced_by) values
  ('passwords_are_hashed', 'P1.1', 'database', 'Passwords are kept by Supabase Auth as bcrypt hashes in a table that no role of the API reads; no column of ours is for one.'),
  ('profile_is_editable', 'P1.2', 'database', 'Column privileges and row policies let the person edit every field of profile and media kit; both exist from sign-up on.'),
  ('content_has_its_owner', 'P1.3', 'database', 'Every content table has an owner that is never empty; the data catalogue has its texts erased and exported.'),
  ('devices_are_coarse', 'P1.8', 'database', 'A trigger reduces the user agent of every session to browser and operating system before it is stored; usage events take classes alone.'),
  ('addresses_are_dropped', 'P1.9', 'database', 'An address is deleted once its country is known, after 24 hours in every case; the log of Auth never gets one.'),
  ('logins_are_recorded', 'P1.10', 'database', 'A trigger writes time and method of every login; tokens of sessions stay within Supabase Auth, out of reach of the API.'),
  ('records_hold_no_content', 'P1.11', 'database', 'Constraints let ids, codes and counts alone into records of actions, failures and notices.'),
  ('accounts_connect_by_oauth', 'P1.12', 'database', 'Accounts are connected by OAuth 2.0 with PKCE, one-time states and tickets kept as hashes, for ten minutes at most.'),
  ('purposes_are_listed', 'P2.1', 'database', 'The catalogue takes data for a listed purpose with its lawful basis only; every job asks whether it may process before it does.'),
  ('nobody_trains', 'P2.2', 'database', 'A constraint keeps processors that train on data out of the register, and what is not in it cannot be called.'),
  ('nothing_is_sold', 'P2.3', 'database', 'A constraint refuses purposes of advertising or resale; every recipient in the catalogue is a registered processor.'),
  ('marketing_has_consent', 'P2.4', 'database', 'Triggers refuse a marketing mail without recorded consent when it is queued, and the sender asks again when it is sent.'),
  ('no_card_data', 'P2.5', 'database', 'No column for card data exists in any schema; payments are made at Stripe, whose identifiers alone are kept.');
