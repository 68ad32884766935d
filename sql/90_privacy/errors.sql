-- Error codes of privacy.

insert into private.error_registry (code, message, hint, http_status) values
  ('NX901', 'This purpose cannot be switched on or off', 'Name one that list_purposes() marks as may_be_refused.', 400),
  ('NX902', 'The text that you agree to is not the current one', 'Show the current text of list_purposes() and ask again.', 409),
  ('NX903', 'This record cannot be changed', 'Write a new one; the old one stays as it is.', 403),
  ('NX904', 'There is no permission for this processing', 'Check that the purpose is listed and not refused.', 403),
  ('NX905', 'This processor may not receive data for this purpose',
   'Register the processor, with countries and safeguard, or do without it.', 403);
