-- Marketing mail and the log of consents are one choice, wherever it is made
-- Why:     no marketing without a recorded consent (P2.4), and a withdrawal, by whatever way, holds everywhere at once
--          (P7.5, P7.6, P10.1).
-- Caller:  triggers on public.consents, public.mail_preferences and private.mails. DEFINER: each writes the other's
--          table, which whoever caused it may not.
-- Errors:  NX904 a marketing mail, or a switch set to on, without a consent that stands.
-- Repeat:  safe: what stands already is not written again, so the two end after one round.

create function private.tg_consents__switch_marketing() returns trigger
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform private.set_mail_preference(new.user_id, 'marketing', new.is_given, 'consent', new.at);
  return null;
end;
$$;
comment on function private.tg_consents__switch_marketing() is 'AFTER INSERT: the switch for marketing mail follows the consent.';
create trigger _300_switch_marketing after insert on public.consents
  for each row when (new.purpose_id = 'marketing') execute function private.tg_consents__switch_marketing();

create function private.tg_mail_preferences__need_consent() returns trigger
language plpgsql volatile security definer set search_path = '' as $$
begin
  if not coalesce((select c.is_given from public.consents c
      where c.user_id = new.user_id and c.purpose_id = 'marketing' order by c.at desc, c.id limit 1), false) then
    perform private.fail('NX904', p_detail := 'marketing');
  end if;
  return new;
end;
$$;
comment on function private.tg_mail_preferences__need_consent() is
  'BEFORE INSERT OR UPDATE: marketing is switched on by a consent alone (P2.4).';
create trigger _100_need_consent before insert or update on public.mail_preferences
  for each row when (new.category_id = 'marketing' and new.is_wanted)
  execute function private.tg_mail_preferences__need_consent();

create function private.tg_mail_preferences__log_withdrawal() returns trigger
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform private.log_choice(new.user_id, 'marketing', false, new.method, new.changed_at);
  return null;
end;
$$;
comment on function private.tg_mail_preferences__log_withdrawal() is
  'AFTER INSERT OR UPDATE: marketing switched off, also by a link or a complaint, is a withdrawal on record.';
create trigger _300_log_withdrawal after insert or update on public.mail_preferences
  for each row when (new.category_id = 'marketing' and not new.is_wanted)
  execute function private.tg_mail_preferences__log_withdrawal();

create function private.tg_mails__need_consent() returns trigger
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform private.require_processing(new.user_id, 'marketing', 'resend');
  return new;
end;
$$;
comment on function private.tg_mails__need_consent() is
  'BEFORE INSERT: a marketing mail cannot be queued without the consent of its person (P2.4).';
create trigger _100_need_consent before insert on private.mails
  for each row when (new.category_id = 'marketing') execute function private.tg_mails__need_consent();

insert into private.definer_ledger (function_name, reason) values
  ('private.tg_consents__switch_marketing', 'Writes mail_preferences for whoever gave or withdrew a consent.'),
  ('private.tg_mail_preferences__need_consent', 'Reads the log of consents for whatever wrote the preference.'),
  ('private.tg_mail_preferences__log_withdrawal', 'Writes the log of consents for whoever used a switch or a link.'),
  ('private.tg_mails__need_consent', 'Reads the log of consents for whatever queued the mail.');
