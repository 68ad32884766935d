-- public.captions
-- Why:     texts that a person keeps for use again: captions, hashtag sets, closing lines (P1.3).
-- Caller:  authenticated, plain reads and edits of their own rows.

create table public.captions (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null default auth.uid() references auth.users (id) on delete cascade,
  platform_id text references public.platforms (id),
  title text not null default '',
  body text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (id, user_id),
  constraint title_is_at_most_300_long check (length(title) <= 300),
  constraint body_is_1_to_10000_long check (length(body) between 1 and 10000)
);
create index captions_user_id_updated_at_idx on public.captions (user_id, updated_at desc, id);
create index captions_platform_id_idx on public.captions (platform_id);
comment on table public.captions is 'Saved texts for use in posts.';
comment on column public.captions.title is 'Name in lists, at most 300 characters; may be empty.';
comment on column public.captions.body is 'The text, 1 to 10,000 characters.';
comment on column public.captions.platform_id is 'The platform that it was written for; empty for any.';

create trigger _100_protect before update on public.captions for each row
  execute function private.tg_protect_columns('id', 'user_id', 'created_at', 'updated_at');
create trigger _200_touch before update on public.captions for each row
  execute function private.tg_touch_updated_at();
