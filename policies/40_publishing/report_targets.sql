-- Workers that publish.

grant execute on function private.report_targets(uuid, jsonb, timestamptz) to service_role;
grant execute on function worker.report_targets(uuid, jsonb) to service_role;
