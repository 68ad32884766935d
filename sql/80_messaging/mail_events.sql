-- private.mail_events; worker.record_mail_event(event_id, kind, provider_id, mail_id, at, code)
-- Why:     what became of a mail after the provider took it: delivered, bounced, called spam. Proof of delivery (P3.10),
--          and the end of optional mail to an address that does not want or take it.
-- Caller:  service_role, for webhooks whose signature was verified. DEFINER: it has no rights on the outbox.
-- Errors:  NX002 a malformed event.
-- Repeat:  safe: an event counts once by its id, and nothing is kept of a mail that is gone, so that a late event
--          never brings a person back (P7.3).
-- Locks:   the mail's row, then what it leads to.

create table private.mail_events (
  id text primary key,
  mail_id uuid not null references private.mails (id) on delete cascade,
  kind text not null,
  at timestamptz not null,
  code text,
  constraint id_is_short check (id ~ '^[A-Za-z0-9_.:-]{3,100}$'),
  constraint kind_is_known check (kind in ('sent', 'delivered', 'delivery_delayed', 'bounced', 'complained', 'failed', 'suppressed')),
  constraint code_is_no_text check (code ~ '^[A-Za-z0-9_.:-]{1,60}$') -- P1.11
);
create index mail_events_mail_id_idx on private.mail_events (mail_id, at);
comment on table private.mail_events is 'What the provider told about mails, each event once.';
comment on column private.mail_events.id is 'The provider''s id of the event.';

create function private.record_mail_event(
  p_event_id text, p_kind text, p_provider_id text, p_mail_id uuid, p_at timestamptz, p_code text,
  p_now timestamptz default now()
) returns boolean
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_mail private.mails;
  v_at timestamptz := least(p_at, p_now);
begin
  if p_event_id is null or p_kind is null or v_at is null then
    perform private.fail('NX002', p_detail := 'p_event_id, p_kind, p_at');
  end if;
  select * into v_mail from private.mails m
    where m.id = p_mail_id or p_mail_id is null and m.provider_id = p_provider_id for update;
  if not found or v_mail.provider_id <> p_provider_id then
    return false;
  end if;
  insert into private.mail_events (id, mail_id, kind, at, code)
    values (p_event_id, v_mail.id, p_kind, v_at, private.short_code(p_code)) on conflict (id) do nothing;
  if not found then
    return false;
  end if;
  -- The answer to the sending was lost, and this shows that it had been taken.
  perform private.settle_mail(v_mail.id, 'sent', 'answer_was_lost', p_provider_id, v_at) where p_provider_id is not null;
  update private.mails m set
      delivered_at = case when p_kind = 'delivered' then coalesce(m.delivered_at, v_at) else m.delivered_at end,
      bounced_at = case when p_kind in ('bounced', 'failed', 'suppressed') then coalesce(m.bounced_at, v_at) else m.bounced_at end,
      complained_at = case when p_kind = 'complained' then coalesce(m.complained_at, v_at) else m.complained_at end,
      last_code = case when p_kind in ('bounced', 'failed', 'suppressed') then coalesce(private.short_code(p_code), p_kind) else m.last_code end
    where m.id = v_mail.id;
  perform private.heed_mail_event(v_mail.user_id, p_kind, p_code, p_now) where v_mail.user_id is not null;
  return true;
end;
$$;
comment on function private.record_mail_event(text, text, text, uuid, timestamptz, text, timestamptz) is
  'Body of worker.record_mail_event().';

create function private.heed_mail_event(p_user uuid, p_kind text, p_code text, p_now timestamptz default now()) returns void
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_reason text := case when p_kind = 'complained' then 'complained'
                        when p_kind = 'suppressed' or p_kind = 'bounced' and p_code is distinct from 'Transient' then 'bounced' end;
begin
  if v_reason is null then
    return;
  end if;
  insert into private.mail_suppressions (user_id, address_hash, reason, at)
    select u.id, private.address_hash(u.email), v_reason, p_now from auth.users u where u.id = p_user and u.email is not null
    on conflict (user_id) do update set address_hash = excluded.address_hash, reason = excluded.reason, at = excluded.at;
  if v_reason = 'bounced' then
    perform private.notify(p_user, 'mail_address_bounced', 'account', p_user, null, p_now);
  else -- whoever calls a mail spam has said that none is wanted (P7.6)
    perform private.set_mail_preference(p_user, c.id, false, 'complaint', p_now)
      from public.mail_categories c where not c.is_mandatory;
  end if;
end;
$$;
comment on function private.heed_mail_event(uuid, text, text, timestamptz) is
  'A permanent bounce ends optional mail to this address; a complaint switches it off for the person.';

create function worker.record_mail_event(
  p_event_id text, p_kind text, p_provider_id text, p_mail_id uuid, p_at timestamptz, p_code text
) returns boolean
language sql volatile security invoker set search_path = '' as $$
  select private.record_mail_event(p_event_id, p_kind, p_provider_id, p_mail_id, p_at, p_code)
$$;
comment on function worker.record_mail_event(text, text, text, uuid, timestamptz, text) is
  'Records what the provider tells about a mail; false: known already, or about no mail of ours.';

insert into private.definer_ledger (function_name, reason) values
  ('private.record_mail_event', 'Writes the send log, on which service_role has no rights.');
