-- The worker's web server.

grant execute on function private.resolve_connection(uuid, text, timestamptz) to service_role;
grant execute on function private.hold_connection(
  uuid, uuid, text, text, text, text, text[], int, text, text, text, text[], timestamptz, timestamptz, text, timestamptz
) to service_role;
grant execute on function worker.resolve_connection(uuid, text) to service_role;
grant execute on function worker.hold_connection(
  uuid, uuid, text, text, text, text, text[], int, text, text, text, text[], timestamptz, timestamptz, text
) to service_role;
