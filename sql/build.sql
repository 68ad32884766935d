-- The whole schema in order: contents page and only ordering authority. Run with psql, or `./nexora db` commands.
-- Per context: first what exists (sql/), then who may (policies/). Lower numbers never depend on higher ones.

-- 00_platform: schemas, errors, settings, triggers, idempotency, partitions, housekeeping, workers, queue
\ir 00_platform/schemas.sql
\ir 00_platform/errors.sql
\ir 00_platform/settings.sql
\ir 00_platform/parsing.sql
\ir 00_platform/triggers.sql
\ir 00_platform/idempotency.sql
\ir 00_platform/held_people.sql
\ir 00_platform/partitions.sql
\ir 00_platform/housekeeping.sql
\ir 00_platform/workers.sql
\ir 00_platform/queue.sql
\ir 00_platform/leases.sql
\ir 00_platform/jobs.sql
\ir 00_platform/processing_purposes.sql
\ir 00_platform/data_catalogue.sql
\ir ../policies/00_platform/schemas.sql
\ir ../policies/00_platform/errors.sql
\ir ../policies/00_platform/settings.sql
\ir ../policies/00_platform/idempotency.sql
\ir ../policies/00_platform/held_people.sql
\ir ../policies/00_platform/partitions.sql
\ir ../policies/00_platform/housekeeping.sql
\ir ../policies/00_platform/workers.sql
\ir ../policies/00_platform/queue.sql
\ir ../policies/00_platform/jobs.sql
\ir ../policies/00_platform/processing_purposes.sql
\ir ../policies/00_platform/data_catalogue.sql

-- 05_audit: who did what, without contents
\ir 05_audit/errors.sql
\ir 05_audit/audit_events.sql
\ir 05_audit/data_catalogue.sql
\ir ../policies/05_audit/audit_events.sql

-- 10_identity: accounts, age, sessions, profile, preferences, media kit
\ir 10_identity/errors.sql
\ir 10_identity/age.sql
\ir 10_identity/accounts.sql
\ir 10_identity/guards.sql
\ir 10_identity/profiles.sql
\ir 10_identity/reserved_handles.sql
\ir 10_identity/preferences.sql
\ir 10_identity/media_kits.sql
\ir 10_identity/sign_up.sql
\ir 10_identity/guardians.sql
\ir 10_identity/login_events.sql
\ir 10_identity/sessions.sql
\ir 10_identity/data_catalogue.sql
\ir ../policies/10_identity/accounts.sql
\ir ../policies/10_identity/guards.sql
\ir ../policies/10_identity/profiles.sql
\ir ../policies/10_identity/preferences.sql
\ir ../policies/10_identity/media_kits.sql
\ir ../policies/10_identity/sign_up.sql
\ir ../policies/10_identity/guardians.sql
\ir ../policies/10_identity/sessions.sql
\ir ../policies/10_identity/login_events.sql

-- 15_notifications: what a person is told in the product
\ir 15_notifications/notification_texts.sql
\ir 15_notifications/notifications.sql
\ir 15_notifications/data_catalogue.sql
\ir ../policies/15_notifications/notification_texts.sql
\ir ../policies/15_notifications/notifications.sql

-- 20_connections: platforms, connected accounts, token vault, OAuth flows
\ir 20_connections/errors.sql
\ir 20_connections/platforms.sql
\ir 20_connections/sealed_values.sql
\ir 20_connections/connections.sql
\ir 20_connections/token_vault.sql
\ir 20_connections/revocation_outbox.sql
\ir 20_connections/oauth_flows.sql
\ir 20_connections/begin_connection.sql
\ir 20_connections/oauth_callback.sql
\ir 20_connections/refresh.sql
\ir 20_connections/revocations.sql
\ir 20_connections/pending_connections.sql
\ir 20_connections/resolve_connection.sql
\ir 20_connections/confirm_connection.sql
\ir 20_connections/disconnect.sql
\ir 20_connections/key_rotation.sql
\ir 20_connections/housekeeping.sql
\ir 20_connections/reminders.sql
\ir 20_connections/notices.sql
\ir 20_connections/data_catalogue.sql
\ir ../policies/20_connections/platforms.sql
\ir ../policies/20_connections/connections.sql
\ir ../policies/20_connections/token_vault.sql
\ir ../policies/20_connections/revocation_outbox.sql
\ir ../policies/20_connections/oauth_flows.sql
\ir ../policies/20_connections/begin_connection.sql
\ir ../policies/20_connections/oauth_callback.sql
\ir ../policies/20_connections/refresh.sql
\ir ../policies/20_connections/revocations.sql
\ir ../policies/20_connections/pending_connections.sql
\ir ../policies/20_connections/resolve_connection.sql
\ir ../policies/20_connections/confirm_connection.sql
\ir ../policies/20_connections/disconnect.sql
\ir ../policies/20_connections/key_rotation.sql
\ir ../policies/20_connections/reminders.sql

-- 30_content: scripts, posts, captions, media
\ir 30_content/errors.sql
\ir 30_content/scripts.sql
\ir 30_content/posts.sql
\ir 30_content/captions.sql
\ir 30_content/buckets.sql
\ir 30_content/media.sql
\ir 30_content/post_media.sql
\ir 30_content/data_catalogue.sql
\ir ../policies/30_content/scripts.sql
\ir ../policies/30_content/posts.sql
\ir ../policies/30_content/captions.sql
\ir ../policies/30_content/buckets.sql
\ir ../policies/30_content/media.sql
\ir ../policies/30_content/post_media.sql

-- 40_publishing: platform rules, targets, publishing
\ir 40_publishing/errors.sql
\ir 40_publishing/platform_rules.sql
\ir 40_publishing/platform_rule_rows.sql
\ir 40_publishing/rule_words.sql
\ir 40_publishing/platform_options.sql
\ir 40_publishing/weighted_length.sql
\ir 40_publishing/target_states.sql
\ir 40_publishing/post_targets.sql
\ir 40_publishing/target_follow_ups.sql
\ir 40_publishing/target_events.sql
\ir 40_publishing/publish_attempts.sql
\ir 40_publishing/publish_costs.sql
\ir 40_publishing/measures.sql
\ir 40_publishing/option_problems.sql
\ir 40_publishing/target_problems.sql
\ir 40_publishing/rule_rechecks.sql
\ir 40_publishing/target_reports.sql
\ir 40_publishing/platform_budgets.sql
\ir 40_publishing/settle_targets.sql
\ir 40_publishing/schedule.sql
\ir 40_publishing/change_target.sql
\ir 40_publishing/content_guards.sql
\ir 40_publishing/disconnection.sql
\ir 40_publishing/pause.sql
\ir 40_publishing/pace_leases.sql
\ir 40_publishing/claim_targets.sql
\ir 40_publishing/mark_sending.sql
\ir 40_publishing/record_part.sql
\ir 40_publishing/late_success.sql
\ir 40_publishing/report_targets.sql
\ir 40_publishing/housekeeping.sql
\ir 40_publishing/notices.sql
\ir 40_publishing/data_catalogue.sql
\ir ../policies/40_publishing/platform_rules.sql
\ir ../policies/40_publishing/rule_words.sql
\ir ../policies/40_publishing/platform_options.sql
\ir ../policies/40_publishing/target_states.sql
\ir ../policies/40_publishing/post_targets.sql
\ir ../policies/40_publishing/target_follow_ups.sql
\ir ../policies/40_publishing/target_events.sql
\ir ../policies/40_publishing/publish_attempts.sql
\ir ../policies/40_publishing/publish_costs.sql
\ir ../policies/40_publishing/target_problems.sql
\ir ../policies/40_publishing/rule_rechecks.sql
\ir ../policies/40_publishing/platform_budgets.sql
\ir ../policies/40_publishing/schedule.sql
\ir ../policies/40_publishing/change_target.sql
\ir ../policies/40_publishing/claim_targets.sql
\ir ../policies/40_publishing/mark_sending.sql
\ir ../policies/40_publishing/record_part.sql
\ir ../policies/40_publishing/report_targets.sql

-- 45_scheduling: local times, slots, moves, warnings, series, import, calendar feed
\ir 45_scheduling/errors.sql
\ir 45_scheduling/notices.sql
\ir 45_scheduling/local_time.sql
\ir 45_scheduling/target_local_times.sql
\ir 45_scheduling/schedule_local.sql
\ir 45_scheduling/queue_slots.sql
\ir 45_scheduling/fill_slots.sql
\ir 45_scheduling/move_target.sql
\ir 45_scheduling/schedule_warnings.sql
\ir 45_scheduling/recurrence.sql
\ir 45_scheduling/post_series.sql
\ir 45_scheduling/make_occurrences.sql
\ir 45_scheduling/change_series.sql
\ir 45_scheduling/change_occurrence.sql
\ir 45_scheduling/csv.sql
\ir 45_scheduling/post_imports.sql
\ir 45_scheduling/read_import.sql
\ir 45_scheduling/write_import.sql
\ir 45_scheduling/import_posts.sql
\ir 45_scheduling/calendar_feeds.sql
\ir 45_scheduling/read_calendar_feed.sql
\ir 45_scheduling/data_catalogue.sql
\ir ../policies/45_scheduling/local_time.sql
\ir ../policies/45_scheduling/target_local_times.sql
\ir ../policies/45_scheduling/schedule_local.sql
\ir ../policies/45_scheduling/queue_slots.sql
\ir ../policies/45_scheduling/fill_slots.sql
\ir ../policies/45_scheduling/move_target.sql
\ir ../policies/45_scheduling/schedule_warnings.sql
\ir ../policies/45_scheduling/post_series.sql
\ir ../policies/45_scheduling/change_series.sql
\ir ../policies/45_scheduling/change_occurrence.sql
\ir ../policies/45_scheduling/post_imports.sql
\ir ../policies/45_scheduling/import_posts.sql
\ir ../policies/45_scheduling/calendar_feeds.sql
\ir ../policies/45_scheduling/read_calendar_feed.sql

-- 80_messaging: mail outbox, what people want of it, what became of it
\ir 80_messaging/errors.sql
\ir 80_messaging/mail_categories.sql
\ir 80_messaging/mail_preferences.sql
\ir 80_messaging/mails.sql
\ir 80_messaging/claim_mails.sql
\ir 80_messaging/mail_events.sql
\ir 80_messaging/unsubscribe.sql
\ir 80_messaging/notices_by_mail.sql
\ir 80_messaging/data_catalogue.sql
\ir ../policies/80_messaging/mail_categories.sql
\ir ../policies/80_messaging/mail_preferences.sql
\ir ../policies/80_messaging/mails.sql
\ir ../policies/80_messaging/claim_mails.sql
\ir ../policies/80_messaging/mail_events.sql
\ir ../policies/80_messaging/unsubscribe.sql

-- 85_billing: invoices, and what is kept of them when their person is gone
\ir 85_billing/errors.sql
\ir 85_billing/billing_invoices.sql
\ir 85_billing/data_catalogue.sql
\ir ../policies/85_billing/billing_invoices.sql

-- 90_privacy: what is held and what becomes of it: catalogue, purposes, consents, erasure, retention
\ir 90_privacy/errors.sql
\ir 90_privacy/processors.sql
\ir 90_privacy/consents.sql
\ir 90_privacy/choose.sql
\ir 90_privacy/mail_consent.sql
\ir 90_privacy/erasures.sql
\ir 90_privacy/legal_holds.sql
\ir 90_privacy/catalogue_gaps.sql
\ir 90_privacy/erasure_ledger.sql
\ir 90_privacy/erasure_plan.sql
\ir 90_privacy/erasure_steps.sql
\ir 90_privacy/advance_erasure.sql
\ir 90_privacy/my_data.sql
\ir 90_privacy/retention_rules.sql
\ir 90_privacy/policy_versions.sql
\ir 90_privacy/policy_acceptances.sql
\ir 90_privacy/incidents.sql
<<<<<<< HEAD
=======
\ir 90_privacy/handle_incidents.sql
>>>>>>> 84199d0 (Incidents in two files; regenerated)
\ir 90_privacy/data_catalogue.sql
\ir 90_privacy/hold_guards.sql
\ir ../policies/90_privacy/processors.sql
\ir ../policies/90_privacy/consents.sql
\ir ../policies/90_privacy/choose.sql
\ir ../policies/90_privacy/erasures.sql
\ir ../policies/90_privacy/legal_holds.sql
\ir ../policies/90_privacy/erasure_ledger.sql
\ir ../policies/90_privacy/advance_erasure.sql
\ir ../policies/90_privacy/my_data.sql
\ir ../policies/90_privacy/retention_rules.sql
\ir ../policies/90_privacy/policy_versions.sql
\ir ../policies/90_privacy/policy_acceptances.sql
\ir ../policies/90_privacy/incidents.sql
<<<<<<< HEAD
=======
\ir ../policies/90_privacy/handle_incidents.sql
>>>>>>> 84199d0 (Incidents in two files; regenerated)
