-- Errors of content: NX301 to NX309.
-- Why:     clients switch on these codes; see 00_platform/errors.sql.
-- Caller:  private.fail().
-- Repeat:  no; loaded once by the migration.

insert into private.error_registry (code, message, hint, http_status) values
  ('NX301', 'There is no such file of yours', 'Upload it first, into the folder that is named after your user id.', 404),
  ('NX302', 'Files of this kind cannot be used', 'Use a picture, a video or a PDF of the types that the bucket lists.', 415);
