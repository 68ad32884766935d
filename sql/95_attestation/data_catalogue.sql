-- What this context holds, for the data catalogue.

select private.register_data(r, 'none', 'legal_duty', 'keep_nonpersonal', jsonb_build_object('system.operations', c),
  p_notes => n::jsonb) from (values
  ('private.promises', 'id obligation pending_feature', '{}'),
  ('private.promise_checks', 'id promise_id runs_in enforced_by', '{}'),
  ('private.guards', 'name definition_hash', '{"name": "Of an object of the schema."}'),
  ('private.attestations', 'seq attested_at document failed_count prev_hash hash key_id signature',
   '{"document": "Results of checks: counts and names of objects, about nobody."}')) x (r, c, n);
