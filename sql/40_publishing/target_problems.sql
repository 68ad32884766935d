-- private.target_problems(target, now), check_post(post)
-- Why:     one judgement of what a platform accepts, used when people edit, when they schedule and when a worker claims.
-- Caller:  people through check_post(); bodies of this context.
-- Errors:  NX001, NX11x account. NX401 no such post of the caller (check_post).
-- Repeat:  safe; nothing is written.

create function private.rule_message(p_rule text) returns text
language sql immutable security invoker set search_path = '' as $$
  select case p_rule
    when 'content_required' then 'There is neither a text nor a file'
    when 'text_length' then 'The text is too long'
    when 'image_count' then 'There are too many pictures'
    when 'gif_count' then 'There are too many GIFs'
    when 'video_count' then 'There are too many videos'
    when 'document_count' then 'There are too many documents'
    when 'media_kind_count' then 'Pictures, GIFs, videos and documents cannot be mixed'
    when 'image_bytes' then 'A picture is too large'
    when 'gif_bytes' then 'A GIF is too large'
    when 'video_bytes' then 'A video is too large'
    when 'document_bytes' then 'A document is too large'
    when 'image_pixels' then 'A picture has too many pixels'
    when 'video_ms_min' then 'A video is too short'
    when 'video_ms_max' then 'A video is too long'
    when 'media_types' then 'The platform does not take files of this type'
    when 'alt_text' then 'A picture has no description for people who cannot see it'
    else 'A rule of the platform is not kept' end
$$;
comment on function private.rule_message(text) is 'A rule that is not kept, in words for people.';

create function private.media_measures(p_post_id uuid, p_types text[])
returns table (rule text, measured numeric)
language sql stable security invoker set search_path = '' as $$
  with file as (
    select case when m.mime_type = 'image/gif' then 'gif' else m.kind::text end as class, m.size_bytes, m.duration_ms,
           m.width::bigint * m.height as pixels, m.mime_type, coalesce(m.alt_text, '') = '' as is_mute
    from public.post_media pm join public.media m on m.id = pm.media_id
    where pm.post_id = p_post_id
  )
  select class || '_count', count(*)::numeric from file group by class
  union all select class || '_bytes', max(size_bytes) from file group by class
  union all select 'media_kind_count', count(distinct class) from file
  union all select 'image_pixels', max(pixels) from file where class = 'image'
  union all select 'video_ms_min', min(duration_ms) from file where class = 'video'
  union all select 'video_ms_max', max(duration_ms) from file where class = 'video'
  union all select 'media_types', count(*) from file where mime_type <> all (p_types)
  union all select 'alt_text', count(*) from file where class in ('image', 'gif') and is_mute
$$;
comment on function private.media_measures(uuid, text[]) is
  'What the rules measure of the files of a post; media_types and alt_text count the files that break them.';

create function private.target_problems(p_target_id uuid, p_now timestamptz default now())
returns table (rule text, severity text, limit_value numeric, measured numeric, message text)
language sql stable security invoker set search_path = '' as $$
  with target as (
    select t.post_id, t.platform_id, coalesce(t.text, p.body) as body
    from public.post_targets t join public.posts p on p.id = t.post_id where t.id = p_target_id
  ), rules as materialized (
    select r.* from target t, private.rules_on(t.platform_id, (p_now at time zone 'utc')::date) r
  ), measure as (
    select m.rule, m.measured from target t, private.media_measures(t.post_id,
      coalesce((select r.text_values from rules r where r.rule = 'media_types'), array['']::text[])) m
    union all
    select 'text_length', case r.unit
      when 'weighted characters' then private.weighted_length(t.body,
        coalesce((select u.value::int from rules u where u.rule = 'url_length'), 23))
      else char_length(t.body) end
    from target t join rules r on r.rule = 'text_length'
    union all
    select 'content_required', 0 from target t
    where t.body !~ '\S' and not exists (select from public.post_media pm where pm.post_id = t.post_id)
  )
  select m.rule, case m.rule when 'alt_text' then 'warning' else 'error' end, r.value, m.measured,
         private.rule_message(m.rule)
  from measure m left join rules r on r.rule = m.rule
  where case when m.rule = 'content_required' then true
             when m.rule = 'media_types' then r.rule is not null and m.measured > 0
             when m.rule = 'alt_text' then m.measured > 0
             when m.rule like '%\_min' then m.measured < r.value
             else m.measured > r.value end
  order by 2, 1
$$;
comment on function private.target_problems(uuid, timestamptz) is
  'What the platform would refuse (error) or what could be better (warning); no rows: all is well.';

create function private.check_post(p_post_id uuid, p_now timestamptz default now())
returns table (target_id uuid, platform_id text, rule text, severity text, limit_value numeric, measured numeric,
               message text)
language plpgsql stable security definer set search_path = '' as $$
declare
  v_user uuid := private.require_person();
begin
  if not exists (select from public.posts p where p.id = p_post_id and p.user_id = v_user) then
    perform private.fail('NX401');
  end if;
  return query
    select t.id, t.platform_id, x.rule, x.severity, x.limit_value, x.measured, x.message
    from public.post_targets t, private.target_problems(t.id, p_now) x
    where t.post_id = p_post_id and t.user_id = v_user order by t.id, x.severity, x.rule;
end;
$$;
comment on function private.check_post(uuid, timestamptz) is 'Body of check_post().';

create function public.check_post(p_post_id uuid)
returns table (target_id uuid, platform_id text, rule text, severity text, limit_value numeric, measured numeric,
               message text)
language sql stable security invoker set search_path = '' as $$
  select * from private.check_post(p_post_id)
$$;
comment on function public.check_post(uuid) is
  'What the platforms would refuse (severity error) or what could be better (warning), for each account of the post.';

insert into private.definer_ledger (function_name, reason) values
  ('private.check_post', 'Uses the same judgement as workers, in schema private; answers for the caller''s posts alone.');
