-- Mails that follow from notices and from a changed password
-- Why:     what needs the person reaches them outside the product as well, unless they switched that off (P7.6); a
--          changed password is told in any case.
-- Caller:  triggers. DEFINER on auth.users: the role of Auth has no rights here.
-- Repeat:  one mail per kind, person and hour, however many posts fail in it.
-- Note:    preferences.mail_notices and the category product are one choice: whichever is used, the other follows.

create function private.tg_notifications__mail() returns trigger
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform private.queue_mail(new.user_id, 'notice', jsonb_build_object('title', w.title, 'advice', w.advice),
      concat_ws(':', 'notice', new.user_id, new.kind, floor(extract(epoch from new.created_at) / 3600)::bigint),
      greatest(new.created_at, now()))
    from private.notification_words(new.kind, new.code) w where private.mail_is_wanted(new.user_id, 'product');
  return null;
end;
$$;
comment on function private.tg_notifications__mail() is 'AFTER INSERT: a notice that wants a mail gets one.';
create trigger _300_mail after insert on public.notifications
  for each row when (new.wants_mail) execute function private.tg_notifications__mail();

create function private.tg_preferences__switch_product() returns trigger
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform private.set_mail_preference(new.user_id, 'product', new.mail_notices, 'settings');
  return null;
end;
$$;
comment on function private.tg_preferences__switch_product() is 'AFTER UPDATE: the switch of the preferences is the category product.';
create trigger _310_switch_product after update of mail_notices on public.preferences
  for each row when (new.mail_notices is distinct from old.mail_notices)
  execute function private.tg_preferences__switch_product();

create function private.tg_mail_preferences__switch_notices() returns trigger
language plpgsql volatile security definer set search_path = '' as $$
begin
  update public.preferences f set mail_notices = new.is_wanted
    where f.user_id = new.user_id and f.mail_notices is distinct from new.is_wanted;
  return null;
end;
$$;
comment on function private.tg_mail_preferences__switch_notices() is
  'AFTER INSERT OR UPDATE: the category product, also by a link or a complaint, is the switch of the preferences.';
create trigger _310_switch_notices after insert or update on public.mail_preferences
  for each row when (new.category_id = 'product') execute function private.tg_mail_preferences__switch_notices();

create function private.tg_users__mail_password_changed() returns trigger
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform private.queue_mail(new.id, 'password_changed', '{}',
    concat_ws(':', 'password_changed', new.id, (extract(epoch from clock_timestamp()) * 1000000)::bigint));
  return null;
end;
$$;
comment on function private.tg_users__mail_password_changed() is
  'AFTER UPDATE on auth.users: the person is told that the password was changed, and what to do if it was not them.';
create or replace trigger _300_mail_password_changed after update of encrypted_password on auth.users
  for each row when (old.encrypted_password <> '' and new.encrypted_password is distinct from old.encrypted_password)
  execute function private.tg_users__mail_password_changed();

insert into private.definer_ledger (function_name, reason) values
  ('private.tg_preferences__switch_product', 'Writes mail_preferences for a person who uses the switch.'),
  ('private.tg_mail_preferences__switch_notices', 'Writes preferences for whoever used a link.'),
  ('private.tg_notifications__mail', 'Writes the outbox for whatever body told the person something.'),
  ('private.tg_users__mail_password_changed', 'Runs as the role of Auth, which has no rights on our schemas.');

insert into public.notification_texts (kind, code, title, advice, is_mailed) values
  ('mail_address_bounced', '', 'Mail to your address comes back',
   'Check the address in your account: until it is another one, you get nothing but mails about safety and invoices.', false);
