-- public.usage_names
-- Why:     what may be counted about the use of the product, and nothing else: an event can name what stands here, and has
--          no free text (P1.7, P5.2).
-- Caller:  read by front ends and by public.track_usage(); changed by migrations alone.
-- Repeat:  no; reference rows are loaded once by the migration.

create table public.usage_names (
  kind text,
  name text,
  primary key (kind, name),
  constraint kind_is_known check (kind in ('page', 'feature', 'session', 'screen')),
  constraint name_is_snake_case check (name ~ '^[a-z0-9][a-z0-9_]{1,40}$')
);
comment on table public.usage_names is 'What may be counted about the use of the product. Anything else is refused.';
comment on column public.usage_names.kind is
  'page: was shown. feature: was used. session: how long one lasted, in steps. screen: its width, in classes.';
comment on column public.usage_names.name is 'As events name it.';

insert into public.usage_names (kind, name)
  select x.kind, n from (values
    ('page', 'welcome home scripts posts calendar media captions connections profile media_kit notifications settings privacy billing'),
    ('feature', 'write_script draft_post save_caption upload_media connect_account schedule_post publish_now pause_publishing '
      'plan_slots repeat_post import_posts calendar_feed edit_media_kit export_data'),
    ('session', 'under_1_minute 1_to_5_minutes 5_to_20_minutes 20_to_60_minutes over_60_minutes'),
    ('screen', 'small medium large')) x (kind, names)
  cross join regexp_split_to_table(x.names, ' ') n;
