-- Cleanups run for whoever holds the secret key.

alter table private.housekeeping_tasks enable row level security;

grant execute on function private.housekeeping(timestamptz) to service_role;
grant execute on function worker.run_housekeeping() to service_role;
