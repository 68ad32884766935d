-- Workers that publish.

grant execute on function private.claim_targets(uuid, int, timestamptz, uuid[], timestamptz) to service_role;
grant execute on function private.next_publish_due() to service_role;
grant execute on function worker.claim_targets(uuid, int, timestamptz, uuid[]) to service_role;
grant execute on function worker.next_publish_due() to service_role;
