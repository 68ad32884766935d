-- Links to guardians are opened through the worker's web server.

grant execute on function private.find_guardian_request(text, timestamptz) to service_role;
grant execute on function private.confirm_guardian_request(text, timestamptz) to service_role;
grant execute on function private.withdraw_guardian_consent(text, timestamptz) to service_role;
grant execute on function worker.find_guardian_request(text) to service_role;
grant execute on function worker.confirm_guardian_request(text) to service_role;
grant execute on function worker.withdraw_guardian_consent(text) to service_role;
