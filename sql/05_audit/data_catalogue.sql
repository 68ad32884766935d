-- What this context holds, for the data catalogue.

select private.register_data('private.audit_events', 'actor', 'security', 'keep_nonpersonal',
  '{"user.unique_id": "actor subject_id", "system.operations": "id at actor_kind action subject_kind details"}',
  p_retain_for => '13 months', p_anchor => 'created', p_erase_of => '{"actor": "nullify", "subject_id": "nullify"}',
  p_notes => '{"details": "Ids, field names, codes and times; a constraint keeps everything else out (P1.11)."}');
