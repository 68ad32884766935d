-- private.guards, private.live_guards(names, kinds), private.seal_guards(), private.broken_guards(names),
-- private.loose_guards(kinds)
-- Why:     a check must see that what enforces a promise is there, switched on, and still what the migrations made of it.
--          The last migration seals the definition of every function, trigger, policy, constraint and grant; a check
--          compares the ones that it stands on with the live ones. Each attestation carries the hash of the seal.
-- Caller:  migrations seal; checks compare.
-- Repeat:  safe: sealing again replaces the seal.
-- Name:    "function private.fail", "trigger auth.users _120_end_sessions", "policy public.posts posts_select_owner",
--          "constraint private.token_vault access_is_sealed", "rls public.posts",
--          "grants public.posts authenticated select", "calls public.change_handle authenticated execute"

create table private.guards (
  name text primary key,
  definition_hash text not null,
  constraint definition_hash_is_sha_256 check (definition_hash ~ '^[0-9a-f]{64}$')
);
comment on table private.guards is 'What enforces the rules of this service, as the migrations left it.';

-- Partitions follow their parents.
create function private.own_relations() returns table (oid oid, name text, schema_name text, relkind "char")
language sql stable security invoker set search_path = '' as $$
  select c.oid, n.nspname || '.' || c.relname, n.nspname::text, c.relkind
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname in ('public', 'private', 'worker', 'retained') and c.relkind in ('r', 'p', 'v', 'm', 'f')
    and not c.relispartition
    and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
$$;
comment on function private.own_relations() is 'Tables and views of our schemas, partitions left out.';

create function private.own_functions(p_names text[] default null)
returns table (oid oid, name text, definition text, acl aclitem[])
language sql stable security invoker set search_path = '' as $$
  select p.oid, n.nspname || '.' || p.proname,
         concat_ws(E'\x1f', pg_get_function_identity_arguments(p.oid), p.prosrc, p.prosecdef, p.provolatile, p.proconfig),
         coalesce(p.proacl, acldefault('f', p.proowner))
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace
  where n.nspname in ('public', 'private', 'worker')
    and (p_names is null or n.nspname || '.' || p.proname = any (p_names))
    and not exists (select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e')
$$;
comment on function private.own_functions(text[]) is
  'Functions of our schemas, or those of these names, with what they do and who may call them.';

-- Who may do what, by name of the role; the owner aside.
create function private.grants_of(p_acl aclitem[]) returns setof text
language sql stable security invoker set search_path = '' as $$
  select format('%s %s', case when x.grantee = 0 then 'public' else r.rolname end, lower(x.privilege_type))
  from aclexplode(p_acl) x left join pg_roles r on r.oid = x.grantee
  where x.grantee = 0 or r.rolname in ('anon', 'authenticated', 'service_role')
$$;
comment on function private.grants_of(aclitem[]) is 'The privileges of everybody and of the roles of the API.';

-- plpgsql, so that the plan is made once per session and not by each check. What nobody asked for is left out before its
-- definition is written down.
create function private.live_guards(p_names text[] default null, p_kinds text[] default null)
returns table (name text, definition text)
language plpgsql stable security invoker set search_path = '' as $$
#variable_conflict use_column
declare
  v_kinds text[] := coalesce(p_kinds, array(select distinct split_part(n, ' ', 1) from unnest(p_names) n));
  v_all boolean := p_names is null and p_kinds is null;
  v_objects text[];
begin
  if p_names is not null then
    v_objects := array(select distinct split_part(n, ' ', 2) from unnest(p_names) n);
  end if;
  return query
  select x.name, f.definition from private.own_functions(v_objects) f, concat('function ', f.name) x (name)
  where (v_all or 'function' = any (v_kinds)) and (p_names is null or x.name = any (p_names))
  union all
  select x.name, '' from private.own_functions(v_objects) f, private.grants_of(f.acl) g,
  concat('calls ', f.name, ' ', g) x (name)
  where (v_all or 'calls' = any (v_kinds)) and (p_names is null or x.name = any (p_names))
  union all
  select x.name, pg_get_triggerdef(t.oid) || t.tgenabled::text
  from pg_trigger t join pg_class c on c.oid = t.tgrelid and not c.relispartition
  join pg_namespace n on n.oid = c.relnamespace
  join pg_proc p on p.oid = t.tgfoid and p.pronamespace = 'private'::regnamespace,
  concat('trigger ', n.nspname, '.', c.relname, ' ', t.tgname) x (name)
  where not t.tgisinternal and (v_objects is null or n.nspname || '.' || c.relname = any (v_objects))
    and (v_all or 'trigger' = any (v_kinds))
    and (p_names is null or x.name = any (p_names))
  union all
  select x.name, concat_ws(E'\x1f', p.polcmd, p.polpermissive,
    array(select r.rolname from pg_roles r where r.oid = any (p.polroles) order by 1), 0 = any (p.polroles),
    pg_get_expr(p.polqual, c.oid), pg_get_expr(p.polwithcheck, c.oid))
  from pg_policy p join pg_class c on c.oid = p.polrelid join pg_namespace n on n.oid = c.relnamespace,
  concat('policy ', n.nspname, '.', c.relname, ' ', p.polname) x (name)
  where n.nspname in ('public', 'private', 'worker', 'retained', 'storage')
    and (v_objects is null or n.nspname || '.' || c.relname = any (v_objects)) and (v_all or 'policy' = any (v_kinds))
    and (p_names is null or x.name = any (p_names))
  union all
  select x.name, pg_get_constraintdef(k.oid) || k.convalidated
  from pg_constraint k join private.own_relations() r on r.oid = k.conrelid,
  concat('constraint ', r.name, ' ', k.conname) x (name)
  where k.contype in ('c', 'f', 'u', 'p') and (v_objects is null or r.name = any (v_objects))
    and (v_all or 'constraint' = any (v_kinds))
    and (p_names is null or x.name = any (p_names))
  union all
  select x.name, c.relrowsecurity::text
  from private.own_relations() r join pg_class c on c.oid = r.oid, concat('rls ', r.name) x (name)
  where r.relkind in ('r', 'p') and (v_objects is null or r.name = any (v_objects))
    and (v_all or 'rls' = any (v_kinds))
    and (p_names is null or x.name = any (p_names))
  union all
  select x.name, ''
  from private.own_relations() r join pg_class c on c.oid = r.oid
  cross join lateral (
    select r.name || ' ' || g from private.grants_of(c.relacl) g
    union all
    select concat(r.name, '.', a.attname, ' ', g) from pg_attribute a, private.grants_of(a.attacl) g
    where a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped and a.attacl is not null) o (grant_name)
  cross join lateral concat('grants ', o.grant_name) x (name)
  where (v_all or 'grants' = any (v_kinds)) and (p_names is null or x.name = any (p_names));
end;
$$;
comment on function private.live_guards(text[], text[]) is
  'What enforces something, with its definition as it is now: of these names, of these kinds; NULL: all of it.';

create function private.definition_hash(p_definition text) returns text
language sql immutable security invoker set search_path = '' as $$
  select encode(sha256(convert_to(p_definition, 'UTF8')), 'hex')
$$;
comment on function private.definition_hash(text) is 'SHA-256 of a definition.';

create function private.seal_guards() returns bigint
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_count bigint;
begin
  delete from private.guards where true;
  insert into private.guards (name, definition_hash)
    select g.name, private.definition_hash(g.definition) from private.live_guards() g;
  get diagnostics v_count = row_count;
  return v_count;
end;
$$;
comment on function private.seal_guards() is 'Ends every migration: what is there now is what has to be there. Returns how many guards.';

-- The catalogue is read once per call, so that a check asks for all its guards together.
create function private.broken_guards(p_names text[]) returns text[]
language sql stable security invoker set search_path = '' as $$
  with live as materialized (select g.name, g.definition from private.live_guards(p_names) g)
  select coalesce(array_agg(w.name || case when l.name is null then ' is missing' else ' was changed' end order by w.name), '{}')
  from unnest(p_names) w (name)
  left join live l on l.name = w.name
  left join private.guards s on s.name = w.name
  where l.name is null or s.definition_hash is distinct from private.definition_hash(l.definition)
$$;
comment on function private.broken_guards(text[]) is 'Those of the named guards that are missing or not as they were sealed.';

create function private.loose_guards(p_kinds text[]) returns text[]
language sql stable security invoker set search_path = '' as $$
  with live as materialized (
    select g.name, private.definition_hash(g.definition) as hash from private.live_guards(null, p_kinds) g
  )
  select coalesce(array_agg(x.name || x.how order by x.name), '{}') from (
    select coalesce(l.name, s.name) as name,
           case when l.name is null then ' is missing' when s.name is null then ' was added' else ' was changed' end as how
    from live l
    full join (select g.* from private.guards g where split_part(g.name, ' ', 1) = any (p_kinds)) s on s.name = l.name
    where l.hash is distinct from s.definition_hash
  ) x
$$;
comment on function private.loose_guards(text[]) is 'All guards of these kinds that are missing, changed or were added since the seal.';

create function private.guards_hash() returns text
language sql stable security invoker set search_path = '' as $$
  select private.definition_hash(coalesce(string_agg(g.name || ' ' || g.definition_hash, E'\n' order by g.name), ''))
  from private.guards g
$$;
comment on function private.guards_hash() is 'Hash of the seal: two databases with the same enforcement have the same.';
