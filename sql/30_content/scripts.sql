-- public.scripts
-- Why:     the long text that a person writes once and turns into posts (P1.3).
-- Caller:  authenticated, plain reads and edits of their own rows.

create table public.scripts (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null default auth.uid() references auth.users (id) on delete cascade,
  title text not null default '',
  body text not null default '',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (id, user_id),
  constraint title_is_at_most_300_long check (length(title) <= 300),
  constraint body_is_at_most_200000_long check (length(body) <= 200000)
);
create index scripts_user_id_updated_at_idx on public.scripts (user_id, updated_at desc, id);
comment on table public.scripts is 'Long texts: what videos and posts are made from.';
comment on column public.scripts.title is 'At most 300 characters; may be empty.';
comment on column public.scripts.body is 'Plain text, at most 200,000 characters.';

create trigger _100_protect before update on public.scripts for each row
  execute function private.tg_protect_columns('id', 'user_id', 'created_at', 'updated_at');
create trigger _200_touch before update on public.scripts for each row
  execute function private.tg_touch_updated_at();
