-- Error codes of billing.

insert into private.error_registry (code, message, hint, http_status) values
  ('NX850', 'An invoice cannot be changed', 'Issue a correction with a number of its own.', 403);  -- P8.3
