-- private.exports, private.export_chunks, bucket exports; public.request_export(), my_exports(), open_export(id), cancel_export(id)
-- Why:     a person gets everything that is theirs as one archive, privately (P7.4). It waits for seven days in a bucket
--          that no role of the API can read; each click gets a one-time ticket for the worker, which mints the URL.
-- Caller:  people, in every state of the account, signed in lately. DEFINER bodies: the tables are in private.
-- Errors:  NX001 no live session. NX920 the sign-in is too long ago. NX921 no such export. NX922 nothing to fetch.
--          NX205 no worker has announced its address.
-- Repeat:  safe: the export under way is returned. Each ticket is another one.
-- Locks:   one advisory lock per person.
-- States:  requested → building → ready → expired;  requested, building → failed;  all but failed, expired → cancelled

insert into storage.buckets (id, name, public, file_size_limit, allowed_mime_types) values
  ('exports', 'exports', false, 53687091200, array['application/zip'])
on conflict (id) do update set
  public = excluded.public, file_size_limit = excluded.file_size_limit, allowed_mime_types = excluded.allowed_mime_types;

create table private.exports (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  state text not null default 'requested',
  requested_at timestamptz not null,
  snapshot_at timestamptz,
  ended_at timestamptz,
  expires_at timestamptz,
  object_name text,
  catalogue_hash text,
  rows_total bigint not null default 0,
  rows_done bigint not null default 0,
  files_total bigint not null default 0,
  files_done bigint not null default 0,
  size_bytes bigint,
  sha256 text,
  omission_count int not null default 0,
  last_code text,
  unique (id, user_id),
  constraint state_is_known check (state in ('requested', 'building', 'ready', 'failed', 'expired', 'cancelled')),
  constraint ended_says_when check ((state in ('requested', 'building')) = (ended_at is null)),
  constraint gone_after_seven_days check ( -- P7.4
    expires_at is null or expires_at = ended_at + interval '168 hours'),
  constraint ready_is_whole check (
    state <> 'ready' or (expires_at is not null and object_name is not null and size_bytes > 0
      and snapshot_at is not null and catalogue_hash is not null and sha256 ~ '^[0-9a-f]{64}$')),
  constraint object_is_in_the_folder_of_its_person check (object_name like user_id || '/' || id || '/%'),
  constraint last_code_is_a_code check (last_code ~ '^[A-Za-z0-9_.:-]{1,64}$')
);
create unique index exports_one_at_a_time_key on private.exports (user_id) where state in ('requested', 'building');
create index exports_user_id_idx on private.exports (user_id, requested_at desc);
create index exports_open_idx on private.exports (requested_at) where state in ('requested', 'building');
comment on table private.exports is 'Archives of everything about a person: asked for, under way, waiting to be fetched (P7.4).';
comment on column private.exports.omission_count is 'Files that were listed and could not be read; the manifest names them.';

create table private.export_chunks (
  export_id uuid not null,
  user_id uuid not null references auth.users (id) on delete cascade,
  area text not null,
  position int not null,
  row_count int not null,
  staged_at timestamptz not null,
  body text not null,
  primary key (export_id, area, position),
  foreign key (export_id, user_id) references private.exports (id, user_id) on delete cascade
);
create index export_chunks_user_id_idx on private.export_chunks (user_id);
create index export_chunks_export_id_user_id_idx on private.export_chunks (export_id, user_id);
comment on table private.export_chunks is
  'The snapshot that an archive is written from: lines of JSON, all from one instant. Deleted when the archive is there.';

create table private.export_tickets (
  ticket_hash text primary key,
  export_id uuid not null,
  user_id uuid not null references auth.users (id) on delete cascade,
  expires_at timestamptz not null,
  foreign key (export_id, user_id) references private.exports (id, user_id) on delete cascade,
  constraint hash_is_sha_256 check (ticket_hash ~ '^[0-9a-f]{64}$')
);
create index export_tickets_user_id_idx on private.export_tickets (user_id);
create index export_tickets_export_id_user_id_idx on private.export_tickets (export_id, user_id);
comment on table private.export_tickets is 'One click each: exchanged once, within two minutes, for a URL of fifteen minutes.';

-- Auth notes the sign-in that began a session; refreshing does not move it.
create function private.recent_person(p_now timestamptz default now()) returns uuid
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_person uuid := private.live_person(p_now);
begin
  if not exists (select from auth.sessions s where s.id = private.current_session_id()
                   and s.created_at > p_now - private.setting_interval('recent_sign_in')) then
    perform private.fail('NX920');
  end if;
  return v_person;
end;
$$;
comment on function private.recent_person(timestamptz) is
  'The caller, who has signed in lately; NX920 otherwise. For what must not be done with a device that was left open.';

create type private.export_view as (
  id uuid, state text, requested_at timestamptz, ended_at timestamptz, expires_at timestamptz, rows_total bigint,
  rows_done bigint, files_total bigint, files_done bigint, size_bytes bigint, sha256 text, omission_count int, code text
);
comment on type private.export_view is 'An export as its person sees it.';

create function private.view_export(p_export private.exports, p_now timestamptz) returns private.export_view
language sql immutable security invoker set search_path = '' as $$
  select row(p_export.id, case when p_export.state = 'ready' and p_export.expires_at <= p_now then 'expired' else p_export.state end,
    p_export.requested_at, p_export.ended_at, p_export.expires_at, p_export.rows_total, p_export.rows_done,
    p_export.files_total, p_export.files_done, p_export.size_bytes, p_export.sha256, p_export.omission_count,
    p_export.last_code)::private.export_view
$$;
comment on function private.view_export(private.exports, timestamptz) is 'What a person sees of an export.';

create function private.request_export(p_now timestamptz default now()) returns private.export_view
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_person uuid := private.recent_person(p_now);
  v_export private.exports;
begin
  perform pg_advisory_xact_lock(hashtextextended('export:' || v_person, 0));
  select * into v_export from private.exports e where e.user_id = v_person and e.state in ('requested', 'building');
  if not found then
    insert into private.exports (user_id, requested_at) values (v_person, p_now) returning * into v_export;
    perform private.enqueue('export', v_export.id, p_now, p_now);
    perform private.audit('export_requested', 'export', v_export.id, p_now := p_now);
  end if;
  return private.view_export(v_export, p_now);
end;
$$;
comment on function private.request_export(timestamptz) is 'Body of public.request_export().';

create function private.my_exports(p_now timestamptz default now()) returns setof private.export_view
language plpgsql stable security definer set search_path = '' as $$
declare
  v_person uuid := private.live_person(p_now);
begin
  return query select (private.view_export(e, p_now)).* from private.exports e
    where e.user_id = v_person order by e.requested_at desc, e.id limit 50;
end;
$$;
comment on function private.my_exports(timestamptz) is 'Body of public.my_exports().';

create function private.open_export(p_export_id uuid, p_now timestamptz default now()) returns text
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_person uuid := private.recent_person(p_now);
  v_export private.exports;
  v_ticket text := encode(extensions.gen_random_bytes(32), 'hex');
begin
  select * into v_export from private.exports e where e.id = p_export_id and e.user_id = v_person;
  if not found then
    perform private.fail('NX921');
  elsif v_export.state <> 'ready' or v_export.expires_at <= p_now then
    perform private.fail('NX922', p_detail := v_export.state);
  elsif private.setting('public_url') is null then
    perform private.fail('NX205');
  end if;
  delete from private.export_tickets t where t.user_id = v_person;
  insert into private.export_tickets (ticket_hash, export_id, user_id, expires_at)
    values (encode(sha256(convert_to(v_ticket, 'UTF8')), 'hex'), p_export_id, v_person, p_now + interval '2 minutes');
  return format('%s/export/%s', private.setting('public_url') #>> '{}', v_ticket);
end;
$$;
comment on function private.open_export(uuid, timestamptz) is 'Body of public.open_export().';

create function private.cancel_export(p_export_id uuid, p_now timestamptz default now()) returns private.export_view
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_person uuid := private.live_person(p_now);
  v_export private.exports;
begin
  select * into v_export from private.exports e where e.id = p_export_id and e.user_id = v_person for update;
  if not found then
    perform private.fail('NX921');
  elsif v_export.state in ('requested', 'building', 'ready') then
    update private.exports e set state = 'cancelled', ended_at = coalesce(e.ended_at, p_now)
      where e.id = p_export_id returning * into v_export;
    delete from private.export_chunks c where c.export_id = p_export_id;
    delete from private.export_tickets t where t.export_id = p_export_id;
    perform private.enqueue('export', p_export_id, p_now, p_now);  -- its file goes
  end if;
  return private.view_export(v_export, p_now);
end;
$$;
comment on function private.cancel_export(uuid, timestamptz) is 'Body of public.cancel_export().';

create function public.request_export()
returns table (
  id uuid, state text, requested_at timestamptz, ended_at timestamptz, expires_at timestamptz, rows_total bigint,
  rows_done bigint, files_total bigint, files_done bigint, size_bytes bigint, sha256 text, omission_count int, code text
)
language sql volatile security invoker set search_path = '' as $$
  select e.id, e.state, e.requested_at, e.ended_at, e.expires_at, e.rows_total, e.rows_done, e.files_total, e.files_done,
         e.size_bytes, e.sha256, e.omission_count, e.code
  from private.request_export() e
$$;
comment on function public.request_export() is
  'Has everything of the caller put into one archive; the one under way is returned. Needs a sign-in of the last hour (P7.4).';

create function public.my_exports()
returns table (
  id uuid, state text, requested_at timestamptz, ended_at timestamptz, expires_at timestamptz, rows_total bigint,
  rows_done bigint, files_total bigint, files_done bigint, size_bytes bigint, sha256 text, omission_count int, code text
)
language sql stable security invoker set search_path = '' as $$
  select e.id, e.state, e.requested_at, e.ended_at, e.expires_at, e.rows_total, e.rows_done, e.files_total, e.files_done,
         e.size_bytes, e.sha256, e.omission_count, e.code
  from private.my_exports() e
$$;
comment on function public.my_exports() is 'The caller''s exports, newest first, with their progress.';

create function public.open_export(p_export_id uuid) returns text
language sql volatile security invoker set search_path = '' as $$
  select private.open_export(p_export_id)
$$;
comment on function public.open_export(uuid) is
  'A link that works once, within two minutes: it leads to the archive. Needs a sign-in of the last hour (P7.4).';

create function public.cancel_export(p_export_id uuid)
returns table (
  id uuid, state text, requested_at timestamptz, ended_at timestamptz, expires_at timestamptz, rows_total bigint,
  rows_done bigint, files_total bigint, files_done bigint, size_bytes bigint, sha256 text, omission_count int, code text
)
language sql volatile security invoker set search_path = '' as $$
  select e.id, e.state, e.requested_at, e.ended_at, e.expires_at, e.rows_total, e.rows_done, e.files_total, e.files_done,
         e.size_bytes, e.sha256, e.omission_count, e.code
  from private.cancel_export(p_export_id) e
$$;
comment on function public.cancel_export(uuid) is 'Stops an export, or has its archive deleted before its time.';

insert into private.settings (key, value, description) values
  ('recent_sign_in', '"1 hour"', 'What asks for a sign-in that is not long ago accepts one of this age.');

insert into private.definer_ledger (function_name, reason) values
  ('private.request_export', 'Writes exports and queue for the caller, who has no rights on them.'),
  ('private.my_exports', 'Reads the exports of the caller, who has no rights on the table.'),
  ('private.open_export', 'Writes a ticket for the caller, who has no rights on the table.'),
  ('private.cancel_export', 'Changes an export of the caller, who has no rights on the table.');

insert into public.notification_texts (kind, code, title, advice, is_mailed) values
  ('export_ready', '', 'Your export is ready', 'Download it in the settings within seven days; then it is deleted.', false),
  ('export_failed', '', 'Your export could not be made', 'Ask for it again in the settings; we have been told and look into it.', true);
