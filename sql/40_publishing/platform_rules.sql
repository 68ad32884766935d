-- public.platform_rules, private.rules_on(platform, day)
-- Why:     platforms change their limits often. Each is a dated row with its source, used by one function on edit, on
--          schedule and on claim. What a platform answers at run time wins over the row.
-- Caller:  read by people and by private.target_problems(); changed by migrations: a new limit is a new row, in
--          platform_rule_rows.sql, and scheduled posts are checked against it at once (rule_rechecks.sql).
-- Repeat:  no; reference rows are loaded once by the migration.

create table public.platform_rules (
  platform_id text not null references public.platforms (id),
  rule text not null,
  value numeric,
  text_values text[],
  unit text not null,
  severity text not null default 'error',
  source text not null,
  checked_on date not null,
  valid_from date not null,
  valid_to date,
  changed_at timestamptz not null default now(),
  primary key (platform_id, rule, valid_from),
  constraint rule_is_snake_case check (rule ~ '^[a-z][a-z_]{2,40}$'),
  constraint either_number_or_texts check ((value is null) <> (text_values is null)),
  constraint value_is_not_negative check (value >= 0),
  constraint severity_is_known check (severity in ('error', 'warning')),
  constraint ends_after_it_begins check (valid_to >= valid_from),
  constraint source_is_given check (length(source) between 5 and 200)
);
comment on table public.platform_rules is 'Limits of the platforms: dated, with source. The newest row that is valid counts.';
comment on column public.platform_rules.rule is
  'What is measured. Names that end in _min or _required are a least, all others a most; lists name what is allowed '
  '(…_types) or forbidden (forbidden_characters). private.rule_words has each in words.';
comment on column public.platform_rules.value is 'The limit, in the unit of the row.';
comment on column public.platform_rules.text_values is 'For rules that are a list, such as media types.';
comment on column public.platform_rules.unit is
  'characters, weighted characters, UTF-16 units, bytes, milliseconds, pixels, ratio (width by height), pieces or types.';
comment on column public.platform_rules.severity is 'error: keeps the post from being scheduled. warning: is only said.';
comment on column public.platform_rules.checked_on is 'When somebody last compared the row with its source.';
comment on column public.platform_rules.source is 'Document that states the limit.';
comment on column public.platform_rules.valid_from is 'First day on which it holds (UTC).';
comment on column public.platform_rules.valid_to is 'Last day; empty while it holds.';
comment on column public.platform_rules.changed_at is 'Scheduled posts that were checked before this are checked again.';

create function private.rules_on(p_platform text, p_day date) returns setof public.platform_rules
language plpgsql stable security invoker set search_path = '' as $$
#variable_conflict use_column
begin
  return query
    select distinct on (r.rule) r.* from public.platform_rules r
    where r.platform_id = p_platform and r.valid_from <= p_day and coalesce(r.valid_to, 'infinity') >= p_day
    order by r.rule, r.valid_from desc;
end;
$$;
comment on function private.rules_on(text, date) is 'The rules of a platform on a day, one row per rule.';

create function private.tg_platform_rules__touch() returns trigger
language plpgsql volatile security invoker set search_path = '' as $$
begin
  new.changed_at := greatest(now(), new.changed_at);
  return new;
end;
$$;
comment on function private.tg_platform_rules__touch() is
  'BEFORE UPDATE: a rule that is corrected is a rule that changed.';
create trigger _200_touch before update on public.platform_rules for each row
  execute function private.tg_platform_rules__touch();

-- Rows that begin or end with a day count as changed at its start, so that posts scheduled before are checked once more.
create function private.rules_changed_at(p_now timestamptz) returns timestamptz
language sql stable security invoker set search_path = '' as $$
  select max(c.at) from public.platform_rules r, lateral (values
    (r.changed_at), (r.valid_from::timestamp at time zone 'utc'), ((r.valid_to + 1)::timestamp at time zone 'utc')) c (at)
  where c.at <= p_now
$$;
comment on function private.rules_changed_at(timestamptz) is 'When any rule last changed, began or ended.';
