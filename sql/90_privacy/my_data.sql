-- public.my_data()
-- Why:     the page "my data" of the settings: everything that is held about the caller, place by place: what, how many
--          rows, where from, what for, on which basis, how long (P7.1). The catalogue drives it, so nothing is left out.
-- Caller:  people, in every state of the account. DEFINER: most places are out of their reach.
-- Errors:  NX001 no live session.
-- Repeat:  safe; nothing is written.

create table private.data_sources (
  subject text primary key,
  source text not null,
  constraint subject_is_a_category_or_a_relation check (subject ~ '^(user(\.[a-z_]+)+|[a-z_]+\.[a-z_0-9]+)$'),
  constraint source_is_given check (length(source) between 3 and 120)
);
comment on table private.data_sources is
  'Where data comes from: by category of the catalogue, and, where that tells less than the truth, by relation.';

insert into private.data_sources (subject, source) values
  ('user.content', 'Entered or uploaded by you'),
  ('user.name', 'Entered by you'),
  ('user.settings', 'Chosen by you'),
  ('user.financial', 'Entered by you'),
  ('user.privacy_preferences', 'Chosen by you'),
  ('user.demographic', 'Entered by you when you signed up'),
  ('user.contact', 'Entered by you'),
  ('user.account', 'Noted by the service while you use it'),
  ('user.account.username', 'Chosen by you'),
  ('user.behavior', 'Noted by the service while you use it'),
  ('user.device', 'Sent by your browser or app'),
  ('user.location', 'Derived by the service from the address of your connection'),
  ('user.unique_id', 'Made by the service'),
  ('user.authorization', 'Made when you signed in, chose a password or connected an account'),
  ('user.childrens', 'Entered by you and by your guardian'),
  ('public.connections', 'Told by the platform when you connected the account'),
  ('private.pending_connections', 'Told by the platform when you connected the account'),
  ('private.token_vault', 'Handed over by the platform when you connected the account'),
  ('private.platform_budgets', 'Told by the platform'),
  ('auth.identities', 'Told by the service through which you sign in');

-- The longest category that fits says most.
create function private.source_of(p_relation text, p_categories text[]) returns text[]
language sql stable security invoker set search_path = '' as $$
  select coalesce(
    (select array[s.source] from private.data_sources s where s.subject = p_relation),
    array(select distinct x.source from unnest(p_categories) c
          cross join lateral (
            select s.source from private.data_sources s where c = s.subject or c like s.subject || '.%'
            order by length(s.subject) desc limit 1) x
          where c <> 'user.unique_id' or p_categories <@ array['user.unique_id', 'system.operations'] order by 1))
$$;
comment on function private.source_of(text, text[]) is
  'Where data of these categories in this place comes from. Ids say so only where there is nothing else.';

create function private.kept_words(p_retain_for interval, p_anchor text) returns text
language sql immutable security invoker set search_path = '' as $$
  select case when p_retain_for is null then
      case p_anchor when 'disconnect' then 'Until the account on the platform is disconnected'
        when 'account_deletion' then 'As long as you have the account; gone within 30 days after you delete it'
        else 'Until it is ' || p_anchor end
    else regexp_replace(concat_ws(' ',
        case when extract(month from p_retain_for) <> 0
          then extract(year from p_retain_for) * 12 + extract(month from p_retain_for) || ' months'
          else nullif(extract(year from p_retain_for), 0) || ' years' end,
        nullif(extract(day from p_retain_for), 0) || ' days', nullif(extract(hour from p_retain_for), 0) || ' hours',
        nullif(extract(minute from p_retain_for), 0) || ' minutes'), '\m1 (\w+)s\M', '1 \1', 'g')
      || case p_anchor when 'created' then ' after it came to be' when 'issued' then ' after it was issued'
        when 'disconnect' then ' after the account on the platform is disconnected'
        when 'closed' then ' after it was closed' else ' after the account is deleted' end end
$$;
comment on function private.kept_words(interval, text) is 'How long something is kept, in words.';

create function private.count_held(p_schema text, p_relation text, p_kind text, p_person uuid) returns bigint
language plpgsql stable security invoker set search_path = '' as $$
declare
  v_where text := private.subject_predicate(p_schema, p_relation);
  v_count bigint;
begin
  if p_kind = 'bucket' then
    select count(*) into v_count from storage.objects o
      where o.bucket_id = p_relation and o.name like p_person || '/%';
  elsif p_kind = 'column' and v_where is not null and to_regclass(p_schema || '.' || p_relation) is not null then
    execute format('select count(*) from %I.%I t where %s', p_schema, p_relation, v_where) using p_person into v_count;
  end if;
  return v_count;
end;
$$;
comment on function private.count_held(text, text, text, uuid) is
  'Rows or files of a person in one place; NULL where they cannot be counted (queue, backups).';

create type private.held_data as (
  area text, place text, kind text, categories text[], fields text[], withheld jsonb, row_count bigint, sources text[],
  purpose text, purpose_description text, lawful_basis text, kept text, is_exported boolean
);
comment on type private.held_data is 'What is held about a person in one place.';

create function private.my_data(p_now timestamptz default now()) returns setof private.held_data
language plpgsql stable security definer set search_path = '' as $$
declare
  v_person uuid := private.live_person(p_now);
begin
  return query
    select coalesce(max(d.export_name), d.relation), d.schema_name || '.' || d.relation, d.kind,
      array_agg(distinct d.category) filter (where d.category <> 'system.operations'),
      array_agg(d.column_name order by d.column_name) filter (where d.export_action = 'include' and d.column_name <> '*'),
      jsonb_object_agg(d.column_name, d.export_action) filter (where d.export_action <> 'include' and d.column_name <> '*'),
      private.count_held(d.schema_name, d.relation, d.kind, v_person),
      private.source_of(d.schema_name || '.' || d.relation, array_agg(distinct d.category)),
      d.purpose, p.description, d.lawful_basis, private.kept_words(d.retain_for, d.anchor),
      bool_or(d.export_action = 'include')
    from private.data_catalogue d
    join private.processing_purposes p on p.id = d.purpose
    where d.subject_path <> 'none'
      and (d.kind <> 'column' or to_regclass(d.schema_name || '.' || d.relation) is not null)
    group by d.schema_name, d.relation, d.kind, d.purpose, p.description, d.lawful_basis, d.retain_for, d.anchor
    having bool_or(d.category <> 'system.operations')
    order by 1, 2;
end;
$$;
comment on function private.my_data(timestamptz) is 'Body of public.my_data().';

create function public.my_data()
returns table (
  area text, place text, kind text, categories text[], fields text[], withheld jsonb, row_count bigint, sources text[],
  purpose text, purpose_description text, lawful_basis text, kept text, is_exported boolean
)
language sql stable security invoker set search_path = '' as $$
  select m.area, m.place, m.kind, m.categories, m.fields, m.withheld, m.row_count, m.sources, m.purpose,
         m.purpose_description, m.lawful_basis, m.kept, m.is_exported
  from private.my_data() m
$$;
comment on function public.my_data() is
  'Everything held about the caller, place by place: categories, fields, how many rows (NULL: cannot be counted), sources, '
  'purpose, lawful basis and for how long. withheld names the fields that an export leaves out, and why (P7.1).';

insert into private.definer_ledger (function_name, reason) values
  ('private.my_data', 'Counts what is held about the caller, wherever it lies.');
