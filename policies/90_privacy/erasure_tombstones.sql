-- For the worker alone, through its functions.

alter table private.erasure_tombstones enable row level security;

grant execute on function private.pending_tombstones(int) to service_role;
grant execute on function private.confirm_tombstones(jsonb) to service_role;
grant execute on function private.reconcile_tombstones(uuid[], timestamptz) to service_role;
grant execute on function worker.reconcile_tombstones(uuid[]) to service_role;
grant execute on function worker.pending_tombstones(int) to service_role;
grant execute on function worker.confirm_tombstones(jsonb) to service_role;
