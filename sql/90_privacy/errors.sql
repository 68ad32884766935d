-- Error codes of privacy.

insert into private.error_registry (code, message, hint, http_status) values
  ('NX901', 'This purpose cannot be switched on or off', 'Name one that list_purposes() marks as may_be_refused.', 400),
  ('NX902', 'The text that you agree to is not the current one', 'Show the current text of list_purposes() and ask again.', 409),
  ('NX903', 'This record cannot be changed', 'Write a new one; the old one stays as it is.', 403),
  ('NX904', 'There is no permission for this processing', 'Check that the purpose is listed and not refused.', 403),
  ('NX905', 'This processor may not receive data for this purpose',
   'Register the processor, with countries and safeguard, or do without it.', 403),
  ('NX910', 'Deleting the account has begun and cannot be taken back', 'Wait for the mail that says that it is done.', 409),
  ('NX911', 'There is no request to take back', 'Check my_erasure(): it is empty when nothing is to be deleted.', 404),
  ('NX913', 'A legal hold keeps this from being deleted', 'Wait until the hold is lifted.', 409),  -- P8.5
  ('NX914', 'A second person has to do this', 'Ask a colleague who has not been part of it yet.', 403),
  ('NX915', 'There is no such legal hold', 'Check the id.', 404),
  ('NX916', 'This erasure is not leased to you', 'Claim it again; somebody else may be at work on it.', 409),
  ('NX920', 'You have to sign in again to do this', 'Sign in again and repeat it within the hour.', 403),
  ('NX921', 'There is no such export', 'Call my_exports() for those that there are.', 404),
  ('NX922', 'There is nothing to download', 'Wait until the export is ready, or ask for a new one.', 409),
  ('NX923', 'The archive is not in the bucket as reported', 'Upload it again.', 409),
  ('NX930', 'A change of the policy is pending already', 'Wait until it has taken effect.', 409),
  ('NX931', 'A change takes effect 14 days after its announcement at the earliest', 'Choose a later date.', 400),  -- P11.1
  ('NX932', 'What was announced about a policy cannot be changed', 'Announce a new version; a date can only move later.', 403),
  ('NX940', 'A guardian needs an address of their own', 'Give the address of your parent or guardian, not yours.', 400),  -- P9.2
  ('NX941', 'Too many requests to a guardian', 'Wait until tomorrow, or ask the guardian to look for the mail.', 429),
  ('NX942', 'This link is not valid any more', 'Ask for a new one in the app.', 404),
  ('NX950', 'There is no such incident', 'Check the id.', 404),
  ('NX951', 'What is on record about an incident cannot be changed', 'Open another incident if there is more to tell.', 403),
  ('NX952', 'Who was affected is frozen already', 'Open another incident for those who were found later.', 409),
  ('NX960', 'There is no such request', 'Call my_requests() for those that there are.', 404),
  ('NX961', 'This request cannot be changed any more', 'Look at its state; an export or a deletion is cancelled in its own way.', 409),
  ('NX962', 'You have asked for too much at once', 'Wait for an answer, or take a request back.', 429);
