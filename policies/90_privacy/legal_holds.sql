-- Two people of staff, through whoever holds the secret key.

alter table private.legal_holds enable row level security;

grant execute on function private.place_legal_hold(uuid, text[], text, text, timestamptz) to service_role;
grant execute on function private.approve_legal_hold(uuid, text, timestamptz) to service_role;
grant execute on function private.release_legal_hold(uuid, text, timestamptz) to service_role;
grant execute on function worker.place_legal_hold(uuid, text[], text, text) to service_role;
grant execute on function worker.approve_legal_hold(uuid, text) to service_role;
grant execute on function worker.release_legal_hold(uuid, text) to service_role;
