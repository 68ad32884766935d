-- private.option_problems(subject, now)
-- Why:     options that a platform would refuse, or understand otherwise than they were meant, are said before the post is
--          scheduled.
-- Caller:  private.target_problems().
-- Errors:  none.
-- Repeat:  safe; nothing is written.

create function private.option_conflicts(p_subject private.rule_subject) returns table (option text, message text)
language plpgsql stable security invoker set search_path = '' as $$
#variable_conflict use_column
begin
  return query
    with given as (
      select o.options, (p_subject).platform_id as platform, private.instant_or_null(o.options ->> 'publish_at') as shown_at,
             (select count(*) from private.files_of((p_subject).post_id) f) as files,
             (select count(*) from private.files_of((p_subject).post_id) f where f.class = 'video') as videos
      from (select (p_subject).options as options) o
    )
    select 'publish_at', 'The time at which YouTube is to show the video must come after the time of publishing' from given
    where platform = 'youtube' and shown_at <= (p_subject).publish_at
    union all
    select 'privacy', 'A video that YouTube is to show at a later time must be private until then' from given
    where platform = 'youtube' and shown_at is not null and coalesce(options ->> 'privacy', 'private') <> 'private'
    union all
    select 'privacy_level', 'Say who may see the post on TikTok' from given
    where platform = 'tiktok' and coalesce(options ->> 'mode', 'direct') = 'direct' and not options ? 'privacy_level'
    union all
    select 'brand_content_toggle', 'TikTok does not let paid content be visible to you alone' from given
    where platform = 'tiktok' and options -> 'brand_content_toggle' = 'true' and options ->> 'privacy_level' = 'SELF_ONLY'
    union all
    select 'title', 'TikTok takes a title for photos only' from given
    where platform = 'tiktok' and options ? 'title' and videos > 0
    union all
    select 'kind', 'A reel is made of exactly one video' from given
    where platform = 'instagram' and options ->> 'kind' = 'reel' and (files <> 1 or videos <> 1)
    union all
    select 'cover_ms', 'Only a video has a moment that can be its cover' from given
    where platform in ('instagram', 'tiktok') and options ? 'cover_ms' and videos = 0;
end;
$$;
comment on function private.option_conflicts(private.rule_subject) is
  'Options that do not go together, with each other, the files or the time.';

-- The name of an option is what somebody wrote: only a plain one is repeated.
create function private.option_problems(p_subject private.rule_subject)
returns table (rule text, severity text, limit_value numeric, measured numeric, message text)
language plpgsql stable security invoker set search_path = '' as $$
#variable_conflict use_column
begin
  return query
    select 'options.' || x.option, 'error', null::numeric, null::numeric, x.message
    from (
      select case when g.key ~ '^[a-z][a-z_]{2,40}$' then g.key else 'unknown' end as option,
             'There is no such option for this platform' as message
      from jsonb_each((p_subject).options) g
      where not exists (select from public.platform_options o
                        where o.platform_id = (p_subject).platform_id and o.option = g.key)
      union
      select o.option, 'This option has a value that it cannot have: ' || o.meaning
      from public.platform_options o
      where o.platform_id = (p_subject).platform_id and (p_subject).options ? o.option
        and not private.option_fits(o, (p_subject).options -> o.option)
      union
      select o.option, 'An answer is missing: ' || o.meaning
      from public.platform_options o
      where o.platform_id = (p_subject).platform_id and o.is_required and not (p_subject).options ? o.option
      union
      select c.option, c.message from private.option_conflicts(p_subject) c
    ) x;
end;
$$;
comment on function private.option_problems(private.rule_subject) is
  'What is wrong with the options of a target: unknown, impossible, missing or contradictory ones.';
