-- private.subject_predicate(…), private.plan_erasure(erasure)
-- Why:     the plan of an erasure follows from the catalogue alone, so that nothing has to be remembered elsewhere; it is
--          kept as rows with the version of the catalogue, and made anew when that changes under way.
-- Caller:  private.advance_erasure().
-- Errors:  none.
-- Repeat:  safe: a plan replaces the one before; deleting again what is deleted finds nothing.

create function private.subject_predicate(p_schema text, p_relation text) returns text
language sql stable security invoker set search_path = '' as $$
  select case
    when d.subject_path ~ '^[a-z_]+$' then
      format('t.%I = $1%s', d.subject_path, case a.atttypid when 'uuid'::regtype then '' else '::text' end)
    when d.subject_path like 'folder:%' then format('t.%I like $1::text || ''/%%''', split_part(d.subject_path, ':', 2))
    when d.subject_path like 'daily:%' then format('t.%I in (select private.usage_pseudonyms($1))', split_part(d.subject_path, ':', 2))
    when d.subject_path like '%=>%' then format('t.%I in (select t.id from %s t where %s)',
      split_part(d.subject_path, '=>', 1), split_part(d.subject_path, '=>', 2),
      private.subject_predicate(split_part(split_part(d.subject_path, '=>', 2), '.', 1),
                                split_part(split_part(d.subject_path, '=>', 2), '.', 2))) end
  from private.data_catalogue d
  left join pg_attribute a on a.attrelid = to_regclass(d.schema_name || '.' || d.relation) and a.attname = d.subject_path
  where d.kind = 'column' and d.schema_name = p_schema and d.relation = p_relation and d.subject_path <> 'none' limit 1
$$;
comment on function private.subject_predicate(text, text) is
  'The condition on rows t of a relation that belong to person $1, from the catalogue; NULL where columns do not tell.';

-- Children before parents: the depth of a relation is the length of the longest chain of references from it.
create function private.erasable_relations() returns table (name text, depth int)
language sql stable security invoker set search_path = '' as $$
  with recursive wanted as (
    select distinct c.oid, d.schema_name || '.' || d.relation as name
    from private.data_catalogue d
    join pg_class c on c.relname = d.relation and c.relnamespace = to_regnamespace(d.schema_name) and c.relkind in ('r', 'p')
    where d.kind = 'column' and d.erase_action = 'delete_row'
      and d.schema_name in ('public', 'private', 'worker', 'retained') and d.subject_path ~ '^[a-z_]+(=>|$)'
  ), chain as (
    select w.oid, w.name, 0 as depth from wanted w
    union
    select w.oid, w.name, c.depth + 1
    from chain c
    join pg_constraint k on k.conrelid = c.oid and k.contype = 'f' and k.confrelid <> k.conrelid
    join wanted w on w.oid = k.confrelid
    where c.depth < 20
  )
  select c.name, max(c.depth) from chain c group by c.name
$$;
comment on function private.erasable_relations() is 'Relations whose rows are deleted; those that others refer to have a greater depth.';

-- What processors know of a person, for their adapters in the worker.
create function private.external_accounts(p_person uuid) returns table (processor_id text, reference text)
language sql stable security invoker set search_path = '' as $$
  select 'stripe', b.stripe_customer_id from private.billing_customers b where b.user_id = p_person
  union all
  select 'resend', u.email from private.mail_suppressions s join auth.users u on u.id = s.user_id
  where s.user_id = p_person and s.address_hash = private.address_hash(u.email)
$$;
comment on function private.external_accounts(uuid) is
  'Processors that keep something about the person, and under which id; Resend an address that bounced or complained, on its suppression list.';

create function private.identifiers_of(p_person uuid) returns text[]
language sql stable security invoker set search_path = '' as $$
  select array(select distinct lower(x.word) from (
    select p_person::text as word
    union all select u.email from auth.users u where u.id = p_person
    union all select u.phone from auth.users u where u.id = p_person
    union all select i.email from auth.identities i where i.user_id = p_person
    union all select i.provider_id from auth.identities i where i.user_id = p_person
    union all select c.external_account_id from public.connections c where c.user_id = p_person
    union all select b.stripe_customer_id from private.billing_customers b where b.user_id = p_person) x
    where length(x.word) >= 6)
$$;
comment on function private.identifiers_of(uuid) is
  'By what this person, and nobody else, could be found: ids and addresses. Names are not among it: others bear them, too.';

create function private.plan_erasure(p_erasure private.erasures, p_now timestamptz default now()) returns private.erasures
language plpgsql volatile security invoker set search_path = '' as $$
begin
  delete from private.erasure_steps s where s.erasure_id = p_erasure.id;
  insert into private.erasure_outbox (erasure_id, processor_id, reference)
    select p_erasure.id, x.processor_id, x.reference from private.external_accounts(p_erasure.user_id) x
    on conflict do nothing;
  insert into private.erasure_steps (erasure_id, position, action, relation)
  select p_erasure.id, row_number() over (order by s.rank, s.name), s.action, s.name
  from (
    select distinct 300 as rank, 'unlink' as action, d.schema_name || '.' || d.relation as name
    from private.data_catalogue d where d.kind = 'column' and d.erase_action = 'unlink'
    union all
    select 400 + r.depth, 'delete', r.name from private.erasable_relations() r
    union all
    select distinct 500, 'nullify', d.schema_name || '.' || d.relation
    from private.data_catalogue d where d.kind = 'column' and d.erase_action = 'nullify'
    union all
    select 600, 'auth', 'auth.users'
    union all
    select 650, 'statistics', 'pg_statistic'
    union all
    select 700, 'external', o.processor_id from private.erasure_outbox o where o.erasure_id = p_erasure.id
    union all
    select 710, 'files', d.relation from private.data_catalogue d where d.kind = 'bucket'
    union all
    select distinct 800, 'sweep', d.schema_name || '.' || d.relation from private.data_catalogue d
    join pg_class c on c.relname = d.relation and c.relnamespace = to_regnamespace(d.schema_name) and c.relkind in ('r', 'p')
    where d.kind = 'column' and d.erase_action <> 'expire') s;
  update private.erasures e
    set state = 'erasing', catalogue_hash = private.catalogue_hash(), planned_at = p_now,
        identifiers = coalesce(e.identifiers, private.identifiers_of(e.user_id))
    where e.id = p_erasure.id returning * into p_erasure;
  return p_erasure;
end;
$$;
comment on function private.plan_erasure(private.erasures, timestamptz) is
  'Writes the steps that the catalogue asks for, in order: rows (children first), sign-in, services and files outside, and a look everywhere.';
