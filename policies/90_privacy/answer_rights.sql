-- Whoever operates the service answers, through the secret key.

grant execute on function private.list_requests(timestamptz) to service_role;
grant execute on function private.count_requests(timestamptz) to service_role;
grant execute on function private.record_request(uuid, text, text, timestamptz, text, timestamptz) to service_role;
grant execute on function private.answer_request(uuid, text, text, text, timestamptz) to service_role;
grant execute on function worker.list_requests() to service_role;
grant execute on function worker.count_requests() to service_role;
grant execute on function worker.record_request(uuid, text, text, timestamptz, text) to service_role;
grant execute on function worker.answer_request(uuid, text, text, text) to service_role;
