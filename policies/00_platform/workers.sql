-- Worker processes act as service_role.

alter table private.workers enable row level security;

grant execute on function private.register_worker(text, text, text[], timestamptz) to service_role;
grant execute on function private.heartbeat(uuid, timestamptz) to service_role;
grant execute on function private.stop_worker(uuid, timestamptz) to service_role;
grant execute on function worker.register_worker(text, text, text[]) to service_role;
grant execute on function worker.heartbeat(uuid) to service_role;
grant execute on function worker.stop_worker(uuid) to service_role;
