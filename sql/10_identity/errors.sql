-- Error codes of identity.

insert into private.error_registry (code, message, hint, http_status) values
  ('NX101', 'Nobody under 13 can have an account', 'Come back when you are 13.', 403),  -- P9.1
  ('NX102', 'This is not a valid birth date', 'Give the date as YYYY-MM-DD, between 1900 and today.', 400),
  ('NX110', 'Your birth date is missing', 'Call complete_sign_up() with your birth date.', 403),
  ('NX111', 'A guardian has not given consent yet', 'Ask a parent or guardian to confirm your account.', 403),  -- P9.2
  ('NX112', 'Your account is locked', 'Write to support if you do not know why.', 403),
  ('NX113', 'Your birth date is on record already', 'Write to support if it is wrong.', 409),
  ('NX114', 'This account needs no guardian', 'Check the account: only people between 13 and 18 need one.', 409),
  ('NX115', 'The processing of your data is restricted, as you asked', 'Call lift_restriction() to use the account again.', 403),  -- P7.7
  ('NX120', 'This handle is not valid',
   'Use 3 to 30 letters, digits, dots and underscores, two of them letters or digits.', 400),
  ('NX121', 'This handle is reserved', 'Choose another one.', 409),
  ('NX122', 'This handle, or one that looks like it, is taken', 'Choose another one.', 409),
  ('NX130', 'There is no such time zone', 'Use a name of the IANA database, such as Europe/Berlin.', 400);
