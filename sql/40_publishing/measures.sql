-- private.rule_subject, private.subject_of(target, at, now), private.text_measures(…), private.media_measures(…)
-- Why:     what the rules of platforms are about, measured: each row is the name of a rule and a figure.
-- Caller:  private.target_problems().
-- Errors:  none. What is not known (the length of a video) has no figure and breaks no rule.
-- Repeat:  safe; nothing is written.
-- Speed:   plpgsql keeps its plans for the session; a nested function in SQL is planned anew in every statement that calls
--          it, which made one judgement take five times as long.

create type private.rule_subject as (
  target_id uuid,
  post_id uuid,
  platform_id text,
  title text,
  body text,
  options jsonb,
  publish_at timestamptz
);
comment on type private.rule_subject is 'A target as its platform will see it, and when.';

-- A title of YouTube is that of the target, of the post, or the first line of the text; one of TikTok belongs to photos
-- alone.
create function private.subject_of(p_target_id uuid, p_at timestamptz, p_now timestamptz) returns private.rule_subject
language sql stable security invoker set search_path = '' as $$
  select row(t.id, t.post_id, t.platform_id,
    case t.platform_id when 'youtube' then coalesce(substring(coalesce(o.options ->> 'title', p.title) from '^.*\S.*$'),
                         left(split_part(btrim(coalesce(t.text, p.body), E' \t\r\n'), E'\n', 1), 100))
                       when 'tiktok' then o.options ->> 'title' end,
    coalesce(t.text, p.body), o.options, greatest(coalesce(p_at, t.scheduled_at), p_now))::private.rule_subject
  from public.post_targets t
  join public.posts p on p.id = t.post_id
  cross join lateral (select jsonb_strip_nulls(t.options) as options) o
  where t.id = p_target_id
$$;
comment on function private.subject_of(uuid, timestamptz, timestamptz) is
  'A target, to be judged as of p_at or of its own time, never of the past.';

create function private.measured_text(p_text text, p_unit text, p_url_length int) returns int
language plpgsql immutable security invoker set search_path = '' as $$
begin
  return (select case p_unit
    when 'weighted characters' then private.weighted_length(p_text, p_url_length)
    when 'bytes' then octet_length(p_text)
    when 'UTF-16 units' then char_length(p_text) + char_length(regexp_replace(p_text, '[\u0001-\uFFFF]', '', 'g'))
    else char_length(p_text) end);
end;
$$;
comment on function private.measured_text(text, text, int) is 'The length of a text in a unit of public.platform_rules.';

-- A sign that continues a word (a#b), an entity (&#) or an address (/#) begins no hashtag.
create function private.tag_count(p_text text, p_sign text) returns bigint
language plpgsql immutable security invoker set search_path = '' as $$
begin
  return (select count(*) from regexp_matches(p_text, '(?<![A-Za-z0-9_&/#@])' || p_sign
    || '[^\s\u00A0\u2028\u2029\u3000!"#$%&''()*+,./:;<=>?@\[\\\]^`{|}~-]+', 'g'));
end;
$$;
comment on function private.tag_count(text, text) is 'How many hashtags (#) or mentions (@) a text has.';

-- As YouTube counts: a comma between two, quotation marks around one with a space.
create function private.tags_length(p_tags jsonb) returns bigint
language plpgsql immutable security invoker set search_path = '' as $$
begin
  return (select coalesce(sum(char_length(t) + case when t like '% %' then 2 else 0 end) + count(*) - 1, 0)::bigint
  from jsonb_array_elements_text(case when jsonb_typeof(p_tags) = 'array' then p_tags else '[]' end) t);
end;
$$;
comment on function private.tags_length(jsonb) is 'The length of all tags of a video together.';

create function private.text_measures(p_subject private.rule_subject, p_rules public.platform_rules[])
returns table (rule text, measured numeric)
language plpgsql stable security invoker set search_path = '' as $$
#variable_conflict use_column
begin
  return query
    select r.rule, private.measured_text(
             case r.rule when 'title_length' then (p_subject).title else (p_subject).body end, r.unit,
             (select u.value::int from unnest(p_rules) u where u.rule = 'url_length'))::numeric
    from unnest(p_rules) r where r.rule in ('text_length', 'title_length')
    union all select 'title_required', (coalesce((p_subject).title, '') ~ '\S')::int
    union all select 'hashtag_count', private.tag_count((p_subject).body, '#')
    union all select 'mention_count', private.tag_count((p_subject).body, '@')
    union all select 'tags_length', private.tags_length((p_subject).options -> 'tags')
    union all select 'forbidden_characters', count(*)
    from unnest(p_rules) r, unnest(r.text_values) c
    where r.rule = 'forbidden_characters' and position(c in concat((p_subject).title, (p_subject).body)) > 0;
end;
$$;
comment on function private.text_measures(private.rule_subject, public.platform_rules[]) is
  'What the rules measure of texts; forbidden_characters counts those that occur.';

create function private.files_of(p_post_id uuid, p_role public.media_role default 'attachment')
returns table (class text, mime_type text, size_bytes bigint, duration_ms int, pixels bigint, ratio numeric, is_mute boolean)
language plpgsql stable security invoker set search_path = '' as $$
#variable_conflict use_column
begin
  return query
    select case when m.mime_type = 'image/gif' then 'gif' else m.kind::text end, m.mime_type, m.size_bytes, m.duration_ms,
           m.width::bigint * m.height, round(m.width::numeric / m.height, 4), coalesce(m.alt_text, '') = ''
    from public.post_media pm join public.media m on m.id = pm.media_id
    where pm.post_id = p_post_id and pm.role = p_role;
end;
$$;
comment on function private.files_of(uuid, public.media_role) is
  'The files that a post shows, or its thumbnail, with what the rules ask of them.';

create function private.media_measures(p_subject private.rule_subject, p_types text[])
returns table (rule text, measured numeric)
language plpgsql stable security invoker set search_path = '' as $$
#variable_conflict use_column
begin
  return query
    with file as materialized (
      select f.* from private.files_of((p_subject).post_id) f
    ), story as (
      select f.* from file f where (p_subject).platform_id = 'instagram' and (p_subject).options ->> 'kind' = 'story'
    )
    select class || '_count', count(*)::numeric from file group by class
    union all select class || '_bytes', max(size_bytes) from file group by class
    union all select class || '_ratio_min', min(ratio) from file group by class
    union all select class || '_ratio_max', max(ratio) from file group by class
    union all select 'file_count', count(*) from file
    union all select 'media_required', count(*) from file
    union all select 'video_required', count(*) from file where class = 'video'
    union all select 'media_kind_count', count(distinct class) from file
    union all select 'image_pixels', max(pixels) from file where class = 'image'
    union all select 'video_ms_min', min(duration_ms) from file where class = 'video'
    union all select 'video_ms_max', max(duration_ms) from file where class = 'video'
    union all select 'video_ms_unverified', max(duration_ms) from file where class = 'video'
    union all select 'story_file_count', count(*) from story
    union all select 'story_video_ms_max', max(duration_ms) from story where class = 'video'
    union all select 'media_types', count(*) from file where mime_type <> all (p_types)
    union all select 'alt_text', count(*) from file where class in ('image', 'gif') and is_mute;
end;
$$;
comment on function private.media_measures(private.rule_subject, text[]) is
  'What the rules measure of the files of a post; media_types and alt_text count the files that break them.';

create function private.thumbnail_measures(p_subject private.rule_subject, p_types text[])
returns table (rule text, measured numeric)
language plpgsql stable security invoker set search_path = '' as $$
#variable_conflict use_column
begin
  return query
    select v.rule, v.measured
    from (select count(*) as files, max(f.size_bytes) as bytes, count(*) filter (where f.mime_type <> all (p_types)) as wrong
          from private.files_of((p_subject).post_id, 'thumbnail') f) t,
         lateral (values ('thumbnail_count', t.files::numeric), ('thumbnail_bytes', t.bytes), ('thumbnail_types', t.wrong))
           v (rule, measured);
end;
$$;
comment on function private.thumbnail_measures(private.rule_subject, text[]) is 'What the rules measure of the thumbnail.';

create function private.follow_up_measures(p_subject private.rule_subject, p_rules public.platform_rules[])
returns table (rule text, measured numeric)
language plpgsql stable security invoker set search_path = '' as $$
#variable_conflict use_column
begin
  return query
    with part as materialized (
      select f.body from public.target_follow_ups f where f.target_id = (p_subject).target_id and f.external_id is null
    )
    select 'follow_up_count', count(*)::numeric from part
    union all
    select r.rule, max(private.measured_text(part.body, r.unit,
                         (select u.value::int from unnest(p_rules) u where u.rule = 'url_length')))
    from unnest(p_rules) r cross join part where r.rule = 'follow_up_length' group by r.rule
    union all
    select 'follow_up_scopes', (select count(*) from unnest(r.text_values) s where s <> all (c.scopes))
    from unnest(p_rules) r
      join public.post_targets t on t.id = (p_subject).target_id
      join public.connections c on c.id = t.connection_id
    where r.rule = 'follow_up_scopes' and exists (select from part)
    union all
    select 'follow_up_audience', count(*) from part
    where (p_subject).options ->> 'privacy' = 'private' or (p_subject).options ? 'publish_at'
      or (p_subject).options -> 'made_for_kids' = 'true';
end;
$$;
comment on function private.follow_up_measures(private.rule_subject, public.platform_rules[]) is
  'What the rules measure of the parts of a thread or the first comment that are not out yet: their number, the longest, '
  'scopes that the connection lacks for them, and those that their post cannot have.';
