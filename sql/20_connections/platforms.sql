-- public.platforms, public.platform_features
-- Why:     which accounts can be connected, and which OAuth scopes each feature needs and nothing more. What is not
--          listed here cannot be asked for (P6.1 to P6.4), and a feature refuses without its scopes (P6.5).
-- Caller:  read by people and by the functions of this context; changed by migrations alone.
-- Repeat:  no; reference rows are loaded once by the migration.

create table public.platforms (
  id text primary key,
  display_name text not null,
  is_publishable boolean not null default false,
  constraint id_is_lower_case check (id ~ '^[a-z]{1,20}$'),
  constraint display_name_is_short check (length(display_name) between 1 and 40)
);
comment on table public.platforms is 'Social platforms whose accounts can be connected.';
comment on column public.platforms.id is 'Stable short name: youtube, x, linkedin, instagram, tiktok.';
comment on column public.platforms.display_name is 'The name that people read.';
comment on column public.platforms.is_publishable is 'Whether posts can be scheduled to this platform in this version.';

create table public.platform_features (
  platform_id text not null references public.platforms (id),
  feature text not null,
  scopes text[] not null,
  purpose text not null,
  primary key (platform_id, feature),
  constraint feature_is_known check (feature in ('profile', 'publish', 'comments', 'analytics', 'inbox')),
  constraint scopes_are_listed check (cardinality(scopes) between 1 and 20),
  constraint x_never_reads_direct_messages
    check (platform_id <> 'x' or not scopes && array['dm.read', 'dm.write']), -- P6.2
  constraint purpose_is_given check (length(purpose) between 10 and 200)
);
comment on table public.platform_features is
  'What can be done with a connected account, and the OAuth scopes it takes.';
comment on column public.platform_features.feature is
  'profile (always included), publish, comments, analytics or inbox. A row that is missing is not offered.';
comment on column public.platform_features.scopes is 'The scopes that the platform must have granted, all of them.';
comment on column public.platform_features.purpose is 'What the scopes are for, as shown before the person agrees.';

insert into public.platforms (id, display_name, is_publishable) values
  ('youtube', 'YouTube', true),
  ('x', 'X', true),
  ('linkedin', 'LinkedIn', true),
  ('instagram', 'Instagram', true),
  ('tiktok', 'TikTok', true);

insert into public.platform_features (platform_id, feature, scopes, purpose) values
  -- P6.1
  ('youtube', 'profile', array['https://www.googleapis.com/auth/youtube.readonly'],
   'Shows the name and picture of your channel and lists your videos.'),
  ('youtube', 'publish', array['https://www.googleapis.com/auth/youtube.upload'],
   'Uploads the videos that you schedule.'),
  ('youtube', 'analytics', array['https://www.googleapis.com/auth/youtube.readonly',
                                 'https://www.googleapis.com/auth/yt-analytics.readonly'],
   'Shows the figures of your channel.'),
  -- P6.2
  ('x', 'profile', array['users.read', 'tweet.read', 'offline.access'],
   'Shows the name and picture of your account and keeps the connection alive.'),
  ('x', 'publish', array['tweet.read', 'users.read', 'tweet.write', 'media.write', 'offline.access'],
   'Posts what you schedule, with its media.'),
  ('x', 'analytics', array['users.read', 'tweet.read', 'offline.access'],
   'Shows how your posts were received.'),
  -- P6.3
  ('linkedin', 'profile', array['openid', 'profile'], 'Shows the name and picture of your account.'),
  ('linkedin', 'publish', array['w_member_social'], 'Posts what you schedule, with its media.'),
  -- P6.4
  ('instagram', 'profile', array['instagram_business_basic'], 'Shows the name and picture of your account.'),
  ('instagram', 'publish', array['instagram_business_basic', 'instagram_business_content_publish'],
   'Posts what you schedule, with its media.'),
  ('instagram', 'comments', array['instagram_business_basic', 'instagram_business_manage_comments'],
   'Writes the first comment under the posts that you schedule, and nothing else of your comments.'),
  ('instagram', 'inbox', array['instagram_business_basic', 'instagram_business_manage_messages'],
   'Lets you answer messages to your account here.'),
  ('tiktok', 'profile', array['user.info.basic'], 'Shows the name and picture of your account.'),
  ('tiktok', 'publish', array['user.info.basic', 'video.publish', 'video.upload'],
   'Posts the videos and photos that you schedule, or puts them into your inbox there.');

create function private.required_scopes(p_platform text, p_features text[]) returns text[]
language sql stable security invoker set search_path = '' as $$
  select coalesce(array_agg(distinct s order by s), '{}')
  from public.platform_features f, unnest(f.scopes) s
  where f.platform_id = p_platform and f.feature = any (p_features)
$$;
comment on function private.required_scopes(text, text[]) is 'The scopes that these features need together, sorted.';
