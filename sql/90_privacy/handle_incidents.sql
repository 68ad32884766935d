-- worker.open_incident(…), private.freeze_affected(incident, query), worker.record_authority_notice(incident, reference),
-- worker.report_incident(incident), private.watch_incidents(now)
-- Why:     what is done about a breach, step by step, with an alarm before the 72 hours are over (P3.10).
-- Caller:  service_role, for whoever operates the service; freezing takes a query, so a DBA does it. DEFINER bodies.
-- Errors:  NX950 no such incident. NX952 the affected are frozen already. NX002 an argument.
-- Repeat:  opening makes a new incident; freezing happens once; the rest is safe.
-- Locks:   the incident, then mails.

create function private.note_incident(p_incident uuid, p_event text, p_details jsonb, p_now timestamptz default now()) returns void
language sql volatile security invoker set search_path = '' as $$
  insert into private.incident_events (incident_id, at, event, details) values (p_incident, p_now, p_event, coalesce(p_details, '{}'))
$$;
comment on function private.note_incident(uuid, text, jsonb, timestamptz) is 'Adds to the timeline of an incident.';

create function private.open_incident(
  p_aware_at timestamptz, p_title text, p_happened text, p_affected text, p_doing text, p_advice text,
  p_now timestamptz default now()
) returns uuid
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_incident uuid;
begin
  if p_aware_at is null or p_aware_at > p_now then
    perform private.fail('NX002', p_detail := 'p_aware_at');
  end if;
  insert into private.incidents (aware_at, notify_by, opened_at, title, happened, affected, doing, advice)
    values (p_aware_at, p_aware_at + interval '72 hours', p_now, p_title, p_happened, p_affected, p_doing, p_advice)
    returning id into v_incident;
  perform private.note_incident(v_incident, 'became_aware', null, p_aware_at);
  perform private.note_incident(v_incident, 'opened', null, p_now);
  perform private.audit('incident_opened', 'incident', v_incident, p_now := p_now);
  return v_incident;
end;
$$;
comment on function private.open_incident(timestamptz, text, text, text, text, text, timestamptz) is 'Body of worker.open_incident().';

-- INVOKER and granted to nobody: a query is run with the rights of the DBA who gives it.
create function private.freeze_affected(p_incident uuid, p_query text, p_now timestamptz default now()) returns bigint
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_incident private.incidents;
  v_campaign uuid;
  v_users uuid[];
begin
  select * into v_incident from private.incidents i where i.id = p_incident for update;
  if not found then
    perform private.fail('NX950');
  elsif v_incident.frozen_at is not null then
    perform private.fail('NX952');
  end if;
  execute format('select array_agg(distinct u.id) from auth.users u join (%s) as q (user_id) on q.user_id = u.id', p_query) into v_users;
  v_users := coalesce(v_users, '{}');
  insert into private.mail_campaigns (template_id, category_id, params, created_at, give_up_at)
    values ('incident', 'security', jsonb_build_object('title', v_incident.title, 'happened', v_incident.happened,
              'affected', v_incident.affected, 'doing', v_incident.doing, 'advice', v_incident.advice,
              'aware_at', v_incident.aware_at), p_now, p_now + interval '30 days')
    returning id into v_campaign;
  perform private.queue_campaign(v_campaign, v_users, p_now);
  insert into private.incident_recipients (incident_id, user_id, mail_id)
    select p_incident, u, (select m.id from private.mails m where m.campaign_id = v_campaign and m.user_id = u) from unnest(v_users) u;
  update private.incidents i set frozen_at = p_now, affected_query = p_query, affected_count = cardinality(v_users),
      campaign_id = v_campaign where i.id = p_incident;
  perform private.note_incident(p_incident, 'affected_frozen', jsonb_build_object('count', cardinality(v_users)), p_now);
  return cardinality(v_users);
end;
$$;
comment on function private.freeze_affected(uuid, text, timestamptz) is
  'Runs a query that gives ids of people, freezes who was affected, and queues a mail to each; returns how many. For DBAs.';

create function private.tg_mails__prove_incident() returns trigger
language plpgsql volatile security definer set search_path = '' as $$
begin
  update private.incident_recipients r
    set sent_at = coalesce(r.sent_at, new.sent_at), provider_id = coalesce(new.provider_id, r.provider_id),
        delivered_at = coalesce(r.delivered_at, new.delivered_at), bounced_at = coalesce(r.bounced_at, new.bounced_at),
        failed_code = case when new.state = 'failed' then new.last_code else r.failed_code end
    where r.mail_id = new.id;
  return null;
end;
$$;
comment on function private.tg_mails__prove_incident() is 'AFTER UPDATE: what became of the mail is copied to the proof, which outlives the send log.';
create trigger _320_prove_incident after update on private.mails
  for each row when (new.template_id = 'incident') execute function private.tg_mails__prove_incident();

create function private.record_authority_notice(p_incident uuid, p_reference text, p_now timestamptz default now()) returns void
language plpgsql volatile security definer set search_path = '' as $$
begin
  if coalesce(p_reference, '') !~ '^[A-Za-z0-9_./:-]{1,100}$' then
    perform private.fail('NX002', p_detail := 'p_reference');
  end if;
  update private.incidents i set authority_told_at = p_now, authority_reference = p_reference
    where i.id = p_incident and i.authority_reference is distinct from p_reference;
  if found then
    perform private.note_incident(p_incident, 'authority_told', null, p_now);
  elsif not exists (select from private.incidents i where i.id = p_incident) then
    perform private.fail('NX950');
  end if;
end;
$$;
comment on function private.record_authority_notice(uuid, text, timestamptz) is 'Body of worker.record_authority_notice().';

-- Each alarm is a dead letter, which the operator's metrics count.
create function private.watch_incidents(p_now timestamptz default now()) returns bigint
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_incident private.incidents;
  v_code text;
  v_count bigint := 0;
begin
  for v_incident in
    select i.* from private.incidents i
    where i.missed_at is null and i.notify_by - private.setting_interval('incident_warning') <= p_now
      and (i.frozen_at is null or i.authority_told_at is null or exists (
        select from private.incident_recipients r where r.incident_id = i.id and r.sent_at is null)) for update
  loop
    v_code := case when v_incident.notify_by <= p_now then 'deadline_missed' when v_incident.warned_at is null then 'deadline_near' end;
    continue when v_code is null;
    update private.incidents i set warned_at = coalesce(i.warned_at, p_now),
        missed_at = case when v_code = 'deadline_missed' then p_now end where i.id = v_incident.id;
    perform private.note_incident(v_incident.id, v_code, null, p_now);
    insert into private.dead_letters (lane, subject_id, attempts, last_code, died_at)
      values ('incident', v_incident.id, 0, v_code, p_now);
    v_count := v_count + 1;
  end loop;
  return v_count;
end;
$$;
comment on function private.watch_incidents(timestamptz) is
  'Housekeeping: an alarm before the 72 hours are over, while somebody affected or the authority is not told yet.';

create function private.report_incident(p_incident uuid) returns table (at timestamptz, event text, people bigint)
language plpgsql stable security definer set search_path = '' as $$
#variable_conflict use_column
begin
  if not exists (select from private.incidents i where i.id = p_incident) then
    perform private.fail('NX950');
  end if;
  return query
    select e.at, e.event, (e.details ->> 'count')::bigint from private.incident_events e where e.incident_id = p_incident
    union all
    select min(r.sent_at), 'first_mail_sent', null::bigint from private.incident_recipients r where r.incident_id = p_incident having min(r.sent_at) is not null
    union all
    select max(r.sent_at), 'last_mail_sent', count(r.sent_at) from private.incident_recipients r where r.incident_id = p_incident having max(r.sent_at) is not null
    union all
    select max(r.delivered_at), 'last_mail_delivered', count(r.delivered_at) from private.incident_recipients r where r.incident_id = p_incident having max(r.delivered_at) is not null
    union all
    select max(r.bounced_at), 'last_mail_bounced', count(r.bounced_at) from private.incident_recipients r where r.incident_id = p_incident having max(r.bounced_at) is not null
    order by 1, 2;
end;
$$;
comment on function private.report_incident(uuid) is 'Body of worker.report_incident().';

create function worker.open_incident(
  p_aware_at timestamptz, p_title text, p_happened text, p_affected text, p_doing text, p_advice text
) returns uuid
language sql volatile security invoker set search_path = '' as $$
  select private.open_incident(p_aware_at, p_title, p_happened, p_affected, p_doing, p_advice)
$$;
comment on function worker.open_incident(timestamptz, text, text, text, text, text) is
  'Puts a breach on record with the words for those affected; the 72 hours run from p_aware_at (P3.10).';

create function worker.record_authority_notice(p_incident uuid, p_reference text) returns void
language sql volatile security invoker set search_path = '' as $$
  select private.record_authority_notice(p_incident, p_reference)
$$;
comment on function worker.record_authority_notice(uuid, text) is 'Notes that the authority was told, and its reference.';

create function worker.report_incident(p_incident uuid) returns table (at timestamptz, event text, people bigint)
language sql stable security invoker set search_path = '' as $$
  select r.at, r.event, r.people from private.report_incident(p_incident) r
$$;
comment on function worker.report_incident(uuid) is 'The timeline for the authority: what was done when, and how many were reached. Names nobody.';

insert into private.settings (key, value, description) values
  ('incident_warning', '"24 hours"', 'How long before the 72 hours are over an alarm is raised.');

insert into private.housekeeping_tasks (task, function_name, run_order) values
  ('watch_incidents', 'private.watch_incidents', 920);

insert into private.definer_ledger (function_name, reason) values
  ('private.open_incident', 'Writes incidents, on which service_role has no rights.'),
  ('private.record_authority_notice', 'Writes incidents, on which service_role has no rights.'),
  ('private.report_incident', 'Reads incidents, on which service_role has no rights.'),
  ('private.tg_mails__prove_incident', 'Runs with whatever settles a mail.');
