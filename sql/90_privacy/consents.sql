-- private.consent_texts, public.consents; public.list_purposes(), give_consent(…), withdraw_consent(purpose),
-- private.may_process(person, purpose), private.require_processing(person, purpose, processor)
-- Why:     what a person may refuse is refused at once: every job asks right before it works (P7.5, P10.1), and the log
--          proves what was agreed to, in which words, when, and when it ended.
-- Caller:  people, in every state of the account; bodies of all contexts and jobs ask private.may_process().
-- Errors:  NX001 no live session. NX901 a purpose without a choice. NX902 the text has changed. NX903 the log is to be
--          changed. NX904 no permission. NX905 the processor is not listed for it.
-- Repeat:  safe: what stands is returned, nothing is logged twice.

create table private.consent_texts (
  purpose_id text not null references private.processing_purposes (id),
  version int not null,
  body text not null,
  valid_from timestamptz not null,
  primary key (purpose_id, version),
  constraint version_counts_from_1 check (version > 0),
  constraint body_is_a_text check (length(body) between 20 and 2000)
);
comment on table private.consent_texts is 'The words in which a choice is put to people. A new wording is a new row.';

insert into private.consent_texts (purpose_id, version, body, valid_from) values
  ('marketing', 1, 'Send me news and offers by e-mail. I can stop this at any time, in the settings or in any such mail.', '2026-01-01Z'),
  ('product_improvement', 1, 'Count anonymously how I use the product, so that it gets better. I can stop this at any time.', '2026-01-01Z');

create table public.consents (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  purpose_id text not null references private.processing_purposes (id),
  is_given boolean not null,
  text_version int,
  text_hash text,
  method text not null,
  at timestamptz not null,
  foreign key (purpose_id, text_version) references private.consent_texts (purpose_id, version),
  constraint given_names_its_text check (not is_given or text_version is not null and text_hash is not null),
  constraint text_hash_is_sha_256 check (text_hash ~ '^[0-9a-f]{64}$'),
  constraint method_is_snake_case check (method ~ '^[a-z][a-z0-9_]{2,40}$')
);
create index consents_user_id_purpose_id_at_idx on public.consents (user_id, purpose_id, at desc, id);
create index consents_purpose_id_text_version_idx on public.consents (purpose_id, text_version);
comment on table public.consents is 'Log of consents and refusals of one person: append-only, the newest row counts (P10.1).';
comment on column public.consents.is_given is 'true: given. false: refused or withdrawn.';
comment on column public.consents.text_version is 'The wording that was shown.';
comment on column public.consents.text_hash is 'SHA-256 of that wording.';
comment on column public.consents.method is 'Where the choice was made, e.g. settings, sign_up, unsubscribe_link.';
comment on column public.consents.at is 'When, by the clock of the database.';

-- Rows go with their person and in no other way.
create function private.tg_consents__append_only() returns trigger
language plpgsql volatile security definer set search_path = '' as $$
begin
  if tg_op <> 'DELETE' or auth.uid() is not null then
    perform private.fail('NX903', p_detail := 'consents');
  end if;
  return old;
end;
$$;
comment on function private.tg_consents__append_only() is
  'Nobody changes the log, and people do not delete from it; rows go with the account.';
create trigger _100_append_only before update or delete on public.consents
  for each row execute function private.tg_consents__append_only();
create trigger _110_keep_all before truncate on public.consents
  for each statement execute function private.tg_consents__append_only();

create function private.log_choice(
  p_person uuid, p_purpose text, p_given boolean, p_method text, p_now timestamptz default now()
) returns public.consents
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_row public.consents;
begin
  perform pg_advisory_xact_lock(hashtextextended(concat_ws(':', 'consent', p_person, p_purpose), 0));
  select * into v_row from public.consents c where c.user_id = p_person and c.purpose_id = p_purpose
    order by c.at desc, c.id limit 1;
  if found and v_row.is_given = p_given then
    return v_row;
  end if;
  insert into public.consents (user_id, purpose_id, is_given, text_version, text_hash, method, at)
    select p_person, p_purpose, p_given, t.version, encode(sha256(convert_to(t.body, 'UTF8')), 'hex'), p_method,
           greatest(p_now, v_row.at + interval '1 microsecond')
    from (select 1) one left join lateral (
      select x.* from private.consent_texts x where x.purpose_id = p_purpose and x.valid_from <= p_now
      order by x.version desc limit 1) t on true
    returning * into v_row;
  return v_row;
end;
$$;
comment on function private.log_choice(uuid, text, boolean, text, timestamptz) is
  'Writes a choice into the log unless it stands already.';

-- The switch of the preferences is the same choice as the purpose: one follows the other.
create function private.tg_preferences__log_choice() returns trigger
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform private.log_choice(new.user_id, 'product_improvement', new.product_analytics, 'settings');
  return null;
end;
$$;
comment on function private.tg_preferences__log_choice() is 'AFTER UPDATE: the switch for analytics is a choice on record (P5.2, P7.5).';
create trigger _300_log_choice after update of product_analytics on public.preferences
  for each row when (new.product_analytics is distinct from old.product_analytics)
  execute function private.tg_preferences__log_choice();

create function private.may_process(p_person uuid, p_purpose text) returns boolean
language sql stable security invoker set search_path = '' as $$
  select coalesce((
    select case
      when a.state <> 'active' and p.id not in ('security', 'transactional_email', 'billing', 'legal_duty') then false
      when p.id = 'product_improvement' then (
        select f.product_analytics from public.preferences f where f.user_id = p_person)
      when p.may_be_refused then coalesce((
        select c.is_given from public.consents c
        where c.user_id = p_person and c.purpose_id = p.id order by c.at desc, c.id limit 1),
        p.lawful_basis <> 'consent')
      else true end
    from private.processing_purposes p join private.accounts a on a.user_id = p_person
    where p.id = p_purpose), false)
$$;
comment on function private.may_process(uuid, text) is
  'Whether data of this person may be used for this purpose now. False for what is not listed, and for whoever is gone (P2.1).';

create function private.require_processing(p_person uuid, p_purpose text, p_processor text default null)
returns void
language plpgsql volatile security invoker set search_path = '' as $$
begin
  if not private.may_process(p_person, p_purpose) then
    perform private.fail('NX904', p_detail := left(p_purpose, 60));
  elsif p_processor is not null then
    perform private.require_processor(p_processor, p_purpose);
  end if;
end;
$$;
comment on function private.require_processing(uuid, text, text) is
  'NX904 or NX905 unless this may be done now; asked right before it is done.';
