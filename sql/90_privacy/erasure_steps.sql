-- private.erase_rows(…), private.erase_links(…), private.sweep(…), private.run_erasure_step(erasure, step)
-- Why:     what one step of an erasure does. Each is bounded and safe to repeat: it looks for what is there, and finds
--          nothing where it has been before.
-- Caller:  private.advance_erasure().
-- Errors:  NX913 a legal hold was placed between plan and step: the step is undone and asked for again later.
-- Repeat:  safe.
-- Locks:   the rows that go.

create function private.erase_rows(p_relation text, p_person uuid, p_limit int) returns bigint
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_where text := private.subject_predicate(split_part(p_relation, '.', 1), split_part(p_relation, '.', 2));
  v_count bigint;
begin
  execute format('with gone as materialized (select t.tableoid, t.ctid from %s t where %s limit %s)
                  delete from %1$s d using gone g where d.tableoid = g.tableoid and d.ctid = g.ctid',
                 p_relation, v_where, p_limit) using p_person;
  get diagnostics v_count = row_count;
  return v_count;
end;
$$;
comment on function private.erase_rows(text, uuid, int) is 'Deletes at most that many rows of a person; returns how many went.';

create function private.erase_links(p_relation text, p_person uuid, p_limit int) returns bigint
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_column text;
  v_count bigint;
  v_total bigint := 0;
begin
  for v_column in
    select d.column_name from private.data_catalogue d
    where d.kind = 'column' and d.erase_action = 'nullify' and d.schema_name || '.' || d.relation = p_relation
    order by 1
  loop
    execute format('with gone as materialized (select t.tableoid, t.ctid from %s t where t.%I = $1 limit %s)
                    update %1$s d set %2$I = null from gone g where d.tableoid = g.tableoid and d.ctid = g.ctid',
                   p_relation, v_column, p_limit) using p_person;
    get diagnostics v_count = row_count;
    v_total := v_total + v_count;
  end loop;
  return v_total;
end;
$$;
comment on function private.erase_links(text, uuid, int) is 'Takes a person out of rows that stay; returns how many there were.';

-- Rows that belong to nobody, logs and queues above all, are read to their end; so a row costs no more than it must: ids are
-- compared as ids, words are looked for with LIKE, and only what that finds is looked at as words. Numbers, times and
-- enumerations hold no words. Every other type shows as text; bytes as hexadecimal.
create function private.mention_condition(p_relation text) returns text
language sql stable security invoker set search_path = '' as $$
  select coalesce(nullif(concat_ws(' or ',
    string_agg(format('t.%I = any ($1)', a.attname), ' or ' order by a.attnum) filter (where a.atttypid = 'uuid'::regtype),
    'case when ' || w.words || ' like any ($2) then ' || w.words || ' ~ $3 end'), ''), 'false')
  from pg_attribute a
  cross join lateral (
    select 'lower(concat_ws('' '', ' || string_agg(format('t.%I', o.attname), ', ' order by o.attnum) || '))' as words
    from pg_attribute o join pg_type t on t.oid = o.atttypid
    where o.attrelid = a.attrelid and o.attnum > 0 and not o.attisdropped
      and t.typcategory not in ('N', 'D', 'T', 'B', 'E') and o.atttypid <> 'uuid'::regtype) w
  where a.attrelid = p_relation::regclass and a.attnum > 0 and not a.attisdropped
  group by w.words
$$;
comment on function private.mention_condition(text) is
  'Whether a row t of the relation mentions somebody: $1 their ids, $2 their words as LIKE patterns, $3 as a regular expression.';

create function private.sweep(p_relation text, p_person uuid, p_identifiers text[]) returns bigint
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_where text := private.subject_predicate(split_part(p_relation, '.', 1), split_part(p_relation, '.', 2));
  v_count bigint;
begin
  if v_where is null or exists (select from private.data_catalogue d where d.kind = 'column' and d.erase_action = 'nullify'
                                and d.schema_name || '.' || d.relation = p_relation) then
    -- its rows stay: no column of them may mention the person
    execute format('select count(*) from (select 1 from %s t where %s limit 1000) x', p_relation, private.mention_condition(p_relation))
      using array(select private.uuid_or_null(i) from unnest(p_identifiers || p_person::text) i),
            private.mention_likes(p_identifiers || array(select encode(convert_to(i, 'UTF8'), 'hex') from unnest(p_identifiers) i)),
            private.mention_pattern(p_identifiers) into v_count;
  else
    execute format('select count(*) from (select 1 from %s t where %s limit 1000) x', p_relation, v_where)
      using p_person into v_count;
  end if;
  return v_count;
end;
$$;
comment on function private.sweep(text, uuid, text[]) is
  'How many rows still belong to the person, or, where rows belong to nobody, still mention them; at most 1000 are counted.';

create function private.mention_likes(p_words text[]) returns text[]
language sql immutable security invoker set search_path = '' as $$
  select array_agg('%' || regexp_replace(word, '([%_\\])', '\\\1', 'g') || '%') from unnest(p_words) word
$$;
comment on function private.mention_likes(text[]) is 'LIKE patterns that find these words, inside others too: what mention_pattern() then looks at.';

-- Whole words only: the id of an account on a platform may be a number that stands inside many others, and an address the
-- end of somebody else's.
create function private.mention_pattern(p_identifiers text[]) returns text
language sql immutable security invoker set search_path = '' as $$
  select '(?<![0-9a-z._%+-])(' || string_agg(regexp_replace(word, '([^0-9a-z])', '\\\1', 'g'), '|')
         || ')(?![0-9a-z]|[._-][0-9a-z])|' || string_agg(encode(convert_to(word, 'UTF8'), 'hex'), '|')
  from unnest(p_identifiers) word
$$;
comment on function private.mention_pattern(text[]) is
  'A regular expression that finds these words in lower case, in plain and, as bytes show, anywhere in hexadecimal.';

create function private.erase_traces_of_auth(p_person uuid, p_identifiers text[]) returns void
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_words text[] := array(select i from unnest(p_identifiers) i where i = p_person::text or i like '%_@_%');
  v_likes text[] := private.mention_likes(v_words);
  v_pattern text := private.mention_pattern(v_words);
begin
  delete from auth.audit_log_entries e
    where case when lower(e.payload::text) like any (v_likes) then lower(e.payload::text) ~ v_pattern end;
  -- Put together with format(): the checker would look for tables that only the hosted Auth has.
  if to_regclass('auth.saml_relay_states') is not null then
    execute format('delete from auth.%I r where lower(r.for_email) = any ($1)', 'saml_relay_states') using p_identifiers;
  end if;
  if to_regclass('auth.one_time_tokens') is not null then
    execute format('delete from auth.%I t where t.user_id = $1 or lower(t.relates_to) = any ($2)', 'one_time_tokens')
      using p_person, p_identifiers;
  end if;
  perform private.delete_auth_user(p_person);
end;
$$;
comment on function private.erase_traces_of_auth(uuid, text[]) is
  'Removes the person from Supabase Auth, with what it keeps about them without a reference: its log, flows, one-time tokens.';

-- Work that is still to be done for somebody who is gone has nothing to do.
create function private.erase_work(p_person uuid) returns bigint
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_count bigint;
begin
  delete from private.dead_letters d where d.subject_id = p_person;
  delete from private.queue q where q.subject_id = p_person
    and q.lane in (select d.relation from private.data_catalogue d where d.kind = 'queue');
  get diagnostics v_count = row_count;
  return v_count;
end;
$$;
comment on function private.erase_work(uuid) is 'Takes work about a person off the queue.';

create function private.run_erasure_step(
  p_erasure private.erasures, p_step private.erasure_steps, p_now timestamptz default now()
) returns boolean
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_limit int := private.setting_int('erasure_batch');
  v_count bigint := 0;
  v_done boolean := true;
begin
  case p_step.action
    when 'delete' then
      v_count := private.erase_rows(p_step.relation, p_erasure.user_id, v_limit);
      v_done := v_count < v_limit;
    when 'nullify' then
      v_count := private.erase_links(p_step.relation, p_erasure.user_id, v_limit);
      v_done := v_count < v_limit;
    when 'unlink' then
      v_count := private.retain_invoices(p_erasure.user_id);
    when 'auth' then
      perform private.erase_traces_of_auth(p_erasure.user_id, p_erasure.identifiers);
      v_count := private.erase_work(p_erasure.user_id);
    when 'statistics' then
      perform private.renew_statistics(p_erasure.identifiers);
    when 'sweep' then
      if private.sweep(p_step.relation, p_erasure.user_id, p_erasure.identifiers) > 0 then
        return false;
      end if;
  end case;
  update private.erasure_steps s
    set row_count = s.row_count + v_count, done_at = case when v_done then p_now end
    where s.erasure_id = p_step.erasure_id and s.position = p_step.position returning * into p_step;
  if v_done and p_step.action <> 'sweep' and p_step.row_count > 0 then
    perform private.note_in_ledger(p_erasure.id, p_erasure.user_id, p_step.action, p_step.relation, p_step.row_count, p_now);
  end if;
  return true;
end;
$$;
comment on function private.run_erasure_step(private.erasures, private.erasure_steps, timestamptz) is
  'One batch of one step. False: the sweep has found something that should be gone.';
