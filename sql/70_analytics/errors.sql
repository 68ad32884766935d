-- Error codes of analytics.

insert into private.error_registry (code, message, hint, http_status) values
  ('NX701', 'This is not on the list of what may be counted', 'Send only what usage_names lists; the detail says which entry is not.', 400),  -- P1.7
  ('NX702', 'These are too many events for one call', 'Send them in several calls.', 413),
  ('NX703', 'That is all that is counted of one person in a day', 'Stop sending until tomorrow (UTC).', 429),
  ('NX704', 'What was released is never changed', 'Nothing is to be done: a figure stands as it was released.', 403);  -- P8.4
