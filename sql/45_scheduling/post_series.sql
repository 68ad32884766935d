-- public.post_series, public.post_occurrences
-- Why:     a post that comes again: a template (an ordinary post whose targets stay drafts), a rule, and one row per
--          occurrence that was made, skipped or missed. That row is what keeps an occurrence from being made twice.
-- Caller:  people read; everything else goes through the functions of the files after this one.
-- Note:    the template is read when an occurrence is made: editing it changes all that are still to be made. An occurrence
--          that was made is an ordinary post of its own, to be edited, moved or cancelled like any other.

create type public.series_state as enum ('active', 'ended');
comment on type public.series_state is 'active: occurrences are being made. ended: none is made any more.';

create type public.occurrence_state as enum ('made', 'skipped', 'missed');
comment on type public.occurrence_state is
  'made: it has a post. skipped: by the person. missed: its time had passed before it was made; the person is told.';

create table public.post_series (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  post_id uuid,
  rule text not null,
  starts_on date not null,
  local_time time not null,
  time_zone text not null,
  texts text[] not null default '{}',
  state public.series_state not null default 'active',
  next_number int not null default 1,
  next_at timestamptz,
  make_at timestamptz,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  unique (id, user_id),
  foreign key (post_id, user_id) references public.posts (id, user_id) on delete set null (post_id),
  constraint rule_is_short check (length(rule) <= 500),
  constraint time_is_a_whole_minute check (local_time = date_trunc('minute', local_time) and local_time < '24:00'),
  constraint time_zone_is_short check (length(time_zone) <= 60),
  constraint texts_are_few check (cardinality(texts) <= 100),
  constraint next_number_counts_from_1 check (next_number > 0),
  constraint only_active_series_go_on check (state = 'active' or next_at is null and make_at is null)
);
create index post_series_user_id_created_at_idx on public.post_series (user_id, created_at desc, id);
create index post_series_post_id_idx on public.post_series (post_id, user_id);
create index post_series_make_at_idx on public.post_series (make_at) where state = 'active';
comment on table public.post_series is 'Posts that come again: template, rule, and how far they have been made.';
comment on column public.post_series.post_id is 'The template; empty once it is deleted, which ends the series.';
comment on column public.post_series.rule is 'RRULE of RFC 5545, as far as it is supported, e.g. FREQ=WEEKLY;BYDAY=MO;COUNT=10.';
comment on column public.post_series.starts_on is 'First day that can have an occurrence, in the zone of the series.';
comment on column public.post_series.local_time is 'Each occurrence is at this time of its day, whatever the clock does.';
comment on column public.post_series.time_zone is 'IANA name.';
comment on column public.post_series.texts is
  'Texts taken in turn instead of the text of the template. {n} and {date} stand for number and day of the occurrence.';
comment on column public.post_series.state is 'active or ended.';
comment on column public.post_series.next_number is 'Number of the next occurrence to be made.';
comment on column public.post_series.next_at is 'When that one is to be published; empty when none is left.';
comment on column public.post_series.make_at is 'When it is made: some time ahead, so that it can be looked at and edited.';

create table public.post_occurrences (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null,
  series_id uuid not null,
  number int not null,
  occurs_on date not null,
  scheduled_at timestamptz not null,
  adjusted text,
  state public.occurrence_state not null,
  post_id uuid,
  created_at timestamptz not null,
  constraint each_occurrence_once unique (series_id, number),
  foreign key (series_id, user_id) references public.post_series (id, user_id) on delete cascade,
  foreign key (post_id, user_id) references public.posts (id, user_id) on delete set null (post_id),
  constraint number_counts_from_1 check (number > 0),
  constraint adjusted_is_gap_or_overlap check (adjusted in ('gap', 'overlap'))
);
create index post_occurrences_series_id_idx on public.post_occurrences (series_id, user_id);
create index post_occurrences_post_id_idx on public.post_occurrences (post_id, user_id);
create index post_occurrences_user_id_idx on public.post_occurrences (user_id, scheduled_at);
comment on table public.post_occurrences is 'Occurrences of series that were made, skipped or missed.';
comment on column public.post_occurrences.number is 'Place in the series, from 1; the same for ever.';
comment on column public.post_occurrences.occurs_on is 'Its day, in the zone of the series.';
comment on column public.post_occurrences.scheduled_at is 'The instant that this came to when it was made.';
comment on column public.post_occurrences.adjusted is 'gap or overlap, where the clock changes at that time.';
comment on column public.post_occurrences.state is 'made, skipped or missed.';
comment on column public.post_occurrences.post_id is 'Its post; empty where there is none, or once it is deleted.';

insert into private.settings (key, value, description) values
  ('series_horizon', '"60 days"', 'How long before its time an occurrence of a series is made.'),
  ('series_max', '200', 'Active series of one person.'),
  ('series_per_run', '1000', 'Occurrences that one housekeeping run makes at most.');
