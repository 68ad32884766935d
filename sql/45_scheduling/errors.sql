-- Errors of scheduling: NX450 to NX459.
-- Why:     clients switch on these codes; see 00_platform/errors.sql.
-- Caller:  private.fail().
-- Repeat:  no; loaded once by the migration.

insert into private.error_registry (code, message, hint, http_status) values
  ('NX450', 'There is no such time zone to schedule in', 'Use a name of the IANA database, such as Europe/Berlin.', 400),
  ('NX451', 'This account has no posting slots', 'Add slots to it, or choose a time yourself.', 409),
  ('NX452', 'All posting slots of this account are taken', 'Add slots to it, or choose a time yourself.', 409),
  ('NX453', 'This recurrence rule cannot be used',
   'Correct the part that the detail names: FREQ, INTERVAL, BYDAY, BYMONTHDAY, COUNT or UNTIL.', 400),
  ('NX454', 'This was changed in the meantime', 'Reload it and try again.', 409),
  ('NX455', 'You have no such series', 'Reload the list of series.', 404),
  ('NX456', 'The series has no such occurrence', 'Choose one that list_occurrences() shows.', 404),
  ('NX457', 'The file cannot be read as a table', 'Export it again as CSV in UTF-8; the detail names what is wrong.', 422),
  ('NX458', 'There is a limit to how many you can have', 'Remove one that is not needed; the detail names which kind.', 409);
