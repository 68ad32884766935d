-- Checks of sections 7 to 11: rights, retention, children, countries, changes of the policy (P7.* to P11.*)
-- Why, Caller, Errors, Repeat: as in collection.sql.

create function private.attest_everything_can_be_viewed(p_now timestamptz default now()) returns private.finding
language sql stable security invoker set search_path = '' as $$
  with place as materialized (
    select d.schema_name || '.' || d.relation as name, array_agg(distinct d.category) as categories
    from private.data_catalogue d where d.subject_path <> 'none'
    group by 1 having bool_or(d.category <> 'system.operations')
  )
  select private.found(
    private.broken_guards(array['function public.my_data', 'function private.my_data', 'function private.count_held', 'function private.source_of',
      'calls public.my_data authenticated execute', 'calls private.my_data authenticated execute'])
    || private.fault_list('nobody says where it is from', array(
      select p.name from place p where cardinality(private.source_of(p.name, p.categories)) = 0)),
    jsonb_build_object('places_shown', (select count(*) from place)))
$$;
comment on function private.attest_everything_can_be_viewed(timestamptz) is 'P7.1';

create function private.attest_data_can_be_corrected(p_now timestamptz default now()) returns private.finding
language sql stable security invoker set search_path = '' as $$
  select private.found(
    private.fault_list('people may not correct', private.closed_columns(array['public.scripts.title', 'public.scripts.body',
      'public.posts.title', 'public.posts.body', 'public.captions.body', 'public.media.alt_text',
      'public.preferences.language', 'public.preferences.time_zone']))
    || private.fault_list('people may not delete from', array(
      select t from unnest(array['public.scripts', 'public.posts', 'public.captions', 'public.media']) t
      where not has_table_privilege('authenticated', t, 'delete')))
    || private.broken_guards(array['policy public.scripts scripts_update_owner', 'policy public.captions captions_update_owner'])
    || private.fault((select count(*) from public.profiles p where p.handle is null), 'profiles without a handle'),
    jsonb_build_object('scripts', (select count(*) from public.scripts), 'captions', (select count(*) from public.captions)))
$$;
comment on function private.attest_data_can_be_corrected(timestamptz) is 'P7.2';

create function private.attest_opting_out_works(p_now timestamptz default now()) returns private.finding
language sql stable security invoker set search_path = '' as $$
  with latest as (
    select distinct on (c.user_id) c.user_id, c.is_given from public.consents c
    where c.purpose_id = 'product_improvement' order by c.user_id, c.at desc, c.id
  )
  select private.found(
    private.broken_guards(array['function private.choose', 'function private.set_choice', 'function public.withdraw_consent', 'function private.log_choice',
      'trigger public.preferences _300_log_choice', 'function private.tg_preferences__log_choice'])
    || private.fault_list('people may not switch off', private.closed_columns(array['public.preferences.product_analytics']))
    || private.fault((select count(*) from latest l join public.preferences f using (user_id) where f.product_analytics <> l.is_given)
                     + (select count(*) from public.preferences f where not f.product_analytics
                        and not exists (select from public.consents c where c.user_id = f.user_id and c.purpose_id = 'product_improvement')),
                     'choices that the switch and the log state differently'),
    jsonb_build_object('opted_out', (select count(*) from public.preferences f where not f.product_analytics)))
$$;
comment on function private.attest_opting_out_works(timestamptz) is 'P7.5';

create function private.attest_mail_can_be_switched_off(p_now timestamptz default now()) returns private.finding
language sql stable security invoker set search_path = '' as $$
  select private.found(
    private.broken_guards(array['constraint public.mail_categories what_the_promise_keeps_on_stays_on',
      'constraint public.mail_categories everything_else_can_be_switched_off',
      'constraint public.mail_preferences mandatory_mail_cannot_be_switched_off',
      'function private.mail_is_wanted', 'function private.choose_mail', 'function private.unsubscribe', 'function private.set_mail_preference'])
    || private.fault(count(*) filter (where c.is_mandatory <> (c.id in ('security', 'billing', 'policy'))), 'categories that are mandatory and must not be, or the reverse')
    || private.fault((select count(*) from private.mails m join public.mail_preferences p using (user_id, category_id)
         where m.state = 'sent' and not p.is_wanted and m.created_at > p.changed_at), 'mails sent after they were switched off'),
    jsonb_build_object('categories', count(*), 'switched_off', (select count(*) from public.mail_preferences p where not p.is_wanted)))
  from public.mail_categories c
$$;
comment on function private.attest_mail_can_be_switched_off(timestamptz) is 'P7.6';

create function private.attest_active_data_is_kept(p_now timestamptz default now()) returns private.finding
language sql stable security invoker set search_path = '' as $$
  select private.found(
    private.fault_list('has a term though its account is active', array(
      select concat_ws('.', d.relation, d.column_name) from private.data_catalogue d
      where d.schema_name = 'public' and d.retain_for is not null and d.relation in ('profiles', 'preferences', 'media_kits',
        'media_kit_rates', 'social_links', 'scripts', 'posts', 'captions', 'media', 'post_media', 'post_targets', 'connections')))
    || private.fault_list('partitions of content are dropped', array(
      select t.table_name from private.partitioned_tables t where t.table_name ~ '^public\.(scripts|posts|captions|media|profiles)$'))
    || private.fault(count(*) filter (where u.id is null), 'accounts whose sign-in is gone'),
    jsonb_build_object('accounts', count(*)))
  from private.accounts a left join auth.users u on u.id = a.user_id
$$;
comment on function private.attest_active_data_is_kept(timestamptz) is 'P8.1';

-- Terms whose lapse breaks a promise of its own are left to that promise's check.
create function private.attest_terms_are_kept(p_now timestamptz default now()) returns private.finding
language sql stable security invoker set search_path = '' as $$
  select private.found(
    private.fault_list('term that is not kept', array(
      select f.relation || ' ' || f.fault from private.retention_faults(p_now) f
      where f.relation not in ('auth.sessions', 'private.erasures', 'private.erasure_outbox', 'private.erasure_notices', 'private.erasure_tombstones',
        'private.revocation_outbox', 'private.oauth_flows', 'private.pending_connections', 'retained.billing_invoices')
        and f.relation !~ '^public\.(profiles|preferences|media|posts?|scripts|captions|post_[a-z]+|connections|social_links)'))
    || private.broken_guards(array['function private.retention_faults', 'function private.retention_gaps', 'function private.apply_retention'])
    || private.unscheduled(array['apply_retention']),
    jsonb_build_object('terms', (select count(*) from private.retention_rules)))
$$;
comment on function private.attest_terms_are_kept(timestamptz) is 'P8.1';

-- What nobody registered would be neither erased nor exported.
create function private.attest_catalogue_is_complete(p_now timestamptz default now()) returns private.finding
language sql stable security invoker set search_path = '' as $$
  select private.found(
    private.fault_list('gap in the catalogue', array(select g.gap || ' ' || coalesce(g.subject, '') from private.catalogue_gaps() g))
    || private.fault((select count(*) from private.data_catalogue d where d.kind = 'backup'
         and (d.retain_for is null or d.retain_for > interval '60 days')), 'backups that outlive an erasure by more than 60 days')
    || private.broken_guards(array['function private.catalogue_gaps', 'function private.catalogue_differences',
         'function private.live_columns', 'function private.delete_auth_user'])
    || private.fault((select count(*) from private.accounts a where not exists (select from auth.users u where u.id = a.user_id)),
                     'accounts left behind by their person'),
    jsonb_build_object('registered_places', (select count(*) from private.data_catalogue), 'catalogue', private.catalogue_hash()))
$$;
comment on function private.attest_catalogue_is_complete(timestamptz) is 'P8.2';

create function private.attest_nobody_under_13(p_now timestamptz default now()) returns private.finding
language sql stable security invoker set search_path = '' as $$
  select private.found(
    private.broken_guards(array['trigger auth.users _100_open_account', 'function private.tg_users__open_account',
      'function private.open_account', 'function private.lawful_birth_date', 'function private.parse_birth_date',
      'function private.age_in_years', 'function private.complete_sign_up'])
    || private.fault(count(*) filter (where a.birth_date > (p_now at time zone 'utc')::date - interval '13 years' and a.state <> 'locked'),
                     'accounts of children'),
    jsonb_build_object('accounts', count(*)))
  from private.accounts a
$$;
comment on function private.attest_nobody_under_13(timestamptz) is 'P9.1';

create function private.attest_minors_have_a_guardian(p_now timestamptz default now()) returns private.finding
language sql stable security invoker set search_path = '' as $$
  select private.found(
    private.broken_guards(array['function private.account_state', 'function private.account_is_usable', 'function private.require_person',
      'function private.record_guardian_consent', 'function private.revoke_guardian_consent',
      'constraint private.accounts incomplete_until_birth_date_is_known', 'constraint private.guardian_consents consent_has_method_and_evidence'])
    || private.fault(count(*) filter (where not exists (select from private.guardian_consents g
         where g.user_id = a.user_id and g.confirmed_at is not null and g.revoked_at is null)), 'minors without a guardian''s consent'),
    jsonb_build_object('minors', count(*)))
  from private.accounts a
  where a.state = 'active' and a.birth_date > (p_now at time zone 'utc')::date - interval '18 years'
$$;
comment on function private.attest_minors_have_a_guardian(timestamptz) is 'P9.2';

create function private.attest_purposes_have_a_basis(p_now timestamptz default now()) returns private.finding
language sql stable security invoker set search_path = '' as $$
  select private.found(
    private.broken_guards(array['constraint private.processing_purposes basis_is_one_of_article_6',
      'constraint private.processing_purposes consent_may_be_refused', 'constraint public.consents given_names_its_text',
      'trigger public.consents _100_append_only', 'trigger public.consents _110_keep_all', 'function private.tg_consents__append_only'])
    || private.fault(count(*) filter (where c.is_given and c.text_hash is distinct from private.definition_hash(t.body)),
                     'consents to a wording that is not on record'),
    jsonb_build_object('consents', count(*), 'wordings', (select count(*) from private.consent_texts)))
  from public.consents c
  left join private.consent_texts t on t.purpose_id = c.purpose_id and t.version = c.text_version
$$;
comment on function private.attest_purposes_have_a_basis(timestamptz) is 'P10.1';

create function private.attest_countries_have_a_safeguard(p_now timestamptz default now()) returns private.finding
language sql stable security invoker set search_path = '' as $$
  select private.found(
    private.broken_guards(array['constraint private.processors countries_are_iso_3166_alpha_2', 'constraint private.processors safeguard_is_known'])
    || private.fault_list('not compared with the contract for a year', array(
      select p.id from private.processors p where p.checked_on < (p_now at time zone 'utc')::date - 365)),
    (select jsonb_object_agg(p.id, array_to_string(p.countries, ' ') || ' ' || p.safeguard) from private.processors p))
$$;
comment on function private.attest_countries_have_a_safeguard(timestamptz) is 'P10.2';

insert into private.promise_checks (id, promise_id, runs_in, enforced_by) values
  ('everything_can_be_viewed', 'P7.1', 'database', 'One call shows every place of the catalogue in which something of the caller is held, with source, purpose, basis and term.'),
  ('data_can_be_corrected', 'P7.2', 'database', 'Column privileges and row policies let the person change and delete what they entered.'),
  ('opting_out_works', 'P7.5', 'database', 'The switch and the log of consents are one choice, kept equal by triggers; every job asks for it before it works.'),
  ('mail_can_be_switched_off', 'P7.6', 'database', 'Constraints say which categories are mandatory; whether a mail is wanted is asked again when it is sent.'),
  ('active_data_is_kept', 'P8.1', 'database', 'Content and profile have no term in the catalogue: nothing deletes them but their person or an erasure.'),
  ('terms_are_kept', 'P8.1', 'database', 'Every term of the catalogue is a rule with the job that keeps it; nothing is kept past its term, and nothing else has one.'),
  ('catalogue_is_complete', 'P8.2', 'database', 'A catalogue of every place that holds data, equal to the live schema both ways, drives erasure; backups end after 35 days.'),
  ('nobody_under_13', 'P9.1', 'database', 'A trigger refuses the sign-up of a child; who completes a sign-up and turns out to be one is removed in the same call.'),
  ('minors_have_a_guardian', 'P9.2', 'database', 'An account between 13 and 18 is unusable, by every policy and function, until the consent of a guardian is recorded.'),
  ('purposes_have_a_basis', 'P10.1', 'database', 'A purpose without a basis of Article 6 GDPR cannot be listed; the log of consents is append-only and keeps the wording.'),
  ('countries_have_a_safeguard', 'P10.2', 'database', 'The register demands countries and a known safeguard of every processor; both are compared with the contract each year.');
