-- Errors of connections: NX201 to NX219.
-- Why:     clients switch on these codes; see 00_platform/errors.sql.
-- Caller:  private.fail().
-- Repeat:  no; loaded once by the migration.

insert into private.error_registry (code, message, hint, http_status) values
  ('NX201', 'This platform is not offered', 'Choose one of the rows of public.platforms.', 404),
  ('NX202', 'This platform does not offer such a feature', 'Choose from the rows of public.platform_features.', 400),
  ('NX203', 'The return address is not on the list',
   'Use exactly one of the addresses that the service announces.', 400),
  ('NX204', 'You have no such connection', 'Reload the list of connections.', 404),
  ('NX205', 'Accounts cannot be connected at the moment', 'Try again in a few minutes.', 503),
  ('NX206', 'Too many connection attempts are open', 'Finish one of them, or wait ten minutes.', 429),
  ('NX207', 'There is no account behind this sign-in',
   'Create one on the platform first (on YouTube: a channel), then start again.', 409),
  ('NX210', 'This connection attempt is unknown, used or expired', 'Start again from the list of connections.', 410),
  ('NX211', 'The connection attempt was started in another browser', 'Start again in this browser.', 403),
  ('NX212', 'This account is already connected by another person', 'Disconnect it there first.', 409),
  ('NX213', 'This is a different account from the one to reconnect',
   'Sign in on the platform with the right account, or connect this one as a new account.', 409),
  ('NX214', 'The platform granted other permissions than those that were asked for',
   'Start again and allow the permissions that are listed.', 409),
  ('NX215', 'The tokens of this connection were changed in the meantime', 'Start again.', 409),
  ('NX216', 'A value is not a sealed record', 'Seal it with the token vault before it is sent.', 400),
  ('NX217', 'The account of this person cannot be used at the moment', 'Finish or unlock the account first.', 403),
  ('NX218', 'The connection was not allowed on the platform', 'Start again, and allow it there.', 403),
  ('NX219', 'The platform did not answer as expected', 'Try again in a few minutes.', 502);
