-- Workers that renew tokens.

grant execute on function private.lease_token(uuid, uuid, int, timestamptz) to service_role;
grant execute on function private.store_refreshed_token(
  uuid, uuid, int, text, text, text, text[], timestamptz, timestamptz, timestamptz) to service_role;
grant execute on function private.fail_refresh(uuid, uuid, text, timestamptz) to service_role;
grant execute on function worker.lease_token(uuid, uuid, int) to service_role;
grant execute on function worker.store_refreshed_token(
  uuid, uuid, int, text, text, text, text[], timestamptz, timestamptz) to service_role;
grant execute on function worker.fail_refresh(uuid, uuid, text) to service_role;
