-- The worker alone builds archives.

grant execute on function private.begin_export(uuid, uuid, int, timestamptz) to service_role;
grant execute on function private.read_export_chunk(uuid, uuid, int, text, int) to service_role;
grant execute on function private.note_export(uuid, uuid, int, bigint, bigint) to service_role;
grant execute on function worker.begin_export(uuid, uuid, int) to service_role;
grant execute on function worker.read_export_chunk(uuid, uuid, int, text, int) to service_role;
grant execute on function worker.note_export(uuid, uuid, int, bigint, bigint) to service_role;
