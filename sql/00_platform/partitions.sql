-- private.partitioned_tables, private.ensure_partitions(now), private.drop_expired_partitions(now)
-- Why:     tables that only grow are cut by month, or by day where a term is too short for months, so that what is old goes
--          by DROP TABLE, not by DELETE.
-- Caller:  migrations, right after they registered a table; housekeeping.
-- Errors:  none of ours. 55P03 when a lock is not to be had within two seconds: housekeeping tries again later.
-- Repeat:  safe.
-- Locks:   a partition is built beside its parent and then attached: readers and writers of the others go on.

create table private.partitioned_tables (
  table_name text primary key,
  retention interval,
  every text not null default 'month',
  constraint table_is_qualified check (table_name ~ '^(public|private|retained)\.[a-z][a-z0-9_]*$'),
  constraint retention_is_positive check (retention > interval '0'),
  constraint every_month_or_day check (every in ('month', 'day'))
);
comment on table private.partitioned_tables is
  'Tables partitioned by month or day on their first key column. Partitions live in schema private: <table>_y2026m11[d30].';
comment on column private.partitioned_tables.retention is
  'A partition is dropped when its youngest row may be older than this; NULL keeps all.';

create function private.partition_suffix(p_every text, p_start date) returns text
language sql immutable security invoker set search_path = '' as $$
  select to_char(p_start, case p_every when 'day' then '"_y"YYYY"m"MM"d"DD' else '"_y"YYYY"m"MM' end)
$$;
comment on function private.partition_suffix(text, date) is 'How the partition of the month or day that begins then is called.';

-- Rows that came while there was no partition for them wait in the default partition; they move along.
create function private.add_partition(p_table text, p_every text, p_start date) returns void
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_base text := split_part(p_table, '.', 2);
  v_name text := format('private.%I', v_base || private.partition_suffix(p_every, p_start));
  v_from text := to_char(p_start, 'YYYY-MM-DD"T00:00:00Z"');
  v_to text := to_char(p_start + ('1 ' || p_every)::interval, 'YYYY-MM-DD"T00:00:00Z"');
  v_column text;
begin
  select a.attname into v_column from pg_partitioned_table t
    join pg_attribute a on a.attrelid = t.partrelid and a.attnum = t.partattrs[0]
    where t.partrelid = p_table::regclass;
  execute format('create table %s (like %s including all excluding indexes)', v_name, p_table);
  execute format('alter table %s enable row level security', v_name);
  execute format('with moved as (delete from private.%I where %I >= %L and %2$I < %4$L returning *)
                  insert into %5$s select * from moved', v_base || '_default', v_column, v_from, v_to, v_name);
  execute format('alter table %s attach partition %s for values from (%L) to (%L)', p_table, v_name, v_from, v_to);
end;
$$;
comment on function private.add_partition(text, text, date) is 'Makes and attaches the partition of one month or day.';

create function private.ensure_partitions(p_now timestamptz default now()) returns bigint
language plpgsql volatile security invoker set search_path = '' set lock_timeout = '2s' as $$
declare
  v_table text;
  v_every text;
  v_base text;
  v_start date;
  v_count bigint := 0;
begin
  for v_table, v_every in select t.table_name, t.every from private.partitioned_tables t order by t.table_name loop
    v_base := split_part(v_table, '.', 2);
    if to_regclass(format('private.%I', v_base || '_default')) is null then
      execute format('create table private.%I partition of %s default', v_base || '_default', v_table);
      execute format('alter table private.%I enable row level security', v_base || '_default');
    end if;
    for v_start in
      select date_trunc(v_every, p_now at time zone 'utc')::date + n * ('1 ' || v_every)::interval
      from generate_series(-1, case v_every when 'day' then 7 else 2 end) n
    loop
      if to_regclass(format('private.%I', v_base || private.partition_suffix(v_every, v_start))) is null then
        perform private.add_partition(v_table, v_every, v_start);
        v_count := v_count + 1;
      end if;
    end loop;
  end loop;
  return v_count;
end;
$$;
comment on function private.ensure_partitions(timestamptz) is
  'Makes the default partition and those of last, this and the next two months (or seven days) where they are missing.';

-- Rows of people with a legal hold (P8.5) outlive their partition: they move to the default partition.
create function private.keep_held_rows(p_table text, p_partition regclass) returns void
language plpgsql volatile security invoker set search_path = '' as $$
begin
  if not exists (select from private.held_people) or not exists (
    select from pg_attribute a where a.attrelid = p_table::regclass and a.attname = 'user_id') then
    return;
  end if;
  execute format('alter table %s detach partition %s', p_table, p_partition);
  execute format('insert into %s select t.* from %s t where t.user_id in (select h.subject_id from private.held_people h)',
                 p_table, p_partition);
end;
$$;
comment on function private.keep_held_rows(text, regclass) is 'Moves what must be kept out of a partition that is about to be dropped.';

create function private.forget_default_rows(p_table text, p_before timestamptz) returns void
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_column text := (select a.attname from pg_partitioned_table t
                    join pg_attribute a on a.attrelid = t.partrelid and a.attnum = t.partattrs[0]
                    where t.partrelid = p_table::regclass);
  v_held text := case when exists (select from pg_attribute a where a.attrelid = p_table::regclass and a.attname = 'user_id')
                   then 'and t.user_id not in (select h.subject_id from private.held_people h)' else '' end;
begin
  execute format('delete from private.%I t where t.%I < %L %s', split_part(p_table, '.', 2) || '_default', v_column, p_before, v_held);
end;
$$;
comment on function private.forget_default_rows(text, timestamptz) is
  'Deletes from the default partition what is past its retention and not held.';

create function private.drop_expired_partitions(p_now timestamptz default now()) returns bigint
language plpgsql volatile security invoker set search_path = '' set lock_timeout = '2s' as $$
declare
  v_partition regclass;
  v_table text;
  v_cut timestamptz;
  v_count bigint := 0;
begin
  for v_partition, v_table in
    select i.inhrelid::regclass, t.table_name
    from private.partitioned_tables t
    join pg_inherits i on i.inhparent = t.table_name::regclass
    join pg_class c on c.oid = i.inhrelid
    cross join substring(c.relname from '_y([0-9]{4}m[0-9]{2}(?:d[0-9]{2})?)$') s (start)
    where (to_date(s.start, 'YYYY"m"MM"d"DD') + ('1 ' || t.every)::interval) at time zone 'utc' <= p_now - t.retention
  loop
    perform private.keep_held_rows(v_table, v_partition);
    execute format('drop table %s', v_partition);
    v_count := v_count + 1;
  end loop;
  for v_table, v_cut in
    select t.table_name, date_trunc(t.every, (p_now - t.retention) at time zone 'utc') at time zone 'utc'
    from private.partitioned_tables t where t.retention is not null
  loop
    perform private.forget_default_rows(v_table, v_cut);
  end loop;
  return v_count;
end;
$$;
comment on function private.drop_expired_partitions(timestamptz) is 'Drops months and days that are past their retention.';
