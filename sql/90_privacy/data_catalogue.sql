-- What this context holds, for the data catalogue.

select private.register_data('private.processors', 'none', 'legal_duty', 'keep_nonpersonal',
  '{"system.operations": "id display_name task receives countries safeguard trains_on_data is_promised needs_consent checked_on"}',
  p_notes => '{"countries": "Countries of a processor."}');
select private.register_data('private.processor_purposes', 'none', 'legal_duty', 'keep_nonpersonal',
  '{"system.operations": "processor_id purpose_id"}');
select private.register_data('private.consent_texts', 'none', 'legal_duty', 'keep_nonpersonal',
  '{"system.operations": "purpose_id version body valid_from"}', p_notes => '{"body": "The words of a choice; of the service."}');
select private.register_data('public.consents', 'user_id', 'legal_duty', 'delete_row',
  '{"user.unique_id": "id user_id", "user.privacy_preferences": "purpose_id is_given text_version text_hash method at"}', 'consents');
select private.register_data('private.erasures', 'user_id', 'legal_duty', 'expire',
  '{"user.unique_id": "user_id", "user.contact.email": "identifiers", "user.settings": "language",
    "system.operations": "id state requested_at grace_until due_at was_locked catalogue_hash planned_at ended_at last_code warned_at"}',
  p_retain_for => '30 days', p_anchor => 'created', p_notes => '{"identifiers": "By what the person could still be found; emptied when the erasure ends."}');
select private.register_data('private.erasure_steps', 'none', 'legal_duty', 'keep_nonpersonal',
  '{"system.operations": "erasure_id position action relation row_count done_at"}');
select private.register_data('private.erasure_outbox', 'erasure_id=>private.erasures', 'legal_duty', 'expire',
  '{"user.unique_id": "erasure_id", "user.contact.email": "reference", "system.operations": "processor_id done_at"}', p_retain_for => '30 days', p_anchor => 'created');
select private.register_data('private.erasure_notices', 'erasure_id=>private.erasures', 'transactional_email', 'expire',
  '{"user.unique_id": "erasure_id", "user.contact.email": "email", "user.settings": "language", "system.operations": "created_at delete_by"}',
  p_retain_for => '72 hours', p_anchor => 'created');
select private.register_data('private.erasure_ledger', 'none', 'legal_duty', 'keep_nonpersonal',
  '{"system.operations": "seq erasure_id subject_tag action relation row_count catalogue_hash executed_at prev_hash hash"}');
select private.register_data('private.legal_holds', 'subject_id', 'legal_duty', 'expire',
  '{"user.unique_id": "subject_id", "system.operations": "id categories matter placed_by placed_at approved_by approved_at release_asked_by released_by released_at"}',
  p_retain_for => '3 years', p_anchor => 'closed', p_notes => '{"categories": "Categories of the data catalogue."}');
select private.register_data('queue.erasure', 'with:subject_id', 'legal_duty', 'delete_row', '{"user.unique_id": "*"}', p_kind => 'queue');
select private.register_data('private.data_sources', 'none', 'legal_duty', 'keep_nonpersonal', '{"system.operations": "subject source"}');
select private.register_data('private.retention_rules', 'none', 'legal_duty', 'keep_nonpersonal',
  '{"system.operations": "relation anchor_column keep slack applied_by condition reason"}');
select private.register_data('public.policy_versions', 'none', 'legal_duty', 'keep_nonpersonal',
  '{"system.operations": "version url summary announced_at effective_at last_mailed_at mailed_at"}', p_notes => '{"url": "Where the text of a version is.", "last_mailed_at": "An instant.", "mailed_at": "An instant."}');
select private.register_data('private.policy_mailings', 'none', 'legal_duty', 'keep_nonpersonal',
  '{"system.operations": "version campaign_id last_user_id fanned_out_at"}', p_notes => '{"last_user_id": "How far the batches have come; empty when they are done."}');
select private.register_data('public.policy_acceptances', 'user_id', 'legal_duty', 'delete_row',
  '{"user.unique_id": "user_id", "user.privacy_preferences": "version accepted_at method"}', 'policy_acceptances');
select private.register_data('private.incidents', 'none', 'legal_duty', 'keep_nonpersonal',
  '{"system.operations": "id aware_at notify_by opened_at title happened affected doing advice affected_query frozen_at affected_count campaign_id authority_told_at authority_reference warned_at missed_at"}');
select private.register_data('private.incident_events', 'none', 'legal_duty', 'keep_nonpersonal',
  '{"system.operations": "id incident_id at event details"}', p_notes => '{"details": "Codes and counts."}');
select private.register_data('private.incident_recipients', 'user_id', 'legal_duty', 'nullify',
  '{"user.unique_id": "user_id", "system.operations": "id incident_id mail_id provider_id sent_at delivered_at bounced_at failed_code"}',
  p_notes => '{"provider_id": "Id of a message."}',
  p_erase_of => '{"id": "keep_nonpersonal", "incident_id": "keep_nonpersonal", "mail_id": "keep_nonpersonal", "provider_id": "keep_nonpersonal", "sent_at": "keep_nonpersonal", "delivered_at": "keep_nonpersonal", "bounced_at": "keep_nonpersonal", "failed_code": "keep_nonpersonal"}');
select private.register_data('private.exports', 'user_id', 'legal_duty', 'expire',
  '{"user.unique_id": "id user_id", "user.content": "object_name",
    "user.behavior": "requested_at ended_at", "system.operations": "state snapshot_at expires_at catalogue_hash rows_total rows_done files_total files_done size_bytes sha256 omission_count last_code"}',
  p_retain_for => '90 days', p_anchor => 'closed', p_notes => '{"object_name": "Where the archive lies; goes with the account at once."}');
select private.register_data('private.export_chunks', 'user_id', 'legal_duty', 'expire',
  '{"user.unique_id": "export_id user_id", "user.content": "body", "system.operations": "area position row_count staged_at"}',
  p_retain_for => '7 days', p_anchor => 'created', p_notes => '{"body": "A copy of what an export holds, while its archive is being written; goes with the account at once."}');
select private.register_data('private.export_tickets', 'user_id', 'legal_duty', 'expire',
  '{"user.unique_id": "export_id user_id", "user.authorization.credentials": "ticket_hash", "system.operations": "expires_at"}',
  p_retain_for => '2 minutes', p_anchor => 'created');
select private.register_data('storage.exports', 'folder:name', 'legal_duty', 'external_delete', '{"user.content": "*"}',
  p_retain_for => '7 days', p_anchor => 'created', p_kind => 'bucket', p_notes => '{"*": "Archives that people asked for (P7.4)."}');
select private.register_data('queue.export', 'with:subject_id', 'legal_duty', 'delete_row', '{"user.unique_id": "*"}', p_kind => 'queue');
select private.register_data('private.rights_requests', 'user_id', 'legal_duty', 'delete_row',
  '{"user.unique_id": "id user_id subject_id", "user.content": "details answer", "user.behavior": "kind state received_at due_at closed_at answer_hash",
    "system.operations": "received_by answered_by alarm_level"}', 'rights_requests', p_retain_for => '3 years', p_anchor => 'closed',
  p_export_of => '{"received_by": "exclude_third_party", "answered_by": "exclude_third_party", "alarm_level": "exclude_derived"}');
select private.register_data(r, 'none', 'security', 'keep_nonpersonal', jsonb_build_object('system.operations', c), p_notes => n::jsonb) from (values
  ('private.backups', 'id state taken_at expires_at location file_name worker_id finished_at size_bytes sha256 key_id file_count omitted_count listed_at missing_at purged_at',
   '{"file_name": "When it was taken, and its id."}'),
  ('private.backup_exclusions', 'relation reason', '{}'),
  ('private.backup_drills', 'id drilled_at backup_id taken_at passed row_count file_count erased_count code', '{}'),
  ('private.restores', 'backup_id taken_at restored_at erased_count reopened_count cancelled_count unconfirmed_count', '{}')) x (r, c, n);
select private.register_data('private.erasure_tombstones', 'none', 'legal_duty', 'keep_nonpersonal',
  '{"system.operations": "erasure_id tag_key subject_tag state requested_at changed_at ended_at copied_state missing_at"}', p_retain_for => '35 days', p_anchor => 'closed');
select private.register_data('storage.backups', 'json:contents', 'security', 'expire', '{"user.content": "*"}',
  p_retain_for => '35 days', p_anchor => 'created', p_kind => 'bucket',
  p_notes => '{"*": "Backups, encrypted, and the copy of erasures; erasures are replayed when one is restored (P3.2, P8.2)."}');
select private.register_data('backup.erasures', 'none', 'legal_duty', 'keep_nonpersonal', '{"system.operations": "*"}',
  p_retain_for => '35 days', p_anchor => 'closed', p_kind => 'backup',
  p_notes => '{"*": "Tags of people who were erased, encrypted, until the last backup that may hold them is gone (P8.2)."}');
