-- What the hosted auth and storage services leave behind, as far as `@supabase/lite` makes it differently:
-- owners, privileges, row level security, the functions that policies call, and the guards against direct changes.
-- Sources: supabase/auth migrations, supabase/storage migrations/tenant (0049, 0055). Run per database after lite has
-- made its tables, as the superuser. Safe to repeat.

-- The migration history belongs to the CLI, which makes it on the first `db push`.
do $$
begin
  if to_regclass('supabase_migrations.schema_migrations') is not null
     and pg_get_userbyid((select relowner from pg_class where oid = 'supabase_migrations.schema_migrations'::regclass)) = 'supabase_admin' then
    drop schema supabase_migrations cascade;
  end if;
end;
$$;

do $$
declare
  v_object record;
begin
  for v_object in
    select c.oid::regclass as name, n.nspname, c.relkind
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname in ('auth', 'storage') and c.relkind in ('r', 'p', 'S')
  loop
    execute format('alter %s %s owner to %I', case v_object.relkind when 'S' then 'sequence' else 'table' end,
                   v_object.name, 'supabase_' || v_object.nspname || '_admin');
    if v_object.relkind <> 'S' then
      execute format('alter table %s enable row level security', v_object.name);
    end if;
  end loop;
end;
$$;

-- Hosted reads both the old settings, one per claim, and the one that holds all claims. Lite knows the old ones only.
create or replace function auth.uid() returns uuid language sql stable as $$
  select coalesce(nullif(current_setting('request.jwt.claim.sub', true), ''),
                  nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid
$$;
create or replace function auth.role() returns text language sql stable as $$
  select coalesce(nullif(current_setting('request.jwt.claim.role', true), ''),
                  nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role')
$$;
create or replace function auth.email() returns text language sql stable as $$
  select coalesce(nullif(current_setting('request.jwt.claim.email', true), ''),
                  nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'email')
$$;
-- Null without a token, as on hosted; lite answers {}.
create or replace function auth.jwt() returns jsonb language sql stable as $$
  select nullif(current_setting('request.jwt.claims', true), '')::jsonb
$$;

create or replace function storage.protect_delete() returns trigger language plpgsql as $$
begin
  if coalesce(current_setting('storage.allow_delete_query', true), 'false') <> 'true' then
    raise exception 'Direct deletion from storage tables is not allowed. Use the Storage API instead.'
      using errcode = '42501',
            hint = 'Deleting rows leaves the files behind; remove objects through the Storage API.';
  end if;
  return null;
end;
$$;
create or replace trigger protect_buckets_delete before delete on storage.buckets
  for each statement execute function storage.protect_delete();
create or replace trigger protect_objects_delete before delete on storage.objects
  for each statement execute function storage.protect_delete();

do $$
declare
  v_function record;
begin
  for v_function in
    select p.oid::regprocedure as signature, n.nspname
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where n.nspname in ('auth', 'storage')
  loop
    execute format('alter routine %s owner to %I', v_function.signature, 'supabase_' || v_function.nspname || '_admin');
  end loop;
end;
$$;

grant all on all tables in schema auth to postgres, dashboard_user;
grant all on all sequences in schema auth to postgres, dashboard_user;
grant all on all routines in schema auth to postgres, dashboard_user;
grant select on all tables in schema auth to postgres with grant option;
grant all on storage.buckets, storage.objects to postgres with grant option;
grant all on storage.buckets, storage.objects to anon, authenticated, service_role;
grant execute on all routines in schema auth, storage to anon, authenticated, service_role;

-- postgres is a member of supabase_storage_admin here (see cluster.sql) and could change what a hosted project keeps
-- to itself. These two triggers refuse it the same way, except for policies and triggers.
create or replace function extensions.refuse_platform_ddl() returns event_trigger language plpgsql set search_path = '' as $$
declare
  v_identity text;
begin
  if session_user <> 'postgres' then
    return;
  end if;
  if tg_event = 'sql_drop' then
    select object_identity into v_identity from pg_event_trigger_dropped_objects()
    where schema_name in ('auth', 'storage') and object_type not in ('policy', 'trigger') limit 1;
  else
    select object_identity into v_identity from pg_event_trigger_ddl_commands()
    where schema_name in ('auth', 'storage') and object_type not in ('policy', 'trigger')
      and command_tag not in ('GRANT', 'REVOKE') limit 1;
  end if;
  if v_identity is not null then
    raise exception 'must be owner of %', v_identity using errcode = '42501',
      hint = 'A hosted project refuses this: schemas auth and storage belong to the platform.';
  end if;
end;
$$;
alter function extensions.refuse_platform_ddl() owner to supabase_admin;
drop event trigger if exists embedded_refuse_ddl;
create event trigger embedded_refuse_ddl on ddl_command_end execute function extensions.refuse_platform_ddl();
drop event trigger if exists embedded_refuse_drop;
create event trigger embedded_refuse_drop on sql_drop execute function extensions.refuse_platform_ddl();

-- PostgREST, and the server in its place, look at the schema again when they are told so.
create or replace function extensions.notify_schema_change() returns event_trigger language plpgsql set search_path = '' as $$
begin
  notify pgrst, 'reload schema';
end;
$$;
drop event trigger if exists pgrst_ddl_watch;
create event trigger pgrst_ddl_watch on ddl_command_end execute function extensions.notify_schema_change();
drop event trigger if exists pgrst_drop_watch;
create event trigger pgrst_drop_watch on sql_drop execute function extensions.notify_schema_change();
