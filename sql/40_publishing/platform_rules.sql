-- public.platform_rules, private.rules_on(platform, day)
-- Why:     platforms change their limits often. Each is a dated row with its source, used by one function on edit, on
--          schedule and on claim. What a platform answers at run time wins over the row.
-- Caller:  read by people and by private.target_problems(); changed by migrations: a new limit is a new row.
-- Repeat:  no; reference rows are loaded once by the migration.

create table public.platform_rules (
  platform_id text not null references public.platforms (id),
  rule text not null,
  value numeric,
  text_values text[],
  unit text not null,
  source text not null,
  checked_on date not null,
  valid_from date not null,
  valid_to date,
  changed_at timestamptz not null default now(),
  primary key (platform_id, rule, valid_from),
  constraint rule_is_snake_case check (rule ~ '^[a-z][a-z_]{2,40}$'),
  constraint either_number_or_texts check ((value is null) <> (text_values is null)),
  constraint value_is_not_negative check (value >= 0),
  constraint ends_after_it_begins check (valid_to >= valid_from),
  constraint source_is_given check (length(source) between 5 and 200)
);
comment on table public.platform_rules is 'Limits of the platforms: dated, with source. The newest row that is valid counts.';
comment on column public.platform_rules.rule is
  'text_length, url_length, image_count, image_bytes, video_ms_max, media_types and so on; see target_problems.';
comment on column public.platform_rules.value is 'The limit, in the unit of the row.';
comment on column public.platform_rules.text_values is 'For rules that are a list, such as media types.';
comment on column public.platform_rules.unit is 'characters, weighted characters, bytes, milliseconds, pixels, files, kinds, types.';
comment on column public.platform_rules.checked_on is 'When somebody last compared the row with its source.';
comment on column public.platform_rules.source is 'Document that states the limit.';
comment on column public.platform_rules.valid_from is 'First day on which it holds (UTC).';
comment on column public.platform_rules.valid_to is 'Last day; empty while it holds.';
comment on column public.platform_rules.changed_at is 'Scheduled posts that were checked before this are checked again.';

create function private.rules_on(p_platform text, p_day date) returns setof public.platform_rules
language sql stable security invoker set search_path = '' as $$
  select distinct on (r.rule) r.* from public.platform_rules r
  where r.platform_id = p_platform and r.valid_from <= p_day and coalesce(r.valid_to, 'infinity') >= p_day
  order by r.rule, r.valid_from desc
$$;
comment on function private.rules_on(text, date) is 'The rules of a platform on a day, one row per rule.';

-- Rows that begin or end with a day count as changed at its start, so that posts scheduled before are checked once more.
create function private.rules_changed_at(p_now timestamptz) returns timestamptz
language sql stable security invoker set search_path = '' as $$
  select max(c.at) from public.platform_rules r, lateral (values
    (r.changed_at), (r.valid_from::timestamp at time zone 'utc'), ((r.valid_to + 1)::timestamp at time zone 'utc')) c (at)
  where c.at <= p_now
$$;
comment on function private.rules_changed_at(timestamptz) is 'When any rule last changed, began or ended.';

insert into public.platform_rules
  (platform_id, rule, value, text_values, unit, source, checked_on, valid_from) values
  ('x', 'text_length', 280, null, 'weighted characters', 'X developer documentation, counting characters', '2026-11-20', '2017-11-07'),
  ('x', 'url_length', 23, null, 'weighted characters', 'X developer documentation, counting characters', '2026-11-20', '2017-11-07'),
  ('x', 'image_count', 4, null, 'files', 'X developer documentation, media best practices', '2026-11-20', '2024-01-01'),
  ('x', 'gif_count', 1, null, 'files', 'X developer documentation, media best practices', '2026-11-20', '2024-01-01'),
  ('x', 'video_count', 1, null, 'files', 'X developer documentation, media best practices', '2026-11-20', '2024-01-01'),
  ('x', 'document_count', 0, null, 'files', 'X developer documentation, media best practices', '2026-11-20', '2024-01-01'),
  ('x', 'media_kind_count', 1, null, 'kinds', 'X developer documentation, media best practices', '2026-11-20', '2024-01-01'),
  ('x', 'image_bytes', 5242880, null, 'bytes', 'X developer documentation, media best practices', '2026-11-20', '2024-01-01'),
  ('x', 'gif_bytes', 15728640, null, 'bytes', 'X developer documentation, media best practices', '2026-11-20', '2024-01-01'),
  ('x', 'video_bytes', 536870912, null, 'bytes', 'X developer documentation, media best practices', '2026-11-20', '2024-01-01'),
  ('x', 'video_ms_min', 500, null, 'milliseconds', 'X developer documentation, media best practices', '2026-11-20', '2024-01-01'),
  ('x', 'video_ms_max', 140000, null, 'milliseconds', 'X developer documentation, media best practices', '2026-11-20', '2024-01-01'),
  ('x', 'media_types', null, array['image/jpeg', 'image/png', 'image/webp', 'image/gif', 'video/mp4', 'video/quicktime'],
   'types', 'X developer documentation, media best practices', '2026-11-20', '2024-01-01'),
  ('linkedin', 'text_length', 3000, null, 'characters', 'LinkedIn Posts API documentation', '2026-11-20', '2021-06-01'),
  ('linkedin', 'image_count', 20, null, 'files', 'LinkedIn MultiImage API documentation', '2026-11-20', '2024-01-01'),
  ('linkedin', 'gif_count', 1, null, 'files', 'LinkedIn Images API documentation', '2026-11-20', '2024-01-01'),
  ('linkedin', 'video_count', 1, null, 'files', 'LinkedIn Videos API documentation', '2026-11-20', '2024-01-01'),
  ('linkedin', 'document_count', 1, null, 'files', 'LinkedIn Documents API documentation', '2026-11-20', '2024-01-01'),
  ('linkedin', 'media_kind_count', 1, null, 'kinds', 'LinkedIn Posts API documentation', '2026-11-20', '2024-01-01'),
  ('linkedin', 'image_bytes', 8388608, null, 'bytes', 'limit that public schedulers keep to', '2026-11-20', '2024-01-01'),
  ('linkedin', 'gif_bytes', 8388608, null, 'bytes', 'limit that public schedulers keep to', '2026-11-20', '2024-01-01'),
  ('linkedin', 'image_pixels', 36152320, null, 'pixels', 'LinkedIn Images API documentation', '2026-11-20', '2024-01-01'),
  ('linkedin', 'video_bytes', 524288000, null, 'bytes', 'LinkedIn Videos API documentation', '2026-11-20', '2024-01-01'),
  ('linkedin', 'video_ms_min', 3000, null, 'milliseconds', 'LinkedIn Videos API documentation', '2026-11-20', '2024-01-01'),
  ('linkedin', 'video_ms_max', 1800000, null, 'milliseconds', 'LinkedIn Videos API documentation', '2026-11-20', '2024-01-01'),
  ('linkedin', 'document_bytes', 104857600, null, 'bytes', 'LinkedIn Documents API documentation', '2026-11-20', '2024-01-01'),
  ('linkedin', 'media_types', null, array['image/jpeg', 'image/png', 'image/gif', 'video/mp4', 'application/pdf'],
   'types', 'LinkedIn Images, Videos and Documents API documentation', '2026-11-20', '2024-01-01');
