-- Error codes of the audit log.

insert into private.error_registry (code, message, hint, http_status) values
  ('NX020', 'The audit log cannot be changed', 'Write a new row; only an erasure may take ids out of old ones.', 403);
