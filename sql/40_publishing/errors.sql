-- Errors of publishing: NX400 to NX439.
-- Why:     clients switch on these codes; those from NX430 on are also the failure_code of targets, and their messages
--          are what the person reads there.
-- Caller:  private.fail(), private.error_message().
-- Repeat:  no; loaded once by the migration.

insert into private.error_registry (code, message, hint, http_status) values
  ('NX400', 'This change of state is not possible', 'Reload the post and look at its state.', 409),
  ('NX401', 'You have no such post', 'Reload the list of posts.', 404),
  ('NX402', 'You have no such target', 'Reload the post.', 404),
  ('NX410', 'The post breaks a rule of the platform', 'Correct what the detail lists; check_post() shows it, too.', 422),
  ('NX411', 'The time to publish is missing or past', 'Choose a time in the future, or publish now.', 400),
  ('NX412', 'This account does not allow publishing', 'Connect it again and allow publishing.', 409),
  ('NX413', 'The post has nothing that could be scheduled', 'Choose at least one account for it.', 409),
  ('NX414', 'Publishing to this platform is not offered yet', 'Remove this account from the post.', 409),
  ('NX420', 'The post is being sent to the platform at this moment', 'Wait for the outcome, then delete it there.', 409),
  ('NX421', 'The state of this target does not allow that', 'Reload the post and look at its state.', 409),
  ('NX422', 'A post that is being published cannot be deleted', 'Wait for the outcome, which takes seconds.', 409),
  ('NX423', 'A post that is being published cannot be changed', 'Wait for the outcome, which takes seconds.', 409),
  ('NX430', 'The platform ended the connection to this account', 'Connect the account again: what is in time goes on by itself.',
   409),
  ('NX431', 'The account was disconnected before the post was due', 'Connect the account again, then retry.', 409),
  ('NX432', 'Your account could not be used when the post was due', 'Unlock your account, then retry.', 409),
  ('NX434', 'The post could not be published within its time window', 'Retry, or choose another time.', 409),
  ('NX435', 'The platform does not say whether the post was published', 'Look there, then tell us with resolve_unconfirmed().',
   409),
  ('NX436', 'Publishing failed too many times', 'Look at the last failure, then retry.', 409),
  ('NX439', 'Only the first parts of the thread could be published within its time window', 'Retry it: it goes on where it '
    'stopped.', 409),
  ('NX437', 'You told us that the post was not published', 'Retry it.', 409),
  ('NX438', 'The platform takes no more posts for now, and not in time for this one',
   'Choose a later time, or retry when the platform''s window begins anew.', 409);

create function private.error_message(p_code text) returns text
language sql stable security invoker set search_path = '' as $$
  select message from private.error_registry where code = p_code
$$;
comment on function private.error_message(text) is 'What a code means, in words for people; NULL for a code of a platform.';
