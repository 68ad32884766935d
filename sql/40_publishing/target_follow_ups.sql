-- public.target_follow_ups
-- Why:     what goes out after a post: the further parts of a thread on X, the first comment elsewhere. Each part keeps the
--          platform's id as soon as it is out, so that whoever takes the target next goes on behind it.
-- Caller:  people add, edit and remove parts that are not out yet; workers read them with a claim and record them one by one.
-- Errors:  NX010 a person changed a protected column. NX410, NX423 as in content_guards.sql.
-- Speed:   claims look it up by (target_id, position); most targets have none.

create table public.target_follow_ups (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null default auth.uid(),
  target_id uuid not null,
  position int not null default 1,
  body text not null,
  external_id text,
  external_url text,
  published_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (id, user_id),
  constraint each_follow_up_position_once unique (target_id, position) deferrable initially immediate,
  foreign key (target_id, user_id) references public.post_targets (id, user_id) on delete cascade,
  constraint position_is_1_to_100 check (position between 1 and 100),
  constraint body_is_1_to_100000_long check (length(body) <= 100000 and body ~ '\S'),
  constraint published_has_an_id check ((external_id is null) = (published_at is null)),
  constraint external_id_is_bounded check (length(external_id) <= 512),
  constraint external_url_is_https check (external_url ~ '^https://' and length(external_url) <= 2000)
);
create index target_follow_ups_target_id_user_id_idx on public.target_follow_ups (target_id, user_id);
create index target_follow_ups_user_id_idx on public.target_follow_ups (user_id);

comment on table public.target_follow_ups is
  'What follows a post on one account: further parts of a thread, or the first comment, in order.';
comment on column public.target_follow_ups.position is 'From 1; each position once per target.';
comment on column public.target_follow_ups.body is 'Its text.';
comment on column public.target_follow_ups.external_id is 'The platform''s id of it; empty until it is out.';
comment on column public.target_follow_ups.external_url is 'Where people see it.';
comment on column public.target_follow_ups.published_at is 'When the platform had it.';

create trigger _100_protect before update on public.target_follow_ups for each row
  execute function private.tg_protect_columns('id', 'user_id', 'target_id', 'external_id', 'external_url', 'published_at',
    'created_at');
create trigger _200_touch before update on public.target_follow_ups for each row
  execute function private.tg_touch_updated_at();
