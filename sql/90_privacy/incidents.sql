-- private.incidents, private.incident_recipients, private.incident_events
-- Why:     after a breach every affected person is mailed within 72 hours of awareness, whatever they chose about mails,
--          and across an outage of the mail provider; it can be proven for each of them, and the authority gets a
--          timeline (P3.10, articles 33 and 34 GDPR).
-- Caller:  handle_incidents.sql.
-- Errors:  NX951 what is on record is to be changed.
-- Clock:   notify_by = aware_at + 72 hours, by a constraint; aware_at never changes.

create table private.incidents (
  id uuid primary key default gen_random_uuid(),
  aware_at timestamptz not null,
  notify_by timestamptz not null,
  opened_at timestamptz not null,
  title text not null,
  happened text not null,
  affected text not null,
  doing text not null,
  advice text not null,
  affected_query text,
  frozen_at timestamptz,
  affected_count bigint,
  campaign_id uuid unique references private.mail_campaigns (id),
  authority_told_at timestamptz,
  authority_reference text,
  warned_at timestamptz,
  missed_at timestamptz,
  constraint within_72_hours_of_awareness check (notify_by = aware_at + interval '72 hours'), -- P3.10
  constraint aware_before_it_was_opened check (aware_at <= opened_at),
  constraint frozen_is_complete check (
    (frozen_at is null) = (affected_count is null) and (frozen_at is null) = (affected_query is null)),
  constraint authority_has_a_reference check ((authority_told_at is null) = (authority_reference is null)),
  constraint texts_are_given check (length(title) between 5 and 120 and length(happened) between 20 and 2000
    and length(affected) between 5 and 2000 and length(doing) between 10 and 2000 and length(advice) between 10 and 2000)
);
comment on table private.incidents is 'Breaches of personal data, with what people and the authority are told.';
comment on column private.incidents.aware_at is 'When the service became aware: the clock of 72 hours starts here and never moves.';
comment on column private.incidents.affected_query is 'By what the affected were found.';

create table private.incident_recipients (
  id uuid primary key default gen_random_uuid(),
  incident_id uuid not null references private.incidents (id),
  user_id uuid references auth.users (id) on delete set null,
  mail_id uuid unique,
  provider_id text,
  sent_at timestamptz,
  delivered_at timestamptz,
  bounced_at timestamptz,
  failed_code text,
  unique (incident_id, user_id)
);
create index incident_recipients_user_id_idx on private.incident_recipients (user_id);
comment on table private.incident_recipients is
  'Who was affected, frozen, with the proof of each mail. Outlives the send log; names nobody who was erased.';

create table private.incident_events (
  id uuid primary key default gen_random_uuid(),
  incident_id uuid not null references private.incidents (id),
  at timestamptz not null,
  event text not null,
  details jsonb not null default '{}',
  constraint event_is_snake_case check (event ~ '^[a-z][a-z0-9_]{2,40}$'),
  constraint details_hold_codes_and_counts check (not jsonb_path_exists(
    details, '$.** ? (@.type() == "string" && !(@ like_regex "^[A-Za-z0-9_.:+-]{0,64}$"))'))
);
create index incident_events_incident_id_at_idx on private.incident_events (incident_id, at);
comment on table private.incident_events is 'What was done about an incident and when: the timeline for the authority.';

create function private.tg_incidents__keep() returns trigger
language plpgsql volatile security invoker set search_path = '' as $$
begin
  if tg_op <> 'UPDATE' or (new.id, new.aware_at, new.notify_by, new.opened_at) is distinct from (old.id, old.aware_at, old.notify_by, old.opened_at)
     or old.frozen_at is not null and (new.title, new.happened, new.affected, new.doing, new.advice, new.affected_query, new.frozen_at,
          new.affected_count, new.campaign_id) is distinct from (old.title, old.happened, old.affected, old.doing, old.advice,
          old.affected_query, old.frozen_at, old.affected_count, old.campaign_id)
     or old.authority_told_at is not null and (new.authority_told_at, new.authority_reference) is distinct from (old.authority_told_at, old.authority_reference) then
    perform private.fail('NX951');
  end if;
  return new;
end;
$$;
comment on function private.tg_incidents__keep() is 'aware_at never changes; once the affected are frozen, neither they nor the words do (P3.10).';
create trigger _100_keep before update or delete on private.incidents
  for each row execute function private.tg_incidents__keep();
create trigger _110_keep_all before truncate on private.incidents
  for each statement execute function private.tg_incidents__keep();

create function private.tg_incident_recipients__keep() returns trigger
language plpgsql volatile security definer set search_path = '' as $$
begin
  if tg_op in ('DELETE', 'TRUNCATE') or tg_op = 'INSERT' and exists (
       select from private.incidents i where i.id = new.incident_id and i.frozen_at is not null)
     or tg_op = 'UPDATE' and ((new.id, new.incident_id) is distinct from (old.id, old.incident_id)
       or new.user_id is distinct from old.user_id and new.user_id is not null
       or old.mail_id is not null and new.mail_id is distinct from old.mail_id
       or old.sent_at is not null and new.sent_at is distinct from old.sent_at) then
    perform private.fail('NX951');
  end if;
  return new;
end;
$$;
comment on function private.tg_incident_recipients__keep() is
  'The affected are frozen: nobody is added or taken out; an erasure takes out whom a row names, never the row.';
create trigger _100_keep before insert or update or delete on private.incident_recipients
  for each row execute function private.tg_incident_recipients__keep();
create trigger _110_keep_all before truncate on private.incident_recipients
  for each statement execute function private.tg_incident_recipients__keep();

create function private.tg_incident_events__append_only() returns trigger
language plpgsql volatile security invoker set search_path = '' as $$
begin
  perform private.fail('NX951');
  return null;
end;
$$;
comment on function private.tg_incident_events__append_only() is 'The timeline is only ever added to.';
create trigger _100_append_only before update or delete on private.incident_events
  for each row execute function private.tg_incident_events__append_only();
create trigger _110_keep_all before truncate on private.incident_events
  for each statement execute function private.tg_incident_events__append_only();

insert into private.definer_ledger (function_name, reason) values
  ('private.tg_incident_recipients__keep', 'Also runs when Auth deletes a user, whose role has no rights here.');
