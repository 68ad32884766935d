-- public.post_media
-- Why:     which files a post carries, in which order. Both foreign keys carry the owner, so nobody can attach a file to
--          somebody else's post or somebody else's file to a post (P3.6).
-- Caller:  authenticated, plain reads and edits of their own rows.
-- Errors:  see 40_publishing/content_guards.sql for edits of what is scheduled or being published.

create type public.media_role as enum ('attachment', 'thumbnail');
comment on type public.media_role is 'attachment: part of the post. thumbnail: preview picture of its video.';

create table public.post_media (
  post_id uuid not null,
  media_id uuid not null,
  user_id uuid not null default auth.uid(),
  position int not null default 1,
  role public.media_role not null default 'attachment',
  primary key (post_id, media_id),
  foreign key (post_id, user_id) references public.posts (id, user_id) on delete cascade,
  foreign key (media_id, user_id) references public.media (id, user_id) on delete cascade,
  constraint position_is_1_to_100 check (position between 1 and 100),
  constraint each_position_once unique (post_id, role, position) deferrable initially immediate
);
create index post_media_post_id_user_id_idx on public.post_media (post_id, user_id);
create index post_media_media_id_user_id_idx on public.post_media (media_id, user_id);
create index post_media_user_id_idx on public.post_media (user_id);
create unique index one_thumbnail_per_post on public.post_media (post_id) where role = 'thumbnail';
comment on table public.post_media is 'Files of a post, in the order of their positions.';
comment on column public.post_media.position is 'From 1; each position once per post and role.';
comment on column public.post_media.role is 'Part of the post, or the preview picture of its video; one preview per post.';

create trigger _100_protect before update on public.post_media for each row
  execute function private.tg_protect_columns('post_id', 'media_id', 'user_id');
