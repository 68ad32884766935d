-- Roles of a hosted Supabase project, with the attributes and memberships they have there.
-- Source: supabase/postgres migrations/db (init-scripts and migrations). Run once per cluster, as the superuser.
-- {postgres_password} and {api_password} are filled in as SQL literals.

create role anon nologin inherit;
create role authenticated nologin inherit;
create role service_role nologin inherit bypassrls;

create role authenticator login noinherit;
grant anon, authenticated, service_role to authenticator;

create role supabase_auth_admin login noinherit createrole;
create role supabase_storage_admin login noinherit createrole;
create role dashboard_user createdb createrole replication;

-- Migrations run as this role, so that what a hosted project refuses is refused here.
create role postgres login nosuperuser createdb createrole replication bypassrls password {postgres_password};
grant anon, authenticated, service_role to postgres with admin option;
-- Hosted lets it change the settings of this role, and nothing else of it.
grant authenticator to postgres with admin true, inherit false, set false;
grant set on parameter "pgrst.db_schemas", "pgrst.db_pre_request", "pgrst.db_max_rows" to postgres;
-- As supautils.privileged_role_allowed_configs does: a restore loads rows with triggers off.
grant set on parameter session_replication_role to postgres;
grant pg_read_all_data, pg_signal_backend, pg_monitor to postgres;
-- Stands in for supautils.policy_grants, by which postgres may write policies on storage.objects. What else the
-- membership would allow, the event triggers of database.sql take back.
grant supabase_storage_admin to postgres with inherit true, set false;

-- The one role of our own: what the embedded API server logs in as. A hosted project has three servers with a role
-- each (authenticator, supabase_auth_admin, supabase_storage_admin); this one server needs what the three have.
-- No superuser and no bypassrls: where it forgets to take the caller's role, row level security still holds.
create role embedded_api login nosuperuser nobypassrls password {api_password};
grant supabase_auth_admin, supabase_storage_admin to embedded_api with inherit true;
grant anon, authenticated, service_role to embedded_api with inherit false, set true;
-- Reads the catalogue through information_schema, which shows a role only what it may select.
grant pg_read_all_data to embedded_api;

-- Timeouts of the API (supabase/postgres init-scripts and 20221028101028, 20231130133139).
alter role anon set statement_timeout = '3s';
alter role authenticated set statement_timeout = '8s';
alter role authenticator set statement_timeout = '8s';
alter role authenticator set lock_timeout = '8s';

alter role postgres set search_path = "$user", public, extensions;
alter role supabase_admin set search_path = "$user", public, auth, extensions;
alter role supabase_auth_admin set search_path = auth;
alter role supabase_auth_admin set idle_in_transaction_session_timeout = '60s';
alter role supabase_storage_admin set search_path = storage;
