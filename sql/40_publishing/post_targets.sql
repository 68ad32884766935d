-- public.post_targets
-- Why:     one post on one account: where, when, and what became of it.
-- Caller:  people read, add drafts, edit text and options; every change of state goes through a function (see schedule.sql
--          and the files after it); workers through claim_targets, mark_sending and report_targets.
-- Errors:  NX010 a person changed a protected column. NX400 an unlawful change of state.
-- Locks:   whoever takes several locks takes them in this order: worker, idempotency key, post, connection, vault row,
--          queue row, target. A connection comes before the rest because its state is the gate: disconnecting holds it
--          while it settles what was scheduled. Nobody who holds a target waits for a queue row.
-- Speed:   workers change every row once, or a few times where it takes longer. No changed column is in an index (state above
--          all), and half of each page is free for the later versions of its rows, even while an old snapshot keeps the
--          dead ones: changes are HOT. What others do with row triggers, statement triggers do here for the whole batch
--          (target_events.sql).

create table public.post_targets (
  id uuid not null default private.time_ordered_id(),
  user_id uuid not null default auth.uid(),
  post_id uuid not null,
  connection_id uuid not null,
  platform_id text not null,
  text text,
  options jsonb not null default '{}',
  state public.target_state not null default 'draft',
  scheduled_at timestamptz,
  tolerance interval not null default '1 hour',
  revision int not null default 0,
  attempt int not null default 0,
  attempt_base int not null default 0,
  checked_at timestamptz,
  published_at timestamptz,
  external_id text,
  external_url text,
  failure_code text,
  failure_message text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (id, user_id),
  constraint one_target_per_account unique (post_id, connection_id),
  foreign key (post_id, user_id) references public.posts (id, user_id) on delete cascade,
  foreign key (connection_id, user_id) references public.connections (id, user_id) on delete cascade,
  constraint text_is_at_most_100000_long check (length(text) <= 100000),
  constraint options_are_a_small_object check (jsonb_typeof(options) = 'object' and pg_column_size(options) <= 8192),
  constraint tolerance_is_1_minute_to_7_days check (tolerance between interval '1 minute' and interval '7 days'),
  constraint scheduled_has_a_time check (state = 'draft' or scheduled_at is not null),
  constraint published_says_when check ((state = 'published') = (published_at is not null)),
  constraint external_url_is_https check (starts_with(external_url, 'https://') and length(external_url) <= 2000),
  constraint external_id_is_bounded check (length(external_id) <= 512),
  constraint failure_code_is_a_code check (length(failure_code) <= 60),
  constraint failure_message_is_bounded check (length(failure_message) <= 500)
) with (fillfactor = 50);
-- After the other key, which begins with the same column: of two indexes that cost the same, the planner takes the newer
-- one, and this is the smaller. One index less to keep in memory.
alter table public.post_targets add primary key (id);
create index post_targets_post_id_idx on public.post_targets (post_id, user_id);
create index post_targets_connection_id_idx on public.post_targets (connection_id, user_id);
create index post_targets_user_id_scheduled_at_idx on public.post_targets (user_id, scheduled_at);
create index post_targets_scheduled_at_idx on public.post_targets (scheduled_at);

comment on table public.post_targets is 'One post on one account: text, time, state and outcome.';
comment on column public.post_targets.platform_id is
  'The platform of the account; set by the database.';
comment on column public.post_targets.text is 'Text for this account alone; empty: the text of the post.';
comment on column public.post_targets.options is 'Options of the platform, such as who may reply.';
comment on column public.post_targets.state is 'Where it stands; private.target_transitions lists the lawful steps.';
comment on column public.post_targets.scheduled_at is 'When it is to be published; an instant, whatever the time zone.';
comment on column public.post_targets.tolerance is
  'How late it may be published. After that it becomes missed, and the person is told.';
comment on column public.post_targets.revision is 'How often it was scheduled.';
comment on column public.post_targets.attempt is 'The attempt that ended last, counted ever. Never reset: it fences off late reports.';
comment on column public.post_targets.attempt_base is 'Value of attempt when the current schedule began to count its tries.';
comment on column public.post_targets.checked_at is 'When it was last found to keep the rules of the platform.';
comment on column public.post_targets.external_id is 'The platform''s id of the published post.';
comment on column public.post_targets.external_url is 'Where people see the published post.';
comment on column public.post_targets.published_at is 'When the platform had it; empty in every other state.';
comment on column public.post_targets.failure_code is 'Why it failed, was missed, is unconfirmed or is tried again.';
comment on column public.post_targets.failure_message is 'The same in words for people.';

create function private.tg_post_targets__set_platform() returns trigger
language plpgsql volatile security definer set search_path = '' as $$
begin
  select c.platform_id into new.platform_id from public.connections c
    where c.id = new.connection_id and c.user_id = new.user_id;
  if not found then
    perform private.fail('NX204');
  end if;
  return new;
end;
$$;
comment on function private.tg_post_targets__set_platform() is 'BEFORE INSERT: the platform is that of the account.';
create trigger _150_set_platform before insert on public.post_targets for each row
  execute function private.tg_post_targets__set_platform();

create trigger _100_protect before update on public.post_targets for each row
  when (current_user in ('anon', 'authenticated'))
  execute function private.tg_protect_columns('id', 'user_id', 'post_id', 'connection_id', 'platform_id', 'state',
    'scheduled_at', 'revision', 'attempt', 'attempt_base', 'checked_at', 'published_at', 'external_id', 'external_url',
    'failure_code', 'failure_message', 'created_at', 'updated_at');
create trigger _200_touch before update on public.post_targets for each row
  when (current_user in ('anon', 'authenticated')) execute function private.tg_touch_updated_at();

do $$ begin
  if exists (select from pg_publication where pubname = 'supabase_realtime') then
    execute 'alter publication supabase_realtime add table public.post_targets';
  end if;
end $$;

insert into private.definer_ledger (function_name, reason) values
  ('private.tg_post_targets__set_platform', 'Sees the account of the row, whoever inserts it, so that the platform is true.');
