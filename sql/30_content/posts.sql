-- public.posts
-- Why:     one thing to say, on any number of accounts; 40_publishing gives it its targets (P1.3).
-- Caller:  authenticated, plain reads and edits of their own rows.
-- Errors:  see 40_publishing/content_guards.sql for edits of what is scheduled or being published.

create table public.posts (
  id uuid primary key default private.time_ordered_id(),
  user_id uuid not null default auth.uid() references auth.users (id) on delete cascade,
  script_id uuid,
  title text not null default '',
  body text not null default '',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (id, user_id),
  foreign key (script_id, user_id) references public.scripts (id, user_id) on delete set null (script_id),
  constraint title_is_at_most_300_long check (length(title) <= 300),
  constraint body_is_at_most_100000_long check (length(body) <= 100000)
);
create index posts_user_id_updated_at_idx on public.posts (user_id, updated_at desc, id);
create index posts_script_id_idx on public.posts (script_id, user_id);
comment on table public.posts is 'What is to be published. Where and when is in post_targets.';
comment on column public.posts.script_id is 'The script that it was made from; empty once that is deleted.';
comment on column public.posts.title is 'Title on platforms that have one, and in lists. At most 300 characters.';
comment on column public.posts.body is 'The text that every target gets that has none of its own.';

create trigger _100_protect before update on public.posts for each row
  execute function private.tg_protect_columns('id', 'user_id', 'created_at', 'updated_at');
create trigger _200_touch before update on public.posts for each row
  execute function private.tg_touch_updated_at();
