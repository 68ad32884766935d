-- Workers that publish.

grant execute on function private.record_part(uuid, uuid, int, int, text, text, text, timestamptz) to service_role;
grant execute on function worker.record_part(uuid, uuid, int, int, text, text, text) to service_role;
