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
