"""What breaks each check: the enforcement taken away, or a row that shows a breach. Each breaks exactly one check.

Run as superuser, in a transaction that is rolled back. `{user}`, `{session}`, `{connection}`, `{target}` are ids of a
seeded person. Rows that the enforcement itself would keep out are put in with triggers off.
"""

# ruff: noqa: E501  (statements stay in one piece; nothing in them comes from outside)

from __future__ import annotations

from typing import Final

__all__ = ["PLANTS"]

_OFF: Final = "set local session_replication_role = replica; "
_ON: Final = "; set local session_replication_role = origin"
_SEALED: Final = r"'\x4e585401' || decode(repeat('01', 200), 'hex')"


def _function(
    signature: str,
    returns: str,
    body: str,
    *,
    language: str = "sql",
    volatility: str = "stable",
    security: str = "definer",
) -> str:
    """Replaces a body and leaves everything else as it was."""
    return f"create or replace function {signature} returns {returns} language {language} {volatility} security {security} set search_path = '' as $x$ {body} $x$"


PLANTS: Final[dict[str, tuple[str, ...]]] = {
    "passwords_are_hashed": (
        _OFF + "update auth.users set encrypted_password = 'correct horse' where id = '{user}'" + _ON,
        "grant select on auth.users to authenticated",
    ),
    "profile_is_editable": (
        "drop policy profiles_update_owner on public.profiles",
        "revoke update (bio) on public.profiles from authenticated",
        "delete from public.media_kits where user_id = '{user}'",
    ),
    "content_has_its_owner": (
        "update private.data_catalogue set export_action = 'exclude_derived', export_name = null where relation = 'captions' and column_name = 'body'",
        "alter table public.captions alter column user_id drop not null",
    ),
    "devices_are_coarse": (
        "drop trigger _100_reduce_device on auth.sessions",
        "alter table private.usage_events drop constraint name_is_coarse",
        _OFF
        + "update auth.sessions set user_agent = 'Mozilla/5.0 (X11; Linux x86_64)' where id = '{session}'"
        + _ON,
    ),
    "usage_is_anonymised": (
        "alter table private.usage_keys set logged",
        "delete from private.backup_exclusions where relation = 'private.usage_events'",
        "insert into private.usage_keys values ((now() - interval '26 hours')::date, sha256('k'))",
        "delete from private.housekeeping_tasks where task = 'count_usage'",
        _function(
            "private.usage_pseudonym(p_key bytea, p_person uuid)",
            "bytea",
            "select uuid_send(p_person)",
            volatility="immutable",
            security="invoker",
        ),
    ),
    "usage_names_nobody": (
        "alter table public.preferences disable trigger _310_forget_usage",
        "insert into private.usage_keys values ((now() at time zone 'utc')::date, sha256('k')); "
        "insert into private.usage_events select (now() at time zone 'utc')::date, private.usage_pseudonym(sha256('k'), '{user}'), 'page', 'home'",
        "alter table private.usage_events add column at timestamptz; "
        """select private.register_data('private.usage_events', 'daily:pseudonym', 'product_improvement', 'expire', '{{"user.behavior": "at"}}', p_retain_for => '30 days', p_anchor => 'created')""",
        _function("private.wants_privacy()", "boolean", "select false", security="invoker"),
    ),
    "aggregates_trace_to_nobody": (
        "drop trigger _100_append_only on private.usage_aggregates",
        "update private.settings set value = '3' where key = 'usage_least_people'",
        "insert into private.usage_releases values ('2026-01-05', now()); insert into private.usage_day_counts values ('2026-01-07', 'page', 'home', 1)",
        "alter table private.usage_aggregates drop constraint at_least_ten_people; insert into private.usage_releases values ('2026-01-05', now()); "
        "insert into private.usage_aggregates values ('2026-01-05', 'country', 'AD', 5); alter table private.usage_aggregates add constraint at_least_ten_people check (people_days >= 70) not valid",
    ),
    "addresses_are_dropped": (
        _OFF
        + "update auth.sessions set ip = '203.0.113.9', created_at = now() - interval '26 hours' where id = '{session}'"
        + _ON,
        "update private.settings set value = '72' where key = 'address_hours'",
        "delete from private.housekeeping_tasks where task = 'drop_addresses'",
    ),
    "logins_are_recorded": (
        "drop trigger _200_record_login on auth.sessions",
        "delete from public.login_events where session_id = '{session}'",
    ),
    "records_hold_no_content": (
        "alter table private.audit_events drop constraint details_hold_no_content",
        "alter table private.dead_letters drop constraint code_is_no_text; "
        "alter table private.dead_letters add constraint code_is_no_text check (true)",
    ),
    "accounts_connect_by_oauth": (
        "alter table private.oauth_flows drop constraint flow_lives_ten_minutes",
        "insert into private.oauth_flows (user_id, platform_id, features, scopes, redirect_to, ticket_hash, ticket_expires_at, created_at, expires_at) "
        "values ('{user}', 'x', '{{profile}}', '{{users.read}}', 'https://app.example', sha256('t'), now() - interval '3 hours', now() - interval '3 hours', now() - interval '3 hours')",
    ),
    "purposes_are_listed": (
        _function(
            "private.may_process(p_person uuid, p_purpose text)", "boolean", "select true", security="invoker"
        ),
        "insert into private.processing_purposes values ('curiosity', 'contract', false, 'Whatever somebody feels like.')",
    ),
    "nobody_trains": (
        "alter table private.processors drop constraint never_trains_on_data; update private.processors set trains_on_data = true where id = 'groq'",
    ),
    "nothing_is_sold": (
        "alter table private.processing_purposes drop constraint no_training_no_advertising",
        "update private.data_catalogue set relation = 'broker' where schema_name = 'external' and relation = 'resend'",
    ),
    "marketing_has_consent": (
        "drop trigger _100_need_consent on private.mails",
        _OFF
        + "insert into private.mails (user_id, template_id, category_id, dedupe_key, state, created_at, give_up_at, sent_at, provider_id) "
        "values ('{user}', 'news', 'marketing', 'news:1', 'sent', now(), now() + interval '1 day', now(), 'p1')"
        + _ON,
    ),
    "no_card_data": (
        "alter table public.profiles add column card_number text; "
        """select private.register_data('public.profiles', 'user_id', 'features', 'delete_row', '{{"user.financial": "card_number"}}', 'profile'); """
        "select private.forget_statistics()",
        "delete from private.processor_purposes where processor_id = 'stripe'; insert into private.processor_purposes values ('stripe', 'legal_duty')",
    ),
    "files_are_private": (
        "update storage.buckets set public = true where id = 'avatars'",
        "create policy open on storage.objects for select to anon using (true)",
        "alter policy nexora_objects_select_owner on storage.objects using (bucket_id = 'media')",
        "alter table storage.objects disable row level security",
    ),
    "tokens_are_sealed": (
        "alter table private.token_vault drop constraint access_is_sealed",
        "alter table private.token_vault drop constraint access_is_sealed; update private.token_vault set sealed_access = 'a bare token'; "
        "alter table private.token_vault add constraint access_is_sealed check (private.is_sealed(sealed_access)) not valid",
    ),
    "no_credentials_here": (
        "insert into private.settings values ('groq_access', to_jsonb('gsk_' || 'abcdefgh'), 'planted')",
        "create function private.planted() returns text language sql as $x$ select null $x$; "
        "revoke all on function private.planted() from public; "
        "update pg_proc set prosrc = 'select ''sk_' || 'live_x' || chr(39) where proname = 'planted'",
    ),
    "rows_are_their_owners": (
        "create policy captions_select_everybody on public.captions for select to authenticated using (true)",
        "alter table public.posts disable row level security",
        "alter policy scripts_select_owner on public.scripts using (true)",
        "drop policy posts_all_usable_account on public.posts",
    ),
    "grants_are_closed": (
        "grant select on private.accounts to service_role",
        "grant execute on function private.housekeeping(timestamptz) to authenticated",
        "grant update (state) on public.connections to authenticated",
        "alter function private.setting(text) security definer",
    ),
    "sessions_expire": (
        _function("private.session_is_live(p_now timestamptz default now())", "boolean", "select true"),
        "update private.settings set value = '\"10 years\"' where key = 'session_inactivity'",
        _OFF
        + "update auth.sessions set refreshed_at = (now() - interval '32 days') at time zone 'utc' where id = '{session}'"
        + _ON,
        "delete from private.housekeeping_tasks where task = 'expire_sessions'",
    ),
    "new_password_ends_sessions": (
        "drop trigger _120_end_sessions on auth.users",
        "alter table auth.users disable trigger _120_end_sessions",
        "select private.audit('password_changed', 'account', '{user}', p_now := now() + interval '1 second')",
    ),
    "processors_are_promised": (
        "insert into private.processors values ('acme', 'Acme', 'Something', 'Everything', '{{US}}', 'adequacy_decision', false, true, false, current_date); "
        "insert into private.processor_purposes values ('acme', 'features')",
        "alter table private.processors drop constraint outside_the_promise_only_with_consent",
    ),
    "addresses_go_with_the_mail": (
        "alter table private.mails drop constraint address_goes_with_the_message",
        "insert into private.mails (user_id, template_id, category_id, dedupe_key, created_at, give_up_at) "
        "values ('{user}', 'incident', 'security', 'incident:1', now() - interval '9 days', now() - interval '2 days')",
    ),
    "youtube_scopes": (
        "update public.platform_features set scopes = scopes || array['https://www.googleapis.com/auth/gmail.readonly'] where platform_id = 'youtube' and feature = 'profile'",
    ),
    "x_scopes": (
        "alter table public.connections drop constraint x_never_reads_direct_messages; update public.connections set scopes = scopes || array['dm.read'] where id = '{connection}'",
        "alter table public.platform_features drop constraint x_never_reads_direct_messages",
        "update public.platform_features set scopes = scopes || array['follows.write'] where platform_id = 'x' and feature = 'profile'",
    ),
    "linkedin_scopes": (
        "update public.platform_features set scopes = scopes || array['r_network'] where platform_id = 'linkedin' and feature = 'profile'",
    ),
    "instagram_and_tiktok_scopes": (
        "update public.platform_features set scopes = scopes || array['research.data.basic'] where platform_id = 'tiktok' and feature = 'profile'",
        "insert into public.platform_features values ('instagram', 'analytics', '{{instagram_manage_everything}}', 'Does whatever it likes to do.')",
    ),
    "scopes_are_needed": (
        _function(
            "private.required_scopes(p_platform text, p_features text[])",
            "text[]",
            "select '{{}}'::text[]",
            security="invoker",
        ),
        "update public.connections set scopes = '{{users.read}}' where id = '{connection}'; "
        "insert into private.queue (lane, subject_id, due_at, attempt, sending_at, sending_attempt) values ('publish', '{target}', now(), 1, now(), 1) "
        "on conflict (lane, subject_id) do update set attempt = 1, sending_at = now(), sending_attempt = 1",
    ),
    "vault_is_closed": (
        "grant select on private.token_vault to service_role",
        "grant select (sealed_access) on private.pending_connections to authenticated",
        "alter table private.revocation_outbox disable row level security",
        "create policy vault_select_staff on private.token_vault for select to authenticated using (true)",
    ),
    "disconnecting_deletes_tokens": (
        "alter table private.revocation_outbox drop constraint gone_within_24_hours",
        f"insert into private.revocation_outbox (user_id, platform_id, connection_id, external_account_id, generation, sealed_token, created_at, delete_by) "
        f"values ('{{user}}', 'x', '{{connection}}', 'a', 1, {_SEALED}, now() - interval '26 hours', now() - interval '2 hours')",
        _OFF
        + "update public.connections set state = 'needs_reconnect', token_expires_at = null where id = '{connection}'"
        + _ON,
    ),
    "accounts_can_be_disconnected": (
        "update public.connections set usable_until = now() - interval '2 days' where id = '{connection}'",
        "delete from private.token_vault where connection_id = '{connection}'",
        _function(
            "private.end_expired_grants(p_now timestamptz default now())",
            "bigint",
            "select 0::bigint",
            volatility="volatile",
            security="invoker",
        ),
    ),
    "breaches_are_told_in_time": (
        "alter table private.incidents drop constraint within_72_hours_of_awareness",
        "insert into private.incidents (aware_at, notify_by, opened_at, title, happened, affected, doing, advice) "
        "values (now() - interval '80 hours', now() - interval '8 hours', now() - interval '80 hours', 'A breach', 'Somebody read what was not theirs.', 'Names', 'Closing the hole', 'Change your password')",
        "alter table private.mails disable trigger _320_prove_incident",
    ),
    "changes_are_announced": (
        "alter table public.policy_versions drop constraint fourteen_days_after_the_announcement",
        "delete from private.housekeeping_tasks where task = 'settle_policy_mailings'",
        "drop trigger _100_keep on public.policy_versions",
    ),
    "pending_changes_are_shown": ("revoke execute on function public.list_policies() from authenticated",),
    "acceptance_is_recorded": (
        "drop trigger _320_accept_policy on auth.sessions",
        _OFF + "delete from public.policy_acceptances where user_id = '{user}'" + _ON,
    ),
    "exports_are_complete": (
        "update private.data_catalogue set export_action = 'exclude_derived', export_name = null where schema_name = 'public' and relation = 'media' and column_name = 'alt_text'",
        "update private.data_catalogue set export_name = 'captions' where schema_name = 'public' and relation = 'queue_slots' and export_action = 'include'",
        "alter function private.export_lines(uuid) volatile",
        "insert into private.exports (user_id, requested_at) values ('{user}', now() - interval '4 days')",
    ),
    "exports_are_private": (
        "update storage.buckets set public = true where id = 'exports'",
        "insert into storage.objects (bucket_id, name, created_at) values ('exports', '{user}/old.zip', now() - interval '9 days')",
        "alter table private.exports drop constraint gone_after_seven_days",
        "update private.export_tickets set expires_at = now() + interval '1 day' where user_id = '{user}'",
        "update private.data_catalogue set category = 'user.unique_id', export_action = 'include', export_name = 'calendar_tokens' where relation = 'calendar_tokens' and column_name = 'token_hash'",
    ),
    "requests_are_answered": (
        "alter table private.rights_requests drop constraint due_within_30_days",
        "drop trigger _300_follow_right on private.exports",
        "delete from private.housekeeping_tasks where task = 'escalate_requests'",
        "select private.open_request('{user}', 'access', '', null, now() - interval '31 days'); update private.rights_requests set alarm_level = 3",
        "select private.open_request('{user}', 'access', '', null, now() - interval '21 days')",
        "select private.close_request((private.open_request('{user}', 'access', '', null, now() - interval '32 days')).id, 'answered', 'At last.', 'op:1')",
        _OFF + "insert into private.exports (user_id, requested_at) values ('{user}', now())" + _ON,
    ),
    "restrictions_hold": (
        "alter table private.accounts drop constraint restriction_shows_in_the_state",
        "update private.accounts set state = 'restricted', restricted_at = now() where user_id = '{user}'",
    ),
    "everything_can_be_viewed": (
        "revoke execute on function public.my_data() from authenticated",
        "delete from private.data_sources where subject = 'user.settings'",
    ),
    "terms_are_kept": (
        "delete from private.retention_rules where relation = 'private.dead_letters'",
        "insert into private.dead_letters (lane, subject_id, attempts, last_code, died_at) "
        "values ('publish', gen_random_uuid(), 3, 'gone', now() - interval '92 days')",
        "delete from private.housekeeping_tasks where task = 'apply_retention'",
    ),
    "data_can_be_corrected": (
        "drop policy captions_update_owner on public.captions",
        "revoke update (body) on public.captions from authenticated",
    ),
    "opting_out_works": (
        "alter table public.preferences disable trigger _300_log_choice",
        _OFF + "update public.preferences set product_analytics = true where user_id = '{user}'" + _ON,
    ),
    "mail_can_be_switched_off": (
        "alter table public.mail_preferences drop constraint mandatory_mail_cannot_be_switched_off",
        "alter table public.mail_categories drop constraint everything_else_can_be_switched_off",
    ),
    "active_data_is_kept": (
        "update private.data_catalogue set retain_for = '30 days', anchor = 'created' where relation = 'posts'",
    ),
    "catalogue_is_complete": (
        "alter table public.captions add column contact_mail text",
        "delete from private.data_catalogue where relation = 'media' and schema_name = 'storage'; delete from private.data_catalogue where relation = 'scripts' and column_name = 'title'",
        "update private.data_catalogue set retain_for = '80 days' where kind = 'backup'",
    ),
    "nobody_under_13": (
        "alter table auth.users disable trigger _100_open_account",
        "update private.accounts set birth_date = (now() at time zone 'utc')::date - interval '12 years', state = 'awaiting_guardian' where user_id = '{user}'",
        _function(
            "private.age_in_years(p_birth_date date, p_now timestamptz default now())",
            "int",
            "select 40",
            volatility="immutable",
            security="invoker",
        ),
    ),
    "minors_have_a_guardian": (
        "update private.accounts set birth_date = (now() at time zone 'utc')::date - interval '15 years' where user_id = '{user}'",
        "alter table private.guardian_consents drop constraint consent_has_method_and_evidence",
    ),
    "purposes_have_a_basis": (
        "drop trigger _100_append_only on public.consents",
        _OFF
        + "insert into public.consents (user_id, purpose_id, is_given, text_version, text_hash, method, at) "
        "values ('{user}', 'marketing', true, 1, repeat('0', 64), 'settings', now())" + _ON,
    ),
    "accounts_are_erased_in_time": (
        "alter table private.erasures drop constraint due_within_30_days",
        "insert into private.erasures (user_id, state, requested_at, grace_until, due_at, was_locked) "
        "values ('{user}', 'erasing', now() - interval '31 days', now() - interval '24 days', now() - interval '1 day', false); "
        "update private.erasure_tombstones set copied_state = state",
        "insert into private.erasures (state, requested_at, grace_until, due_at, was_locked, ended_at) "
        "values ('completed', now() - interval '33 days', now() - interval '26 days', now() - interval '3 days', false, now())",
        "delete from private.housekeeping_tasks where task = 'resume_all_erasures'",
        "select private.note_in_ledger(gen_random_uuid(), '{user}', 'delete', 'public.posts', n) from generate_series(1, 2) n; "
        + _OFF
        + "update private.erasure_ledger set row_count = 7 where seq = 1"
        + _ON,
    ),
    "invoices_are_kept_apart": (
        "drop trigger _100_immutable on public.billing_invoices",
        "insert into retained.billing_invoices (pseudonym, number, issued_at, billed_to, country, description, amount_minor, tax_minor, currency, purge_after) "
        "values (gen_random_uuid(), 'N1', now() - interval '8 years', 'A', 'DE', 'B', 1, 0, 'EUR', private.seven_years_after(now() - interval '8 years'))",
    ),
    "holds_suspend_erasure": (
        "alter table private.legal_holds drop constraint a_second_person_approves",
        _function(
            "private.effective_holds(p_subject uuid, p_now timestamptz default now())",
            "setof private.legal_holds",
            "select h.* from private.legal_holds h where false",
            security="invoker",
        ),
        "insert into private.erasures (user_id, state, requested_at, grace_until, due_at, was_locked) "
        "values ('{user}', 'held', now() - interval '9 days', now() - interval '2 days', now() + interval '21 days', false); "
        "update private.erasure_tombstones set copied_state = state",
    ),
    "backups_are_daily": (
        "alter table private.backups drop constraint whole_is_encrypted_and_complete",
        "update private.backups set taken_at = taken_at - interval '27 hours', expires_at = expires_at - interval '27 hours'",
        "update private.backups set missing_at = now()",
        "update private.backups set listed_at = now() - interval '27 hours'",
        "delete from private.backup_exclusions where relation = 'private.token_vault'",
    ),
    "backups_can_be_restored": (
        "update private.backup_drills set drilled_at = now() - interval '101 days'",
        "insert into private.backup_drills (drilled_at, backup_id, taken_at, passed, row_count, file_count, erased_count, code) "
        "values (now() + interval '1 second', gen_random_uuid(), now(), false, 0, 0, 0, 'psql_failed')",
        "alter table private.backup_drills drop constraint passed_or_says_why",
    ),
    "erased_people_leave_backups": (
        "alter table private.backups drop constraint gone_within_35_days",
        "insert into private.backups (id, state, taken_at, expires_at, location, file_name, listed_at) values "
        "(gen_random_uuid(), 'found', now() - interval '37 days', now() - interval '2 days', 'bucket', "
        "'nexora-20260101T000000Z-00000000-0000-4000-8000-000000000001.nxb', now())",
        "drop trigger _300_note_tombstone on private.erasures",
        "insert into private.erasures (user_id, state, requested_at, grace_until, due_at, was_locked) "
        "values ('{user}', 'requested', now(), now() + interval '7 days', now() + interval '720 hours', false); "
        "update private.erasure_tombstones set changed_at = now() - interval '27 hours'",
        "delete from private.housekeeping_tasks where task = 'forget_tombstones'",
        "insert into private.erasures (state, requested_at, grace_until, due_at, was_locked, ended_at) "
        "values ('completed', now(), now(), now() + interval '720 hours', false, now()); "
        "insert into private.erasure_tombstones (erasure_id, subject_tag, state, requested_at, changed_at, ended_at, copied_state, missing_at) "
        "select id, repeat('0', 64), 'completed', now(), now(), now(), 'completed', now() from private.erasures",
        "insert into private.erasures (state, requested_at, grace_until, due_at, was_locked, ended_at) "
        "values ('completed', now(), now(), now() + interval '720 hours', false, now()); "
        "insert into private.erasure_tombstones (erasure_id, subject_tag, state, requested_at, changed_at, ended_at, copied_state) "
        "select id, repeat('0', 64), 'completed', now(), now(), now() - interval '38 days', 'completed' from private.erasures",
    ),
    "countries_have_a_safeguard": (
        "update private.processors set checked_on = current_date - 400 where id = 'groq'",
        "alter table private.processors drop constraint safeguard_is_known",
    ),
}
"""Check to the plants that break it and nothing else."""
