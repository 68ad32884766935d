-- worker.find_unsubscribe(token_hash), worker.unsubscribe(token_hash)
-- Why:     one click in the mail, or in the mail program, ends a kind of mail without signing in (P7.6, RFC 8058).
-- Caller:  service_role for the worker's web server: GET shows (find), POST does. DEFINER: it has no rights here.
-- Errors:  NX804 no such link.
-- Repeat:  safe: the choice stands already. A link concerns its own person and category alone.

create function private.find_unsubscribe(p_token_hash text) returns table (category_id text, description text, is_wanted boolean)
language plpgsql volatile security definer set search_path = '' as $$
begin
  return query
    select c.id, c.description, private.mail_is_wanted(m.user_id, c.id)
    from private.mails m join public.mail_categories c on c.id = m.category_id and not c.is_mandatory
    where m.unsubscribe_hash = p_token_hash and m.user_id is not null;
  if not found then
    perform private.fail('NX804');
  end if;
end;
$$;
comment on function private.find_unsubscribe(text) is 'Body of worker.find_unsubscribe().';

create function private.unsubscribe(p_token_hash text, p_now timestamptz default now()) returns text
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_mail private.mails;
begin
  select m.* into v_mail from private.mails m join public.mail_categories c on c.id = m.category_id and not c.is_mandatory
    where m.unsubscribe_hash = p_token_hash and m.user_id is not null;
  if not found then
    perform private.fail('NX804');
  end if;
  perform private.set_mail_preference(v_mail.user_id, v_mail.category_id, false, 'unsubscribe_link', p_now);
  return v_mail.category_id;
end;
$$;
comment on function private.unsubscribe(text, timestamptz) is 'Body of worker.unsubscribe().';

create function worker.find_unsubscribe(p_token_hash text) returns table (category_id text, description text, is_wanted boolean)
language sql volatile security invoker set search_path = '' as $$
  select f.category_id, f.description, f.is_wanted from private.find_unsubscribe(p_token_hash) f
$$;
comment on function worker.find_unsubscribe(text) is 'What a link in a mail would switch off; changes nothing.';

create function worker.unsubscribe(p_token_hash text) returns text
language sql volatile security invoker set search_path = '' as $$
  select private.unsubscribe(p_token_hash)
$$;
comment on function worker.unsubscribe(text) is 'Switches off the kind of mail that the link stands in; returns which.';

insert into private.definer_ledger (function_name, reason) values
  ('private.find_unsubscribe', 'Reads the outbox, on which service_role has no rights.'),
  ('private.unsubscribe', 'Writes mail_preferences for whoever holds the link of a mail.');
