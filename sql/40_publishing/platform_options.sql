-- public.platform_options, private.option_fits(option, value)
-- Why:     what a target can be told per platform, beyond its text: as data, so that front ends can draw it and the
--          database can check it. An unknown name is refused: a typing error in `privacy` must not publish to everybody.
-- Caller:  read by people and by private.option_problems(); changed by migrations.
-- Errors:  none.
-- Repeat:  no; reference rows are loaded once by the migration.

create table public.platform_options (
  platform_id text not null references public.platforms (id),
  option text not null,
  kind text not null,
  allowed text[],
  most int,
  is_required boolean not null default false,
  meaning text not null,
  primary key (platform_id, option),
  constraint option_is_snake_case check (option ~ '^[a-z][a-z_]{2,40}$'),
  constraint kind_is_known check (kind in ('flag', 'choice', 'text', 'texts', 'number', 'digits', 'instant')),
  constraint choices_are_listed check ((kind = 'choice') = (allowed is not null)),
  constraint meaning_is_given check (length(meaning) between 10 and 200)
);
comment on table public.platform_options is 'The options that a target can have, per platform.';
comment on column public.platform_options.option is 'Its name in post_targets.options.';
comment on column public.platform_options.kind is
  'flag: true or false. choice: one of `allowed`. text: at most `most` characters. texts: a list of at most `most`. number: '
  'a whole number from 0. digits: an id. instant: ISO 8601 with a zone.';
comment on column public.platform_options.allowed is 'The values of a choice.';
comment on column public.platform_options.most is 'Longest text, or longest list.';
comment on column public.platform_options.is_required is 'Whether a post cannot be scheduled without it.';
comment on column public.platform_options.meaning is 'What it is for, in words for people.';

insert into public.platform_options (platform_id, option, kind, allowed, most, is_required, meaning) values
  ('youtube', 'title', 'text', null, 100, false, 'Title of the video; without it that of the post, or the first line.'),
  ('youtube', 'privacy', 'choice', array['public', 'unlisted', 'private'], null, false, 'Who can see the video.'),
  ('youtube', 'made_for_kids', 'flag', null, null, true, 'Whether the video is made for children; the law wants an answer.'),
  ('youtube', 'tags', 'texts', null, 100, false, 'Words by which the video is found.'),
  ('youtube', 'category_id', 'digits', null, null, false, 'Category of the video, as YouTube numbers them.'),
  ('youtube', 'publish_at', 'instant', null, null, false, 'When YouTube itself makes the private video public.'),
  ('youtube', 'notify_subscribers', 'flag', null, null, false, 'Whether subscribers are told of the video.'),
  ('x', 'reply_settings', 'choice', array['following', 'mentionedUsers', 'subscribers', 'verified'], null, false,
   'Who may reply; without it everybody.'),
  ('x', 'made_with_ai', 'flag', null, null, false, 'Whether the post is labelled as made with AI.'),
  ('x', 'paid_partnership', 'flag', null, null, false, 'Whether the post is labelled as a paid partnership.'),
  ('x', 'in_reply_to', 'digits', null, null, false, 'The post that this one replies to.'),
  ('x', 'community_id', 'digits', null, null, false, 'The community that the post goes to.'),
  ('linkedin', 'visibility', 'choice', array['PUBLIC', 'CONNECTIONS', 'LOGGED_IN'], null, false, 'Who can see the post.'),
  ('linkedin', 'is_reshare_disabled', 'flag', null, null, false, 'Whether others are kept from sharing the post.'),
  ('instagram', 'kind', 'choice', array['feed', 'reel', 'story'], null, false, 'Where the post appears.'),
  ('instagram', 'collaborators', 'texts', null, 3, false, 'Names of accounts that are invited as co-authors.'),
  ('instagram', 'share_to_feed', 'flag', null, null, false, 'Whether a reel appears in the feed as well.'),
  ('instagram', 'cover_ms', 'number', null, null, false, 'The moment of the video that is its cover, in milliseconds.'),
  ('tiktok', 'mode', 'choice', array['direct', 'inbox'], null, false,
   'direct: published at once. inbox: you finish the post in the app.'),
  ('tiktok', 'privacy_level', 'choice',
   array['PUBLIC_TO_EVERYONE', 'MUTUAL_FOLLOW_FRIENDS', 'FOLLOWER_OF_CREATOR', 'SELF_ONLY'], null, false,
   'Who can see the post; required unless it goes to the inbox.'),
  ('tiktok', 'disable_comment', 'flag', null, null, false, 'Whether nobody may comment.'),
  ('tiktok', 'disable_duet', 'flag', null, null, false, 'Whether nobody may make a duet with it.'),
  ('tiktok', 'disable_stitch', 'flag', null, null, false, 'Whether nobody may use a part of it.'),
  ('tiktok', 'is_aigc', 'flag', null, null, false, 'Whether the post is labelled as made with AI.'),
  ('tiktok', 'brand_content_toggle', 'flag', null, null, false, 'Whether the post is paid by another brand.'),
  ('tiktok', 'brand_organic_toggle', 'flag', null, null, false, 'Whether the post promotes your own brand.'),
  ('tiktok', 'cover_ms', 'number', null, null, false, 'The moment of the video that is its cover, in milliseconds.'),
  ('tiktok', 'title', 'text', null, 90, false, 'Title of a post of photos.');

create function private.option_fits(p_option public.platform_options, p_value jsonb) returns boolean
language plpgsql stable security invoker set search_path = '' as $$
begin
  return (select case (p_option).kind
    when 'flag' then jsonb_typeof(p_value) = 'boolean'
    when 'number' then jsonb_typeof(p_value) = 'number' and private.int_or_null(p_value #>> '{}') is not null
    when 'texts' then jsonb_typeof(p_value) = 'array' and jsonb_array_length(p_value) <= (p_option).most
      and not exists (select from jsonb_array_elements(p_value) e
                      where jsonb_typeof(e) <> 'string' or (e #>> '{}') !~ '\S')
    else jsonb_typeof(p_value) = 'string' and case (p_option).kind
      when 'choice' then (p_value #>> '{}') = any ((p_option).allowed)
      when 'text' then (p_value #>> '{}') ~ '\S'
      when 'digits' then (p_value #>> '{}') ~ '^[0-9]{1,20}$'
      when 'instant' then private.instant_or_null(p_value #>> '{}') is not null end end);
end;
$$;
comment on function private.option_fits(public.platform_options, jsonb) is
  'Whether an option can have this value. How long a text may be is a rule of the platform.';
