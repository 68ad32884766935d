-- Workers that publish.

grant execute on function private.mark_sending(uuid, jsonb, timestamptz) to service_role;
grant execute on function private.save_progress(uuid, uuid, int, jsonb, timestamptz) to service_role;
grant execute on function worker.mark_sending(uuid, jsonb) to service_role;
grant execute on function worker.save_progress(uuid, uuid, int, jsonb) to service_role;
