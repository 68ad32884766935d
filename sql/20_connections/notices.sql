-- Rows of public.notification_texts about connections
-- Why:     see 15_notifications/notification_texts.sql.
-- Caller:  private.notify() and people.
-- Repeat:  no; reference rows are loaded once by the migration.

insert into public.notification_texts (kind, code, title, advice, is_mailed) values
  ('connection_needs_reconnect', '', 'An account has to be connected again',
   'Connect it: posts that are scheduled on it wait, and go on by themselves if they are still in time.', true),
  ('connection_expires_soon', '', 'The connection to an account ends soon',
   'Connect the account again before it ends, so that scheduled posts are published.', true),
  ('connection_expires_soon', 'days_14', 'The connection to an account ends in two weeks',
   'Connect the account again before it ends, so that scheduled posts are published.', false),
  ('connection_expires_soon', 'days_7', 'The connection to an account ends in a week',
   'Connect the account again before it ends, so that scheduled posts are published.', true),
  ('connection_expires_soon', 'days_3', 'The connection to an account ends in three days',
   'Connect the account again before it ends, so that scheduled posts are published.', true),
  ('connection_expires_soon', 'days_1', 'The connection to an account ends within a day',
   'Connect the account again now: posts that are scheduled for later will wait otherwise.', true);
