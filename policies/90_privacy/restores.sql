-- Restoring is for the owner of the database; recording a drill for the worker's role.

alter table private.backup_drills enable row level security;
alter table private.restores enable row level security;

grant execute on function private.record_drill(uuid, timestamptz, bigint, bigint, bigint, text, timestamptz) to service_role;
grant execute on function worker.record_drill(uuid, timestamptz, bigint, bigint, bigint, text) to service_role;
