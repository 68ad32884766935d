-- What this context holds, for the data catalogue.

select private.register_data('public.mail_categories', 'none', 'transactional_email', 'keep_nonpersonal',
  '{"system.operations": "id is_mandatory needs_consent is_on_by_default description"}');
select private.register_data('private.mail_templates', 'none', 'transactional_email', 'keep_nonpersonal',
  '{"system.operations": "id category_id give_up_after"}');
select private.register_data('public.mail_preferences', 'user_id', 'transactional_email', 'delete_row',
  '{"user.unique_id": "user_id", "user.privacy_preferences": "category_id is_mandatory is_wanted method changed_at"}', 'mail_preferences');
select private.register_data('private.mail_suppressions', 'user_id', 'transactional_email', 'delete_row',
  '{"user.unique_id": "user_id", "user.contact.email": "address_hash", "user.privacy_preferences": "reason at"}', 'mail_suppressions');
select private.register_data('private.mail_campaigns', 'none', 'transactional_email', 'keep_nonpersonal',
  '{"system.operations": "id template_id category_id params created_at give_up_at"}',
  p_notes => '{"params": "Words of the service to everybody, about nobody."}');
select private.register_data('private.mails', 'user_id', 'transactional_email', 'delete_row',
  '{"user.unique_id": "id user_id", "user.contact.email": "address", "user.content": "params",
    "user.authorization.credentials": "unsubscribe_token unsubscribe_hash",
    "user.behavior": "campaign_id template_id category_id dedupe_key state created_at give_up_at attempts last_code sent_at provider_id delivered_at bounced_at complained_at"}',
  'mails', p_retain_for => '13 months', p_anchor => 'created',
  p_notes => '{"params": "Values of a message that has not gone yet.", "address": "Of somebody without an account, until the message has gone, at most 30 days (P4.3)."}',
  p_export_of => '{"address": "exclude_third_party"}');
select private.register_data('private.mail_events', 'mail_id=>private.mails', 'transactional_email', 'delete_row',
  '{"user.unique_id": "mail_id", "user.behavior": "id kind at code"}', 'mail_events', p_retain_for => '13 months', p_anchor => 'created');
select private.register_data('queue.' || l, 'with:subject_id', 'transactional_email', 'delete_row', '{"user.unique_id": "*"}', p_kind => 'queue')
from unnest(array['mail', 'mail_bulk']) l;
select private.register_data('external.resend', 'json:contents', 'transactional_email', 'expire', '{"user.contact.email": "*"}',
  p_retain_for => '30 days', p_anchor => 'created', p_kind => 'external',
  p_notes => '{"*": "Address and text of each message, in the log of Resend, which it deletes after 30 days at most (P4.3). Its suppression list keeps an address that bounced or complained until an erasure takes it off."}');
