-- Error codes of messaging.

insert into private.error_registry (code, message, hint, http_status) values
  ('NX801', 'This kind of mail cannot be switched off', 'Security, billing and policy mails are part of every account.', 403),  -- P7.6
  ('NX802', 'This kind of mail needs your consent', 'Call give_consent(''marketing'', version) with the current text.', 403),  -- P2.4
  ('NX803', 'There is no such kind of mail', 'Name one that list_mail_choices() shows.', 400),
  ('NX804', 'This link is not valid any more', 'Change it in the settings of your account.', 404);
