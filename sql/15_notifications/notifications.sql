-- public.notifications, public.notices, private.notify(user, kind, subject_kind, subject_id, code)
-- Why:     what the service must tell a person in the product: a post that was missed, an account to reconnect.
-- Caller:  bodies in schema private write; people read, and mark as read.
-- Errors:  NX010 a person changed anything but read_at.
-- Repeat:  the same notice is written once while it is unread.

create table public.notifications (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  kind text not null,
  subject_kind text not null,
  subject_id uuid,
  code text,
  created_at timestamptz not null,
  read_at timestamptz,
  wants_mail boolean not null default false,
  constraint kind_is_snake_case check (kind ~ '^[a-z][a-z0-9_]{2,62}$'),
  constraint subject_kind_is_snake_case check (subject_kind ~ '^[a-z][a-z0-9_]{1,62}$'),
  constraint code_is_no_text check (code ~ '^[A-Za-z0-9_.:-]{1,64}$')
);
create unique index notifications_unread_once_key
  on public.notifications (user_id, kind, subject_kind, subject_id, code) nulls not distinct where read_at is null;
create index notifications_user_id_created_at_idx on public.notifications (user_id, created_at desc, id);
create index notifications_created_at_idx on public.notifications (created_at);

comment on table public.notifications is
  'Notices to one person. They name things by id; view notices has them in words.';
comment on column public.notifications.kind is 'What happened, e.g. target_missed, connection_needs_reconnect.';
comment on column public.notifications.subject_kind is
  'What kind of thing it happened to, e.g. post_target, connection.';
comment on column public.notifications.subject_id is 'Which one; NULL where it concerns the account.';
comment on column public.notifications.code is 'Why, as an error code; NULL where there is nothing to explain.';
comment on column public.notifications.wants_mail is
  'Whether it is to be sent by mail as well: by its kind and the person''s preference, as they were.';
comment on column public.notifications.read_at is 'Set by the person; the time is the database''s.';

create function private.tg_notifications__stamp_read() returns trigger
language plpgsql volatile security invoker set search_path = '' as $$
begin
  if current_user in ('anon', 'authenticated') and new.read_at is not null then
    new.read_at := coalesce(old.read_at, now());
  end if;
  return new;
end;
$$;
comment on function private.tg_notifications__stamp_read() is
  'BEFORE UPDATE: when it was read is not for the client to say.';

create trigger _100_protect before update on public.notifications
  for each row execute function private.tg_protect_columns(
    'id', 'user_id', 'kind', 'subject_kind', 'subject_id', 'code', 'created_at', 'wants_mail');
create trigger _150_stamp_read before update of read_at on public.notifications
  for each row execute function private.tg_notifications__stamp_read();

create function private.notify(
  p_user uuid, p_kind text, p_subject_kind text, p_subject_id uuid, p_code text default null,
  p_now timestamptz default now()
) returns void
language sql volatile security invoker set search_path = '' as $$
  insert into public.notifications (user_id, kind, subject_kind, subject_id, code, created_at, wants_mail)
  select p_user, p_kind, p_subject_kind, p_subject_id, p_code, p_now,
         coalesce(p.mail_notices and (select w.is_mailed from private.notification_words(p_kind, p_code) w), false)
  from (values (p_user)) u (user_id) left join public.preferences p using (user_id)
  on conflict (user_id, kind, subject_kind, subject_id, code) where read_at is null do nothing
$$;
comment on function private.notify(uuid, text, text, uuid, text, timestamptz) is
  'Tells a person something once: as long as the same notice is unread, another one is not written.';

create view public.notices with (security_invoker = true) as
  select n.id, n.user_id, n.kind, n.subject_kind, n.subject_id, n.code, n.created_at, n.read_at, n.wants_mail,
         w.title, w.advice
  from public.notifications n
  left join lateral (
    select t.title, t.advice from public.notification_texts t
    where t.kind = n.kind and t.code in (coalesce(n.code, ''), '') order by t.code desc limit 1) w on true;
comment on view public.notices is 'The notices of a person in plain words, with what to do.';
comment on column public.notices.kind is 'What happened, e.g. target_missed.';
comment on column public.notices.subject_kind is 'What kind of thing it happened to, e.g. post_target.';
comment on column public.notices.subject_id is 'Which one; NULL where it concerns the account.';
comment on column public.notices.code is 'Why, as a code; NULL where there is nothing to explain.';
comment on column public.notices.read_at is 'When the person read it.';
comment on column public.notices.wants_mail is 'Whether it is sent by mail as well.';
comment on column public.notices.title is 'What happened, in words.';
comment on column public.notices.advice is 'What to do.';

create function private.forget_notifications(p_now timestamptz default now()) returns bigint
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_count bigint;
begin
  delete from public.notifications n where n.id = any (array(
    select o.id from public.notifications o
    where o.created_at < p_now - private.setting_interval('read_notifications_kept')
      and (o.read_at is not null or o.created_at < p_now - private.setting_interval('notifications_kept'))
      and o.user_id not in (select h.subject_id from private.held_people h) -- P8.5
    order by o.created_at limit private.setting_int('housekeeping_batch')));
  get diagnostics v_count = row_count;
  return v_count;
end;
$$;
comment on function private.forget_notifications(timestamptz) is 'Housekeeping: old notices, read ones earlier.';

-- Where the platform streams changes, people see a notice while they look.
do $$
begin
  if exists (select from pg_publication where pubname = 'supabase_realtime') and not exists (
    select from pg_publication_tables
    where pubname = 'supabase_realtime' and schemaname = 'public' and tablename = 'notifications'
  ) then
    execute 'alter publication supabase_realtime add table public.notifications';
  end if;
end;
$$;

insert into private.settings (key, value, description) values
  ('read_notifications_kept', '"90 days"', 'Notices that were read are deleted after this time.'),
  ('notifications_kept', '"1 year"', 'All notices are deleted after this time.');

insert into private.housekeeping_tasks (task, function_name, run_order) values
  ('forget_notifications', 'private.forget_notifications', 150);
