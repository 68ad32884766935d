-- Rows of public.notification_texts about publishing
-- Why:     see 15_notifications/notification_texts.sql. The target itself says more in failure_message.
-- Caller:  private.notify() and people.
-- Repeat:  no; reference rows are loaded once by the migration.

insert into public.notification_texts (kind, code, title, advice, is_mailed) values
  ('target_failed', '', 'A post could not be published',
   'Open it: it says what the platform objected to. Correct that and retry.', true),
  ('target_failed', 'NX410', 'A post breaks a rule of its platform',
   'Open it: it lists what to change. Then retry.', true),
  ('target_failed', 'NX412', 'An account does not allow publishing',
   'Connect it again and allow publishing, then retry.', true),
  ('target_failed', 'NX431', 'A post was not published because its account was disconnected',
   'Connect the account again, then retry.', true),
  ('target_failed', 'NX432', 'A post was not published because your account could not be used',
   'Unlock your account, then retry.', true),
  ('target_failed', 'NX436', 'A post was tried many times and could not be published',
   'Look at the last reason, then retry.', true),
  ('target_failed', 'NX439', 'Only the first parts of a thread were published in time',
   'Retry it: it goes on where it stopped, and nothing is posted twice.', true),
  ('target_failed', 'thread_incomplete', 'Only the first parts of a thread were published',
   'Open it: it says what the platform objected to. Retry goes on where it stopped, and nothing is posted twice.', true),
  ('target_missed', '', 'A post was not published within its time window',
   'Retry to publish it now, or choose another time.', true),
  ('target_missed', 'NX430', 'A post was missed because its account has to be connected again',
   'Connect the account again, then retry or choose another time.', true),
  ('target_missed', 'NX438', 'A post was missed because the platform takes no more for now',
   'Retry when the platforms window begins anew, or choose another time.', true),
  ('target_unconfirmed', '', 'The platform does not say whether a post was published',
   'Look there and tell us: it is there, or it is not and is to be sent again. Nothing is sent until then.', true),
  ('target_published', '', 'A post was published, but not quite as asked for',
   'Look at it on the platform.', true),
  ('target_published', 'published_privately', 'YouTube keeps a video private',
   'Change its visibility in YouTube Studio. YouTube does so to services that it has not audited.', true),
  ('target_published', 'waits_in_inbox', 'A post waits for you in the TikTok app',
   'Open the app within 24 hours and finish it from your inbox.', true),
  ('target_breaks_new_rule', '', 'A scheduled post breaks a new rule of its platform',
   'Change it before it is due: it lists what no longer fits.', true);
