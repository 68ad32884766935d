-- Whoever inserts a row makes its id.
grant execute on function private.time_ordered_id(timestamptz) to authenticated, service_role;
