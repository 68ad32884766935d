-- private.mails, private.mail_campaigns; private.queue_mail(user, template, params, dedupe_key),
-- private.queue_mail_to(address, template, params, dedupe_key, user), private.queue_campaign(campaign, users)
-- Why:     outbox and send log in one: a mail exists when the transaction that caused it does, is sent once, and its
--          row proves when it went and what became of it (P3.10, P11.1).
-- Caller:  bodies of all contexts above; triggers.
-- Errors:  23502 an unknown template. 23514 a malformed key.
-- Repeat:  safe: a dedupe key is queued once.
-- Locks:   the mail's row, then its queue row.
--
-- Address: a person's is looked up when the mail is claimed and kept nowhere here. One who has no account (a guardian,
--          somebody who was erased) has the address in the row, which goes with the message or with give_up_at (P4.3).
-- Lanes:   mail (one mail to one person) goes before mail_bulk (campaigns), so that a message to everybody never delays
--          a warning about a password.

create table private.mail_campaigns (
  id uuid primary key default gen_random_uuid(),
  template_id text not null,
  category_id text not null,
  params jsonb not null default '{}',
  created_at timestamptz not null,
  give_up_at timestamptz not null,
  foreign key (template_id, category_id) references private.mail_templates (id, category_id),
  constraint params_are_an_object check (jsonb_typeof(params) = 'object' and pg_column_size(params) <= 8000),
  constraint gives_up_later check (give_up_at > created_at)
);
create index mail_campaigns_template_id_idx on private.mail_campaigns (template_id, category_id);
comment on table private.mail_campaigns is 'One message to many people: its values stand here once.';

create table private.mails (
  id uuid primary key default gen_random_uuid(),
  user_id uuid references auth.users (id) on delete cascade,
  campaign_id uuid references private.mail_campaigns (id) on delete cascade,
  template_id text not null,
  category_id text not null,
  params jsonb not null default '{}',
  address text,
  dedupe_key text not null unique,
  unsubscribe_token text,
  unsubscribe_hash text unique,
  state text not null default 'waiting',
  created_at timestamptz not null,
  give_up_at timestamptz not null,
  attempts int not null default 0,
  last_code text,
  sent_at timestamptz,
  provider_id text unique,
  delivered_at timestamptz,
  bounced_at timestamptz,
  complained_at timestamptz,
  foreign key (template_id, category_id) references private.mail_templates (id, category_id),
  constraint state_is_known check (state in ('waiting', 'sent', 'failed', 'skipped')),
  constraint address_goes_with_the_message check (address is null or state = 'waiting'), -- P4.3
  constraint address_is_short check (length(address) between 3 and 320),
  constraint contents_go_with_the_message check (state = 'waiting' or params = '{}' and unsubscribe_token is null),
  constraint params_are_an_object check (jsonb_typeof(params) = 'object' and pg_column_size(params) <= 4000),
  constraint sent_has_time_and_id check ((state = 'sent') = (sent_at is not null) and (sent_at is null or provider_id is not null)),
  constraint dedupe_key_holds_ids_only check (dedupe_key ~ '^[A-Za-z0-9_.:-]{3,160}$'), -- P1.11
  constraint code_is_no_text check (last_code ~ '^[A-Za-z0-9_.:-]{1,64}$'), -- P1.11
  constraint retries_are_bounded check (give_up_at > created_at and give_up_at <= created_at + interval '60 days'),
  constraint unsubscribe_hash_is_sha_256 check (unsubscribe_hash ~ '^[0-9a-f]{64}$')
);
create index mails_user_id_created_at_idx on private.mails (user_id, created_at);
create index mails_campaign_id_idx on private.mails (campaign_id, state);
create index mails_template_id_idx on private.mails (template_id, category_id);
create index mails_created_at_idx on private.mails (created_at);
create index mails_give_up_at_idx on private.mails (give_up_at) where state = 'waiting';
comment on table private.mails is 'Outbox and send log of mails: whom, which kind, when, what became of it; never the words.';
comment on column private.mails.address is 'Of somebody without an account alone, until the message has gone (P4.3).';
comment on column private.mails.params is 'Values for the template, until the message has gone.';
comment on column private.mails.unsubscribe_token is 'Stands in the link of the message; afterwards only its hash is left.';
comment on column private.mails.provider_id is 'Id of the message at Resend.';
comment on column private.mails.sent_at is 'When Resend took it.';

create function private.tg_mails__dequeue() returns trigger
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform private.dequeue('mail', old.id), private.dequeue('mail_bulk', old.id);
  return null;
end;
$$;
comment on function private.tg_mails__dequeue() is 'AFTER DELETE: what is not there is not sent (P7.3).';
create trigger _300_dequeue after delete on private.mails
  for each row when (old.state = 'waiting') execute function private.tg_mails__dequeue();

create function private.queue_mail_to(
  p_address text, p_template text, p_params jsonb, p_dedupe_key text, p_user uuid, p_now timestamptz default now()
) returns uuid
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_template private.mail_templates := (select t from private.mail_templates t where t.id = p_template);
  v_is_optional boolean := (select not c.is_mandatory from public.mail_categories c where c.id = v_template.category_id);
  v_token text := case when v_is_optional then encode(extensions.gen_random_bytes(32), 'hex') end;
  v_mail uuid;
begin
  insert into private.mails (user_id, template_id, category_id, params, address, dedupe_key, unsubscribe_token,
                             unsubscribe_hash, created_at, give_up_at)
    values (p_user, v_template.id, v_template.category_id, coalesce(p_params, '{}'), p_address, p_dedupe_key, v_token,
            encode(sha256(convert_to(v_token, 'UTF8')), 'hex'), p_now, p_now + v_template.give_up_after)
    on conflict (dedupe_key) do nothing returning id into v_mail;
  if v_mail is null then
    return (select m.id from private.mails m where m.dedupe_key = p_dedupe_key);
  end if;
  perform private.enqueue('mail', v_mail, p_now, p_now);
  return v_mail;
end;
$$;
comment on function private.queue_mail_to(text, text, jsonb, text, uuid, timestamptz) is
  'Queues a mail to an address that no account has. It goes when p_user does (NULL: with nobody). Returns its id.';

create function private.queue_mail(
  p_user uuid, p_template text, p_params jsonb, p_dedupe_key text, p_now timestamptz default now()
) returns uuid
language sql volatile security invoker set search_path = '' as $$
  select private.queue_mail_to(null, p_template, p_params, p_dedupe_key, p_user, p_now)
$$;
comment on function private.queue_mail(uuid, text, jsonb, text, timestamptz) is
  'Queues a mail to a person, once per dedupe key; returns its id.';

create function private.queue_campaign(p_campaign uuid, p_users uuid[], p_now timestamptz default now()) returns bigint
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_count bigint;
begin
  with made as (
    insert into private.mails (user_id, campaign_id, template_id, category_id, dedupe_key, created_at, give_up_at)
    select u.id, c.id, c.template_id, c.category_id, concat_ws(':', 'campaign', c.id, u.id), p_now,
           greatest(c.give_up_at, p_now + interval '1 hour')
    from private.mail_campaigns c
    join public.mail_categories k on k.id = c.category_id and k.is_mandatory
    cross join auth.users u
    where c.id = p_campaign and u.id = any (p_users)
    on conflict (dedupe_key) do nothing returning id
  ), queued as (
    select private.enqueue('mail_bulk', m.id, p_now, p_now) from made m
  )
  select count(*) into v_count from queued;
  return v_count;
end;
$$;
comment on function private.queue_campaign(uuid, uuid[], timestamptz) is
  'Queues a message that everybody must get to these people, once each; returns how many are new.';

create function private.settle_mail(
  p_mail uuid, p_state text, p_code text, p_provider_id text default null, p_now timestamptz default now()
) returns boolean
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_attempts int;
begin
  update private.mails m
    set state = p_state, last_code = coalesce(p_code, m.last_code), provider_id = coalesce(p_provider_id, m.provider_id),
        sent_at = case p_state when 'sent' then p_now end, address = null, params = '{}', unsubscribe_token = null
    where m.id = p_mail and m.state = 'waiting' returning m.attempts into v_attempts;
  if not found then
    return false;
  end if;
  perform private.dequeue('mail', p_mail), private.dequeue('mail_bulk', p_mail);
  if p_state = 'failed' then
    insert into private.dead_letters (lane, subject_id, attempts, last_code, died_at)
      values ('mail', p_mail, v_attempts, coalesce(p_code, 'unknown'), p_now);
  end if;
  return true;
end;
$$;
comment on function private.settle_mail(uuid, text, text, text, timestamptz) is
  'Ends a mail once: contents and address go, the log stays; one that failed is an alarm.';

create function private.give_up_mails(p_now timestamptz default now()) returns bigint
language sql volatile security invoker set search_path = '' as $$
  select count(*) filter (where private.settle_mail(m.id, 'failed', coalesce(m.last_code, 'gave_up'), null, p_now))
  from (select id, last_code from private.mails where state = 'waiting' and give_up_at <= p_now
        order by give_up_at limit private.setting_int('housekeeping_batch')) m
$$;
comment on function private.give_up_mails(timestamptz) is 'Housekeeping: what could not be sent in its time has failed.';

create function private.forget_mails(p_now timestamptz default now()) returns bigint
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_count bigint;
begin
  delete from private.mails m where m.id = any (array(
    select o.id from private.mails o where o.created_at < p_now - interval '13 months' and o.state <> 'waiting'
      and (o.user_id is null or o.user_id not in (select h.subject_id from private.held_people h)) -- P8.5
    order by o.created_at limit private.setting_int('housekeeping_batch')));
  get diagnostics v_count = row_count;
  return v_count;
end;
$$;
comment on function private.forget_mails(timestamptz) is 'Housekeeping: the send log of more than 13 months ago.';

insert into private.housekeeping_tasks (task, function_name, run_order) values
  ('give_up_mails', 'private.give_up_mails', 800),
  ('forget_mails', 'private.forget_mails', 810);

insert into private.definer_ledger (function_name, reason) values
  ('private.tg_mails__dequeue', 'Also runs when Auth deletes a user, whose role has no rights on the queue.');
