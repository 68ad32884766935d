-- Error codes of the attestation.

insert into private.error_registry (code, message, hint, http_status) values
  ('NX990', 'The result of an attestation cannot be changed', 'Run another one; it stands beside this one.', 403);
