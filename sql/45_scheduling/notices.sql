-- Rows of public.notification_texts about series
-- Why:     see 15_notifications/notification_texts.sql.
-- Caller:  private.notify() and people.
-- Repeat:  no; reference rows are loaded once by the migration.

insert into public.notification_texts (kind, code, title, advice, is_mailed) values
  ('occurrence_missed', '', 'A post of a series was not made in time',
   'Nothing was published for that day. Publish it by hand if it still matters.', true),
  ('occurrence_not_scheduled', '', 'A post of a series could not be scheduled',
   'It is there as a draft. Open it, correct what it says and schedule it.', true),
  ('series_failed', '', 'A series cannot go on',
   'Open it and correct its rule or its template; it is tried again every hour.', true);
