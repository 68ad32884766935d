-- For the worker alone, through its functions; nobody has a policy on bucket backups.

alter table private.backups enable row level security;
alter table private.backup_exclusions enable row level security;

grant execute on function private.begin_backup(uuid, text, text, uuid, timestamptz) to service_role;
grant execute on function private.list_backup_files(text, text, int) to service_role;
grant execute on function private.finish_backup(uuid, bigint, text, text, bigint, bigint, timestamptz) to service_role;
grant execute on function private.drop_backup(uuid) to service_role;
grant execute on function private.reconcile_backups(text, jsonb, timestamptz) to service_role;
grant execute on function worker.begin_backup(uuid, text, text, uuid) to service_role;
grant execute on function worker.list_backup_files(text, text, int) to service_role;
grant execute on function worker.finish_backup(uuid, bigint, text, text, bigint, bigint) to service_role;
grant execute on function worker.drop_backup(uuid) to service_role;
grant execute on function worker.reconcile_backups(text, jsonb) to service_role;
