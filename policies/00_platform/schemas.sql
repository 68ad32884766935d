-- Who reaches the schemas, and what objects that come later may grant by default: nothing.
-- The global form is meant: per-schema defaults can only add to it. (PostgreSQL, ALTER DEFAULT PRIVILEGES)

grant usage on schema public to anon, authenticated, service_role;
grant usage on schema extensions to anon, authenticated, service_role;

revoke all on schema private, worker, retained from public;
grant usage on schema private to authenticated, service_role;
grant usage on schema worker to service_role;

alter default privileges revoke execute on functions from public;
alter default privileges in schema public revoke all on tables from anon, authenticated, service_role;
alter default privileges in schema public revoke all on sequences from anon, authenticated, service_role;
alter default privileges in schema public revoke execute on functions from anon, authenticated, service_role;

-- Objects of this context were made before the lines above.
revoke all on all tables in schema private from public, anon, authenticated, service_role;
revoke all on all sequences in schema private from public, anon, authenticated, service_role;
revoke all on all functions in schema private from public, anon, authenticated, service_role;
revoke all on all functions in schema worker from public, anon, authenticated, service_role;

-- Policies and API functions of people call auth.uid(); some stacks do not let them into its schema.
do $$
begin
  if not has_schema_privilege('authenticated', 'auth', 'usage') then
    execute 'grant usage on schema auth to anon, authenticated, service_role';
  end if;
end;
$$;

-- Large objects know no row-level security, and nobody needs them. Where the platform owns the functions, it is up to
-- the platform.
do $$
declare
  v_function record;
begin
  for v_function in
    select p.oid::regprocedure as signature from pg_proc p
    where p.pronamespace = 'pg_catalog'::regnamespace and p.proname ~ '^(lo_|lowrite$|loread$)'
      and pg_has_role(current_user, p.proowner, 'usage')
  loop
    execute format('revoke execute on function %s from public', v_function.signature);
  end loop;
end;
$$;
