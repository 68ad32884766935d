-- private.usage_events; private.usage_is_wanted(person), private.forget_usage(person)
-- Why:     what is kept of an event: the day, a pseudonym of that day, and one name from a list. No person, no time of day, no
--          order, no count. Of the eight kinds only one is kept per person and day, drawn by the pseudonym itself, so that
--          no row, and no set of rows, describes anybody: whoever has a rare country has no browser here (P1.7, P1.8, P5.2).
-- Caller:  private.track_usage() writes; private.count_usage() counts when the day is over.
-- Errors:  none.
-- Repeat:  safe: the same thing on the same day is the same row.
-- Locks:   an advisory lock per person, for writing and for forgetting: an event that is on its way while its person opts
--          out is written and then deleted, or not written.
-- Opting out, an account that is locked or erased: what can be found goes in that transaction, which is what the person
--          did today. Earlier days are out of everybody's reach, ours too: they are not personal data any more.

create table private.usage_events (
  day date not null,
  pseudonym bytea not null,
  kind text not null,
  name text not null,
  primary key (pseudonym, kind, name, day),
  constraint pseudonym_has_128_bits check (length(pseudonym) = 16),
  constraint name_is_coarse check (case kind -- P1.8
    when 'country' then name ~ '^[A-Z]{2}$'
    when 'browser' then name ~ '^[A-Z][A-Za-z ]{1,20}$'
    when 'os' then name ~ '^[A-Za-z]{1,12}$'
    when 'screen' then name in ('small', 'medium', 'large')
    when 'path' then name ~ '^[a-z0-9_]{2,41}>[a-z0-9_]{2,41}$'
    else kind in ('page', 'feature', 'session') and name ~ '^[a-z0-9_]{2,41}$' end)
) partition by range (day);
comment on table private.usage_events is 'What pseudonyms of a day did on it, each thing once; gone after 30 days.';
comment on column private.usage_events.pseudonym is 'Of this day alone; whose it is, nobody can tell when the day is over.';
comment on column private.usage_events.kind is 'page, path (page>page), feature, session, country, browser, os or screen.';

insert into private.partitioned_tables (table_name, retention, every) values ('private.usage_events', '29 days', 'day');
select private.ensure_partitions();

-- 256 is a multiple of 8: no kind is drawn more often than another.
create function private.usage_kind(p_pseudonym bytea) returns text
language sql immutable security invoker set search_path = '' as $$
  select (array['page', 'path', 'feature', 'session', 'country', 'browser', 'os', 'screen'])[1 + get_byte(p_pseudonym, 0) % 8]
$$;
comment on function private.usage_kind(bytea) is 'The one kind of event that is kept of this pseudonym.';

-- private.may_process(person, 'product_improvement') of a higher context reads the same switch.
create function private.usage_is_wanted(p_person uuid) returns boolean
language sql volatile security invoker set search_path = '' as $$
  select exists (
    select from public.preferences f join private.accounts a using (user_id)
    where f.user_id = p_person and f.product_analytics and a.state = 'active')
$$;
comment on function private.usage_is_wanted(uuid) is 'Whether use by this person is counted now (P5.2, P7.5).';

create function private.lock_usage(p_person uuid) returns void
language sql volatile security invoker set search_path = '' as $$
  select pg_advisory_xact_lock(hashtextextended('usage:' || p_person, 0))
$$;
comment on function private.lock_usage(uuid) is 'Writing and forgetting what a person did come one after the other.';

create function private.forget_usage(p_person uuid) returns void
language plpgsql volatile security invoker set search_path = '' as $$
begin
  perform private.lock_usage(p_person);
  delete from private.usage_events e where e.pseudonym in (select private.usage_pseudonyms(p_person));
  delete from private.usage_calls c where c.pseudonym in (select private.usage_pseudonyms(p_person));
end;
$$;
comment on function private.forget_usage(uuid) is 'Deletes what can still be found of a person: what they did today.';

create function private.tg_forget_usage() returns trigger
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform private.forget_usage(old.user_id);
  return null;
end;
$$;
comment on function private.tg_forget_usage() is
  'AFTER UPDATE OR DELETE: whoever opts out (P5.2, P7.5), and an account that is locked, restricted or gone (P7.3), leaves '
  'nothing behind of today.';
create trigger _310_forget_usage after update of product_analytics on public.preferences
  for each row when (not new.product_analytics) execute function private.tg_forget_usage();
create trigger _310_forget_usage after update of state on private.accounts
  for each row when (new.state <> 'active') execute function private.tg_forget_usage();
create trigger _320_forget_usage after delete on private.accounts
  for each row execute function private.tg_forget_usage();

insert into private.definer_ledger (function_name, reason) values
  ('private.tg_forget_usage', 'Deletes events for a person who opts out, and for whatever locks or deletes an account, Auth among it.');
