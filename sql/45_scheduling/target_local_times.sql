-- public.target_local_times
-- Why:     a calendar that is shown in another zone must still say "09:00 in Berlin": the local time and zone that a target
--          was given. The instant of the target is what counts; the row says which instant it explains.
-- Caller:  bodies of this context write; people read.
-- Repeat:  safe; one row per target, replaced when it gets another local time.
-- Locks:   after the target.

create table public.target_local_times (
  target_id uuid,
  user_id uuid not null,
  scheduled_at timestamptz not null,
  local_time timestamp not null,
  time_zone text not null,
  adjusted text,
  primary key (target_id, user_id),
  foreign key (target_id, user_id) references public.post_targets (id, user_id) on delete cascade,
  constraint time_zone_is_short check (length(time_zone) <= 60),
  constraint adjusted_is_gap_or_overlap check (adjusted in ('gap', 'overlap'))
);
create index target_local_times_user_id_idx on public.target_local_times (user_id);
comment on table public.target_local_times is
  'The local time and zone that a target was given; gone when it gets another time as an instant.';
comment on column public.target_local_times.scheduled_at is 'The instant that this came to; the same as that of the target.';
comment on column public.target_local_times.local_time is 'As the clock shows it at that instant.';
comment on column public.target_local_times.time_zone is 'IANA name.';
comment on column public.target_local_times.adjusted is
  'gap: the time given does not exist on that day and was moved forward. overlap: it exists twice, one was chosen.';

create function private.note_local_times(p_target_ids uuid[], p_zone text, p_adjusted text) returns void
language sql volatile security invoker set search_path = '' as $$
  insert into public.target_local_times as l (target_id, user_id, scheduled_at, local_time, time_zone, adjusted)
  select t.id, t.user_id, t.scheduled_at, t.scheduled_at at time zone p_zone, p_zone, p_adjusted
  from public.post_targets t where t.id = any (p_target_ids) and t.scheduled_at is not null
  on conflict (target_id, user_id) do update
    set scheduled_at = excluded.scheduled_at, local_time = excluded.local_time, time_zone = excluded.time_zone,
        adjusted = excluded.adjusted
$$;
comment on function private.note_local_times(uuid[], text, text) is
  'Remembers in which zone the targets were given the time that they now have.';

-- A row trigger, against the habit of post_targets: it fires only when a scheduled target gets another time, which no
-- worker ever does.
create function private.tg_post_targets__forget_local_time() returns trigger
language plpgsql volatile security definer set search_path = '' as $$
begin
  delete from public.target_local_times l where l.target_id = new.id;
  return null;
end;
$$;
comment on function private.tg_post_targets__forget_local_time() is
  'AFTER UPDATE: what was said about the old time does not hold for the new one.';
create trigger _450_forget_local_time after update of scheduled_at on public.post_targets for each row
  when (old.scheduled_at is not null and old.scheduled_at is distinct from new.scheduled_at)
  execute function private.tg_post_targets__forget_local_time();

insert into private.definer_ledger (function_name, reason) values
  ('private.tg_post_targets__forget_local_time', 'People have no right to delete these rows; they go with the time.');
