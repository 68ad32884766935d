-- public.policy_versions; worker.announce_policy(url, summary, effective_at), public.list_policies()
-- Why:     a change of the policy is mailed to everybody at least 14 days before it takes effect (P11.1), and stands in
--          the product meanwhile (P11.2). The 14 days count from the last mail that went, by a constraint: while mails
--          are on their way, or the provider is down, the date moves.
-- Caller:  service_role announces; people read, in every state of the account; housekeeping mails in batches.
--          DEFINER: the outbox and accounts are out of reach.
-- Errors:  NX930 a change is pending already. NX931 sooner than 14 days. NX932 an announcement is to be changed.
-- Repeat:  announcing is not; mailing is.
-- Locks:   the version's row; mails.
-- States:  pending (announced; some mails wait, or the date is ahead) → in effect → superseded by the next one.

create table public.policy_versions (
  version int primary key,
  url text not null,
  summary text not null,
  announced_at timestamptz not null,
  effective_at timestamptz not null,
  last_mailed_at timestamptz,
  mailed_at timestamptz,
  constraint version_counts_from_1 check (version > 0),
  constraint url_is_a_web_address check (private.is_web_address(url)),
  constraint summary_is_given check (length(summary) between 20 and 2000),
  constraint fourteen_days_after_the_announcement check ( -- P11.1; nothing preceded the first
    version = 1 or effective_at >= announced_at + interval '336 hours'),
  constraint fourteen_days_after_the_last_mail check (effective_at >= last_mailed_at + interval '336 hours'), -- P11.1
  constraint mailed_after_the_announcement check (mailed_at >= announced_at)
);
comment on table public.policy_versions is 'Versions of the privacy policy, with the dates that the promise asks for (P11.3).';
comment on column public.policy_versions.version is 'Counts from 1.';
comment on column public.policy_versions.url is 'Where its text is.';
comment on column public.policy_versions.summary is 'What changes, in words.';
comment on column public.policy_versions.announced_at is 'When mailing began.';
comment on column public.policy_versions.effective_at is 'When it takes effect, if everybody was mailed by then; it only ever moves later.';
comment on column public.policy_versions.last_mailed_at is 'When the last mail about it went.';
comment on column public.policy_versions.mailed_at is 'When no mail about it was left to send; without it the version is not in effect.';

create table private.policy_mailings (
  version int primary key references public.policy_versions (version),
  campaign_id uuid not null unique references private.mail_campaigns (id),
  last_user_id uuid,
  fanned_out_at timestamptz
);
comment on table private.policy_mailings is 'How far the mails about a version have been queued.';

insert into public.policy_versions (version, url, summary, announced_at, effective_at, mailed_at) values
  (1, 'https://nexora.example/privacy', 'The first version of the privacy policy.', '2026-01-01Z', '2026-01-01Z', '2026-01-01Z');

create function private.tg_policy_versions__keep() returns trigger
language plpgsql volatile security invoker set search_path = '' as $$
begin
  if tg_op <> 'UPDATE' then
    perform private.fail('NX932');
  elsif (new.version, new.url, new.summary, new.announced_at) is distinct from (old.version, old.url, old.summary, old.announced_at)
     or new.effective_at < old.effective_at or new.last_mailed_at < old.last_mailed_at
     or old.mailed_at is not null and new is distinct from old then
    perform private.fail('NX932');
  end if;
  return new;
end;
$$;
comment on function private.tg_policy_versions__keep() is
  'What was announced stays, and its date only moves later; once everybody was told, nothing moves (P11.1).';
create trigger _100_keep before update or delete on public.policy_versions
  for each row execute function private.tg_policy_versions__keep();
create trigger _110_keep_all before truncate on public.policy_versions
  for each statement execute function private.tg_policy_versions__keep();

create function private.policy_in_effect(p_now timestamptz default now()) returns int
language sql stable security invoker set search_path = '' as $$
  select max(v.version) from public.policy_versions v where v.effective_at <= p_now and v.mailed_at <= p_now
$$;
comment on function private.policy_in_effect(timestamptz) is 'The version that holds: its date has come, and everybody was told in time.';

create function private.announce_policy(
  p_url text, p_summary text, p_effective_at timestamptz, p_now timestamptz default now()
) returns int
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_version int;
  v_campaign uuid;
begin
  lock table public.policy_versions in share row exclusive mode;
  if exists (select from public.policy_versions v where v.version > private.policy_in_effect(p_now)) then
    perform private.fail('NX930');
  elsif p_effective_at is null or p_effective_at < p_now + interval '336 hours' then
    perform private.fail('NX931');
  end if;
  insert into public.policy_versions (version, url, summary, announced_at, effective_at)
    select max(v.version) + 1, p_url, p_summary, p_now, p_effective_at from public.policy_versions v
    returning version into v_version;
  insert into private.mail_campaigns (template_id, category_id, params, created_at, give_up_at)
    values ('policy_change', 'policy', jsonb_build_object('version', v_version, 'url', p_url, 'summary', p_summary,
              'effective_at', p_effective_at), p_now, p_now + interval '30 days')
    returning id into v_campaign;
  insert into private.policy_mailings (version, campaign_id) values (v_version, v_campaign);
  perform private.audit('policy_announced', 'policy_version', null, jsonb_build_object('version', v_version), p_now);
  perform private.mail_policies(p_now);
  return v_version;
end;
$$;
comment on function private.announce_policy(text, text, timestamptz, timestamptz) is 'Body of worker.announce_policy().';

create function private.mail_policies(p_now timestamptz default now()) returns bigint
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_mailing private.policy_mailings;
  v_users uuid[];
  v_limit int := private.setting_int('policy_mail_batch');
  v_count bigint := 0;
begin
  for v_mailing in select * from private.policy_mailings m where m.fanned_out_at is null for update loop
    v_users := array(
      select a.user_id from private.accounts a join public.policy_versions v on v.version = v_mailing.version
      where a.created_at <= v.announced_at and a.user_id > coalesce(v_mailing.last_user_id, '00000000-0000-0000-0000-000000000000')
      order by a.user_id limit v_limit);
    v_count := v_count + private.queue_campaign(v_mailing.campaign_id, v_users, p_now);
    update private.policy_mailings m
      set last_user_id = case when cardinality(v_users) = v_limit then v_users[v_limit] end,
          fanned_out_at = case when cardinality(v_users) < v_limit then p_now end
      where m.version = v_mailing.version;
  end loop;
  return v_count;
end;
$$;
comment on function private.mail_policies(timestamptz) is 'Housekeeping: queues the next batch of mails about a change; everybody gets one.';

create function private.tg_mails__note_policy() returns trigger
language plpgsql volatile security definer set search_path = '' as $$
begin
  update public.policy_versions v
    set last_mailed_at = new.sent_at, effective_at = greatest(v.effective_at, new.sent_at + interval '336 hours')
    from private.policy_mailings m
    where m.campaign_id = new.campaign_id and v.version = m.version and v.mailed_at is null
      and (v.last_mailed_at is null or v.last_mailed_at < new.sent_at);
  return null;
end;
$$;
comment on function private.tg_mails__note_policy() is 'AFTER UPDATE: each mail that goes keeps the date 14 days behind it (P11.1).';
create trigger _310_note_policy after update of state on private.mails
  for each row when (new.state = 'sent' and new.campaign_id is not null and new.category_id = 'policy')
  execute function private.tg_mails__note_policy();

-- While mails wait, the date that people see stays honest: no sooner than 14 days from now.
create function private.settle_policy_mailings(p_now timestamptz default now()) returns bigint
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_count bigint;
begin
  update public.policy_versions v set effective_at = p_now + interval '336 hours'
    from private.policy_mailings m
    where m.version = v.version and v.mailed_at is null and v.effective_at < p_now + interval '336 hours'
      and (m.fanned_out_at is null or exists (
        select from private.mails x where x.campaign_id = m.campaign_id and x.state = 'waiting'));
  update public.policy_versions v set mailed_at = p_now
    from private.policy_mailings m
    where m.version = v.version and v.mailed_at is null and m.fanned_out_at is not null and not exists (
      select from private.mails x where x.campaign_id = m.campaign_id and x.state = 'waiting');
  get diagnostics v_count = row_count;
  return v_count;
end;
$$;
comment on function private.settle_policy_mailings(timestamptz) is
  'Housekeeping: a mailing is done when no mail is left; one that is not puts the date off (P11.1).';

create function worker.announce_policy(p_url text, p_summary text, p_effective_at timestamptz) returns int
language sql volatile security invoker set search_path = '' as $$
  select private.announce_policy(p_url, p_summary, p_effective_at)
$$;
comment on function worker.announce_policy(text, text, timestamptz) is
  'Announces a new version of the privacy policy and begins to mail it to everybody; at least 14 days ahead (P11.1).';

insert into private.settings (key, value, description) values
  ('policy_mail_batch', '5000', 'How many mails about a change of the policy are queued at once.');

insert into private.housekeeping_tasks (task, function_name, run_order) values
  ('mail_policies', 'private.mail_policies', 910),
  ('settle_policy_mailings', 'private.settle_policy_mailings', 911);

insert into private.definer_ledger (function_name, reason) values
  ('private.announce_policy', 'Writes versions and the outbox, on which service_role has no rights.'),
  ('private.tg_mails__note_policy', 'Runs with whatever settles a mail.');
