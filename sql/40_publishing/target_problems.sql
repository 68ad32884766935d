-- private.target_problems(target, at, now), check_post(post)
-- Why:     one judgement of what a platform accepts, used when people edit, when they schedule and when a worker claims.
-- Caller:  people through check_post(); bodies of this context. Judged are the rules of the day of publishing, so that a
--          limit that is known to change is kept from the start.
-- Errors:  NX001, NX11x account. NX401 no such post of the caller (check_post).
-- Repeat:  safe; nothing is written.

create function private.rule_is_broken(p_rule text, p_limit numeric, p_is_list boolean, p_measured numeric)
returns boolean
language plpgsql immutable security invoker set search_path = '' as $$
begin
  return (select case when p_is_list then p_measured > 0
              when p_rule ~ '_(min|required)$' then p_measured < p_limit
              else p_measured > p_limit end);
end;
$$;
comment on function private.rule_is_broken(text, numeric, boolean, numeric) is
  'A least, a most, or a list of which nothing may remain; unknown figures break nothing.';

-- Two things hold on every platform, whatever its rows say: there is something to publish, and pictures are described.
create function private.general_problems(p_subject private.rule_subject, p_measures jsonb, p_rules public.platform_rules[])
returns table (rule text, severity text, limit_value numeric, measured numeric)
language plpgsql stable security invoker set search_path = '' as $$
#variable_conflict use_column
begin
  return query
    select 'content_required', 'error', null::numeric, 0::numeric
    where (p_subject).body !~ '\S' and (p_measures ->> 'file_count')::int = 0
      and not exists (select from unnest(p_rules) r where r.rule in ('media_required', 'video_required'))
    union all
    select 'alt_text', 'warning', null, (p_measures ->> 'alt_text')::numeric where (p_measures ->> 'alt_text')::int > 0;
end;
$$;
comment on function private.general_problems(private.rule_subject, jsonb, public.platform_rules[]) is
  'Rules of our own, for every platform.';

create function private.listed(p_rules public.platform_rules[], p_rule text) returns text[]
language plpgsql immutable security invoker set search_path = '' as $$
begin
  return (select coalesce((select r.text_values from unnest(p_rules) r where r.rule = p_rule), '{}'));
end;
$$;
comment on function private.listed(public.platform_rules[], text) is 'What a rule lists; nothing where there is no such rule.';

create function private.target_problems(p_target_id uuid, p_at timestamptz default null, p_now timestamptz default now())
returns table (rule text, severity text, limit_value numeric, measured numeric, message text)
language plpgsql stable security invoker set search_path = '' as $$
#variable_conflict use_column
declare
  v_subject private.rule_subject := private.subject_of(p_target_id, p_at, p_now);
  v_rules public.platform_rules[] := array(
    select r from private.rules_on(v_subject.platform_id, (v_subject.publish_at at time zone 'utc')::date) r);
  v_measures jsonb;
begin
  select jsonb_object_agg(m.rule, m.measured) into v_measures from (
    select * from private.media_measures(v_subject, private.listed(v_rules, 'media_types'))
    union all select * from private.thumbnail_measures(v_subject, private.listed(v_rules, 'thumbnail_types'))
    union all select * from private.follow_up_measures(v_subject, v_rules)
    union all select * from private.text_measures(v_subject, v_rules)) m;
  return query
    select x.rule, x.severity, x.limit_value, x.measured,
           private.rule_message(x.rule, x.unit, x.limit_value, x.measured)
    from (
      select r.rule, r.severity, r.value as limit_value, (v_measures ->> r.rule)::numeric as measured, r.unit
      from unnest(v_rules) r
      where private.rule_is_broken(r.rule, r.value, r.text_values is not null, (v_measures ->> r.rule)::numeric)
      union all
      select g.rule, g.severity, g.limit_value, g.measured, null
      from private.general_problems(v_subject, v_measures, v_rules) g
    ) x
    union all select o.rule, o.severity, o.limit_value, o.measured, o.message from private.option_problems(v_subject) o
    order by 2, 1;
end;
$$;
comment on function private.target_problems(uuid, timestamptz, timestamptz) is
  'What the platform would refuse (error) or what could be better (warning) at p_at, or at the time of the target; no rows: '
  'all is well.';

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
    from public.post_targets t, private.target_problems(t.id, null, p_now) x
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
