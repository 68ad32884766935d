-- Workers that tell platforms to revoke.

grant execute on function private.claim_revocations(uuid, int, timestamptz) to service_role;
grant execute on function private.report_revocations(uuid, jsonb, timestamptz) to service_role;
grant execute on function worker.claim_revocations(uuid, int) to service_role;
grant execute on function worker.report_revocations(uuid, jsonb) to service_role;
