-- public.queue_slots
-- Why:     the hours at which a person likes to post on an account, week after week; add_to_queue() fills them in order.
-- Caller:  authenticated, plain reads and edits of their own rows.
-- Errors:  NX010 a protected column. NX450 the zone. NX458 too many slots. 23505 the account has this slot already.
-- Repeat:  no; the unique constraint refuses a slot that is there.

create table public.queue_slots (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null default auth.uid(),
  connection_id uuid not null,
  weekday int not null,
  local_time time not null,
  time_zone text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (id, user_id),
  -- With the owner, so that it says nothing about accounts of others.
  constraint each_slot_once unique (user_id, connection_id, weekday, local_time, time_zone),
  foreign key (connection_id, user_id) references public.connections (id, user_id) on delete cascade,
  constraint weekday_is_1_to_7 check (weekday between 1 and 7),
  constraint time_is_a_whole_minute check (local_time = date_trunc('minute', local_time) and local_time < '24:00'),
  constraint time_zone_is_short check (length(time_zone) <= 60)
);
create index queue_slots_connection_id_idx on public.queue_slots (connection_id, user_id);
comment on table public.queue_slots is 'Weekly posting times of an account.';
comment on column public.queue_slots.weekday is '1 Monday to 7 Sunday (ISO 8601), in the zone of the slot.';
comment on column public.queue_slots.local_time is 'Whole minutes. Where the clock skips it, the slot moves forward by the gap.';
comment on column public.queue_slots.time_zone is 'IANA name.';

-- DEFINER: the limit counts all slots of the person, whatever a policy shows.
create function private.tg_queue_slots__check() returns trigger
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform private.check_zone(new.time_zone);
  if tg_op = 'INSERT' and private.setting_int('queue_slots_max') <= (
    select count(*) from public.queue_slots s where s.user_id = new.user_id) then
    perform private.fail('NX458', p_detail := 'queue_slots');
  end if;
  return new;
end;
$$;
comment on function private.tg_queue_slots__check() is 'BEFORE INSERT, UPDATE: the zone exists and there are not too many.';

create trigger _100_protect before update on public.queue_slots for each row
  execute function private.tg_protect_columns('id', 'user_id', 'connection_id', 'created_at', 'updated_at');
create trigger _150_check before insert or update of time_zone on public.queue_slots for each row
  execute function private.tg_queue_slots__check();
create trigger _200_touch before update on public.queue_slots for each row
  execute function private.tg_touch_updated_at();

insert into private.settings (key, value, description) values
  ('queue_slots_max', '500', 'Weekly posting slots of one person, over all accounts.'),
  ('queue_horizon_days', '366', 'How far ahead a free posting slot is looked for.');

insert into private.definer_ledger (function_name, reason) values
  ('private.tg_queue_slots__check', 'Uses settings and the zone check of schema private on behalf of a person.');
