-- Workers carry erasures out.

grant execute on function private.work_on_erasure(uuid, uuid, int, jsonb, timestamptz) to service_role;
grant execute on function worker.advance_erasure(uuid, uuid, int, jsonb) to service_role;
