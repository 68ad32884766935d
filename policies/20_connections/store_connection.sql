-- The worker's web server.

grant execute on function private.resolve_connection(uuid, text, timestamptz) to service_role;
grant execute on function private.accept_connection(
  uuid, uuid, text, text, text, text, text[], int, text, text, text, text[], timestamptz, timestamptz, timestamptz
) to service_role;
grant execute on function worker.resolve_connection(uuid, text) to service_role;
grant execute on function worker.store_connection(
  uuid, uuid, text, text, text, text, text[], int, text, text, text, text[], timestamptz, timestamptz
) to service_role;
